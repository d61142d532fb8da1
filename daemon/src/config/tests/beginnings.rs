//! What `tokend init` leaves on disk, and what it says.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::access::cgroup::UnitLookup;
use crate::config::init::{InitError, print, write};
use crate::config::keys::ProfileKind::{Central, Classic, Glp};
use crate::os::accounts::Accounts;

/// A machine on which the group `tokend` is one's own, so that files can be given to it.
struct Packaged;

impl Accounts for Packaged {
    fn user(&self, _: &str) -> io::Result<Option<u32>> {
        Ok(None)
    }

    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        Ok((name == "tokend").then(|| nix::unistd::getegid().as_raw()))
    }
}

fn as_root(accounts: Arc<dyn Accounts>) -> Environment {
    Environment { process_env: Arc::new(ProcessEnv::new([], 0, 0)), accounts, unit_lookup: || UnitLookup::Works }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<OsString> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect()
}

#[test]
fn the_daemons_group_may_read_it_where_there_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokend.toml");
    write(&path, &[Central], &as_root(Arc::new(Packaged))).expect("written");
    assert_eq!(mode(&path), 0o640);
    let other = folder.path().join("other.toml");
    write(&other, &[Central], &as_root(Arc::new(Directory))).expect("written");
    assert_eq!(mode(&other), 0o600);
    assert_eq!(names(folder.path()).len(), 2, "nothing else is left");
}

#[test]
fn a_file_that_is_there_is_left_alone_unless_nobody_has_touched_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokend.toml");
    let environment = as_root(Arc::new(Directory));
    fs::write(&path, template::installed()).expect("written");
    write(&path, &[Glp], &environment).expect("replaced");
    let written = fs::read_to_string(&path).expect("it is there");
    assert!(written.contains("\nkind = \"glp\"\n"), "{written}");

    let again = write(&path, &[Central], &environment).expect_err("it is somebody's");
    assert!(matches!(&again, InitError::Exists(found) if *found == path), "{again}");
    fs::write(&path, template::installed() + "#\n").expect("written");
    assert!(matches!(write(&path, &[Central], &environment), Err(InitError::Exists(_))));
    assert!(matches!(write(folder.path(), &[Central], &environment), Err(InitError::Exists(_))));
    assert_eq!(names(folder.path()).len(), 1, "nothing else is left");
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let error = write(Path::new("/nowhere-at-all/x.toml"), &[Central], &as_root(Arc::new(Directory)));
    let error = error.expect_err("there is no such folder").to_string();
    assert_eq!(error, "/nowhere-at-all/x.toml cannot be written, because its folder is not there");
}

#[test]
fn what_is_left_to_do_is_said_for_each_kind() {
    let (text, advice) = print(&[Classic, Central, Classic]);
    assert_eq!(text.matches("\n[profiles.").count(), 2);
    for line in [
        "systemd-creds encrypt --name=campus - /etc/credstore.encrypted/campus\n",
        "     LoadCredentialEncrypted=campus:/etc/credstore.encrypted/campus\n     LoadCredentialEncrypted=legacy:",
        "     tokend check\n",
        "     systemctl enable --now tokend.service\n",
        "     tokenctl import legacy token.json\n",
    ] {
        assert!(advice.contains(line), "{line}\n{advice}");
    }
}

#[test]
fn a_user_keeps_secrets_in_files_beside_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokend.toml");
    let process_env = Arc::new(ProcessEnv::new([], 1001, 1001));
    let environment = Environment { process_env, accounts: Arc::new(Packaged), unit_lookup: || UnitLookup::Works };
    let advice = write(&path, &[Central], &environment).expect("written");
    assert_eq!(mode(&path), 0o600);
    let secret = fs::canonicalize(folder.path()).expect("it is there").join("campus.secret");
    let secret = secret.to_str().expect("UTF-8");
    assert!(fs::read_to_string(&path).expect("it is there").contains(&format!("{{ file = {secret:?} }}")));
    assert!(advice.contains(secret) && advice.contains("tokend check --config "), "{advice}");
}
