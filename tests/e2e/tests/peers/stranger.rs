//! A peer of another user, which only root can start.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::{Binaries, Daemon, Ran, Running, World};
use nix::unistd::Uid;
use serde_json::Value;

/// A user and a group that own nothing, of which the daemon's machine need not know a name.
pub(crate) const STRANGER: u32 = 65_534;
pub(crate) const OTHER_GROUP: u32 = 65_533;

/// Runs `tokenctl` as somebody without rights.
#[derive(Clone)]
pub(crate) struct Stranger<'a> {
    pub(crate) world: &'a World,
    pub(crate) tokenctl: PathBuf,
    /// Its primary group.
    pub(crate) gid: u32,
    /// Its supplementary ones, as an option of setpriv(1).
    pub(crate) groups: &'static str,
}

impl<'a> Stranger<'a> {
    /// `None`, and a word about it, where that cannot be done.
    pub(crate) fn of(world: &'a World) -> Option<Self> {
        let has_setpriv = Command::new("setpriv").arg("--version").stdout(Stdio::null()).status().is_ok();
        if !Uid::effective().is_root() || !has_setpriv {
            skipped::because("only root, with setpriv(1), can start a peer of another user");
            return None;
        }
        // The folder is the test's alone, and so may be the one of the programs that were built.
        fs::set_permissions(world.folder(), Permissions::from_mode(0o755)).unwrap();
        let tokenctl = world.path("tokenctl");
        fs::copy(&Binaries::built().tokenctl, &tokenctl).unwrap();
        fs::set_permissions(&tokenctl, Permissions::from_mode(0o755)).unwrap();
        Some(Self { world, tokenctl, gid: STRANGER, groups: "--clear-groups" })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args([&format!("--reuid={STRANGER}"), &format!("--regid={}", self.gid), self.groups, "--"])
            .arg(&self.tokenctl)
            .args(arguments)
            .current_dir("/")
            .env("TOKEND_SOCKET", self.world.socket());
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn is_denied(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (4, ""), "{arguments:?}: {}", ran.stderr);
        ran.stderr
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments);
        assert_eq!(ran.status, 0, "{arguments:?}: {}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

/// A daemon whose socket this group may open, with these rules.
pub(crate) fn start(world: &World, group: u32, rules: &str) -> Daemon {
    let profiles = [world.central("campus"), world.glp("msp", &["Acme Corp"]), world.classic("legacy")];
    world.configure(rules, &profiles);
    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), text.replace("[server]", &format!("[server]\ngroup = \"{group}\""))).unwrap();
    let daemon = world.start();
    for name in ["campus", "msp/Acme Corp"] {
        assert!(!world.ctl().token(name).is_empty(), "root may read everything");
    }
    daemon
}
