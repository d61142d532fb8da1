//! The files of the package, laid out for cargo-deb.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::{Shell, generate};
use tokend::config::template;

use super::programs::{Programs, run};
use super::{PackageError, changelog, man, notices, source_date_epoch};

/// Files of this repository that are installed as they are: from, to.
const AS_THEY_ARE: [(&str, &str); 7] = [
    ("systemd/tokend.service", "usr/lib/systemd/system/tokend.service"),
    ("systemd/tokend.socket", "usr/lib/systemd/system/tokend.socket"),
    ("systemd/user/tokend.service", "usr/lib/systemd/user/tokend.service"),
    ("systemd/user/tokend.socket", "usr/lib/systemd/user/tokend.socket"),
    ("systemd/tokend.sysusers", "usr/lib/sysusers.d/tokend.conf"),
    ("systemd/tokend.tmpfiles", "usr/lib/tmpfiles.d/tokend.conf"),
    ("daemon/debian/lintian-overrides", "usr/share/lintian/overrides/tokend"),
];

/// Drop-ins to copy.
const EXAMPLES: &str = "systemd/examples";

pub(super) fn lay_out(root: &Path, stage: &Path, programs: &Programs, version: &str) -> Result<(), PackageError> {
    let epoch = source_date_epoch(root);
    match fs::remove_dir_all(stage) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(PackageError::file(stage, "emptied")(error));
        }
        _ => {}
    }
    let stage = Stage { folder: stage };
    stage.copy(&programs.tokend, "usr/sbin/tokend")?;
    stage.copy(&programs.tokenctl, "usr/bin/tokenctl")?;
    for (from, to) in AS_THEY_ARE {
        stage.copy(&root.join(from), to)?;
    }
    for example in files(&root.join(EXAMPLES))? {
        let name = example.file_name().unwrap_or_default().to_string_lossy().into_owned();
        stage.copy(&example, &format!("usr/share/doc/tokend/examples/{name}"))?;
    }
    stage.write("etc/tokend/tokend.toml", template::installed().as_bytes())?;
    for (name, text) in man::pages(epoch) {
        let section = name.rsplit('.').next().expect("its section is its ending");
        stage.compressed(&format!("usr/share/man/man{section}/{name}"), text.as_bytes())?;
    }
    for (mut command, name) in [(tokend::cli::command(), "tokend"), (tokenctl::command(), "tokenctl")] {
        for (shell, file) in [
            (Shell::Bash, format!("bash-completion/completions/{name}")),
            (Shell::Zsh, format!("zsh/vendor-completions/_{name}")),
            (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
        ] {
            let mut text = Vec::new();
            generate(shell, &mut command, name, &mut text);
            stage.write(&format!("usr/share/{file}"), &text)?;
        }
    }
    let news = fs::read(root.join("CHANGELOG.md")).map_err(PackageError::file(&root.join("CHANGELOG.md"), "read"))?;
    stage.compressed("usr/share/doc/tokend/NEWS", &news)?;
    stage.compressed("usr/share/doc/tokend/third-party", notices::text(root)?.as_bytes())?;
    // cargo-deb compresses this one itself.
    stage.write("changelog", changelog::text(version, epoch).as_bytes())
}

struct Stage<'s> {
    folder: &'s Path,
}

impl Stage<'_> {
    fn place(&self, to: &str) -> Result<PathBuf, PackageError> {
        let path = self.folder.join(to);
        let folder = path.parent().expect("it is in the stage");
        fs::create_dir_all(folder).map_err(PackageError::file(folder, "made"))?;
        Ok(path)
    }

    fn copy(&self, from: &Path, to: &str) -> Result<(), PackageError> {
        let bytes = fs::read(from).map_err(PackageError::file(from, "read"))?;
        self.write(to, &bytes)
    }

    fn write(&self, to: &str, bytes: &[u8]) -> Result<(), PackageError> {
        let path = self.place(to)?;
        fs::write(&path, bytes).map_err(PackageError::file(&path, "written"))?;
        // cargo-deb sets the modes; those here are for people who look.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).map_err(PackageError::file(&path, "written"))
    }

    /// `.gz`, without a name or a time in it.
    fn compressed(&self, to: &str, bytes: &[u8]) -> Result<(), PackageError> {
        self.write(to, bytes)?;
        run(Command::new("gzip").args(["-9nf"]).arg(self.folder.join(to))).map(drop)
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, PackageError> {
    let entries = fs::read_dir(folder).map_err(PackageError::file(folder, "read"))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}
