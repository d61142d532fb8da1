//! What the file names outside of itself, where it cannot be had or does not answer.

use std::sync::{Condvar, Mutex};

use super::*;
use crate::access::policy::PeerIdentity;

/// A secret, a `ca_file`, a user and a group that are not there.
const NOTHING_THERE: &str = r#"
[server]
group = "nobody-has-it"
[profiles.campus]
kind = "central"
client_id = "id"
client_secret = { file = "DIR/gone" }
[profiles.lab]
kind = "central"
client_id = "id"
client_secret = { env = "LEGACY_SECRET" }
ca_file = "DIR/gone.pem"
[[access]]
profiles = ["campus"]
users = ["newcomer", "ldap", "root"]
groups = ["newcomers"]
"#;

fn may_read(config: &Config, uid: u32) -> bool {
    let peer = PeerIdentity { uid, gid: 1, ..PeerIdentity::default() };
    config.access().may_read(&peer, &"campus".parse::<ProfileName>().expect("a name").into())
}

#[test]
fn nothing_outside_of_the_file_refuses_a_start_or_a_reload() {
    let machine = Machine::new();
    let keys = |warnings: &[String]| -> Vec<String> {
        warnings.iter().map(|line| line.split(": ").nth(1).unwrap_or_default().to_owned()).collect()
    };
    let of_accounts = ["server.group", "access.users", "access.users", "access.groups"];
    let of_files = ["profiles.campus.client_secret", "profiles.lab.ca_file"];
    let started = machine.load(NOTHING_THERE).expect("it starts");
    assert_eq!(keys(&started.warnings), of_accounts, "no file is looked at");
    assert_eq!(started.profiles.len(), 2);
    let [first, rest @ ..] = of_accounts;
    for purpose in [Purpose::Reload, Purpose::CheckStart] {
        let config = machine.read(NOTHING_THERE, purpose).expect("it is applied");
        assert_eq!(keys(&config.warnings), [&[first][..], &of_files[..], &rest[..]].concat(), "{purpose:?}");
        assert_eq!(keys(&config.notes()), of_accounts_in_order(&of_accounts), "what may be there by now is no note");
    }
    let report = machine.read(NOTHING_THERE, Purpose::Check).expect_err("it is wrong");
    let errors: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
    assert_eq!(keys(&errors), of_files);
}

/// Notes have those of the rules first.
fn of_accounts_in_order<'a>(keys: &[&'a str; 4]) -> Vec<&'a str> {
    let [group, rest @ ..] = keys;
    rest.iter().chain([group]).copied().collect()
}

#[test]
fn a_state_key_that_cannot_be_read_keeps_the_daemon_from_starting() {
    let machine = Machine::new();
    let text = format!("[state]\nkey = {{ file = 'DIR/gone' }}\n{CAMPUS}");
    for purpose in [Purpose::Check, Purpose::CheckStart] {
        let report = machine.read(&text, purpose).expect_err("it cannot start so");
        assert_eq!(report.errors[0].key.as_deref(), Some("state.key"), "{purpose:?}");
    }
    assert!(machine.load(&text).is_ok(), "the daemon itself reads it, and runs its command");
    assert_eq!(machine.read(&text, Purpose::Reload).expect("it is in use already").warnings.len(), 1);
}

/// A directory service that does not answer until it is released. Local users are known all the same.
#[derive(Default)]
struct Stuck {
    released: Mutex<bool>,
    changed: Condvar,
}

impl Stuck {
    fn release(&self) {
        *self.released.lock().expect("nobody panics") = true;
        self.changed.notify_all();
    }
}

impl Accounts for Stuck {
    fn user(&self, name: &str) -> io::Result<Option<u32>> {
        assert_ne!(name, "root", "it needs no look-up");
        if name == "netops" {
            return Ok(Some(1001));
        }
        let mut released = self.released.lock().expect("nobody panics");
        while !*released {
            released = self.changed.wait(released).expect("nobody panics");
        }
        Ok(Some(1002))
    }

    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        self.user(name)
    }
}

#[test]
fn a_directory_that_does_not_answer_costs_the_names_that_only_it_knows() {
    let machine = Machine::new();
    let directory = Arc::new(Stuck::default());
    let accounts: Arc<dyn Accounts> = Arc::clone(&directory) as Arc<dyn Accounts>;
    let environment = Environment { accounts, ..machine.environment.clone() };
    let rule = "[[access]]\nprofiles = ['campus']\nusers = ['root', 'ldap', 'netops', 77, 'ldap2', 'ldap3']\n";
    let text = campus(rule);
    let load = |purpose, before: &Numbers| {
        validate(&text, Path::new("tokend.toml"), &environment, purpose, before).expect("it is right")
    };
    let config = load(Purpose::Start, &Numbers::default());
    assert!(may_read(&config, 1001) && may_read(&config, 77) && may_read(&config, 0) && !may_read(&config, 1002));
    let expected = "tokend.toml:8: access.users: the user \"ldap\" could not be looked up (there was no answer within 2 s); \
                    the rule matches nobody by it until it is found, and it is looked up again each minute";
    assert_eq!((config.warnings[0].as_str(), config.warnings.len()), (expected, 3));
    assert_eq!(config.notes(), config.warnings);
    directory.release();
    let config = load(Purpose::Start, &Numbers::default());
    assert!(may_read(&config, 1002));
    assert_eq!(config.notes(), Vec::<String>::new());
}

#[test]
fn a_number_in_force_stays_where_a_reload_cannot_look_it_up() {
    let machine = Machine::new();
    let mut before = Numbers::default();
    before.learn(&Account::User("ldap".into()), Ok(Some(1003)), Default::default());
    before.learn(&Account::User("newcomer".into()), Ok(Some(1004)), Default::default());
    before.learn(&Account::User("stranger".into()), Ok(Some(1005)), Default::default());
    let text = campus("[[access]]\nprofiles = ['campus']\nusers = ['ldap', 'newcomer']\n");
    let config = validate(&text, Path::new("tokend.toml"), &machine.environment, Purpose::Reload, &before);
    let config = config.expect("it is right");
    assert!(may_read(&config, 1003) && may_read(&config, 1004) && !may_read(&config, 1005));
    assert!(config.warnings[0].contains("its number 1003 stays in force, and it"), "{:?}", config.warnings);
    assert!(config.warnings[1].contains("its number 1004 stays in force for 60 min at most"), "{:?}", config.warnings);
}
