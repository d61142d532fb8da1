//! Names of hosts and of users are not found out.

use std::fmt::Write as _;

use harness::{Procfs, Ran};

use crate::checks::Checks;
use crate::scene::{SECRETS, Scene};
use crate::story::{Daemon, is_alive, starts, stops, through};

/// Hosts that have to be looked up.
const HOSTS: usize = 8;
/// Names that need one of them.
const NAMES: usize = 40;

/// One that takes questions and answers none, asked for many hosts.
pub(crate) fn the_resolver_is_deaf(scene: &Scene, checks: &mut Checks) {
    // Until somebody listens there the answer is a refusal, at once.
    scene.machine.put("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n", 0o644);
    let mut more = scene.central("by-command", &format!("{{ command = [\"/bin/cat\", \"{SECRETS}/campus\"] }}"));
    for name in 0..NAMES {
        let host = name % HOSTS;
        let _ = write!(
            more,
            "[profiles.away{name}]\nkind = \"central\"\nclient_id = \"away\"\nclient_secret = {{ file = \
             \"{SECRETS}/campus\" }}\ntoken_endpoint = \"https://away{host}.example.net/as/token.oauth2\"\n"
        );
    }
    scene.configure(&more);
    scene.start();
    let daemon = Daemon::of(scene);
    let weather = through(
        scene,
        checks,
        || scene.machine.deaf_resolver(),
        |checks| {
            checks.ends("a reload is answered", &scene.ctl(&["reload"]), 0);
            checks.ends("the secret of a command is read", &scene.ctl(&["get", "by-command", "--wait", "20s"]), 0);
            let threads = Procfs::of(scene.machine.outside(daemon.pid())).threads().len();
            checks.check("a thread is not spent on each name", threads < NAMES, format!("{threads} threads"));
        },
    );
    starts(scene, checks);
    stops(scene, checks);
    drop(weather);
    is_alive(scene, checks);
}

/// A user whom the directory alone knows is looked up at a reload and at a start.
pub(crate) fn the_directory_is_deaf(scene: &Scene, checks: &mut Checks) {
    let group = scene.machine.says(&["bash", "-c", "getent group tokend-users | cut -d: -f3"]);
    // By number: nobody has to be looked up for it.
    let netops = |name: &str| -> Ran {
        let (user, groups) = (format!("--userspec=+2001:+{group}"), format!("--groups=+{group}"));
        scene.machine.run(&["timeout", "30", "chroot", &user, &groups, "/", "tokenctl", "get", name, "--wait", "10s"])
    };
    // Without `initgroups` systemd itself would wait for the directory, before each program that it starts.
    scene.machine.put(
        "/etc/nsswitch.conf",
        "passwd: files systemd\ngroup: files systemd\ninitgroups: files\nhosts: files dns\n",
        0o644,
    );
    scene.configure("[[access]]\nprofiles = [\"campus\"]\nusers = [\"netops\"]\n");
    scene.start();
    checks.ends("a user of a rule is served", &netops("campus"), 0);
    let weather = through(
        scene,
        checks,
        || {
            scene.machine.does(&["sed", "-i", "/^netops:/d", "/etc/passwd"]);
            scene.machine.deaf_directory()
        },
        |checks| {
            let ran = scene.ctl(&["reload"]);
            checks.check("a reload is answered", ran.status != 124, format!("status {}: {}", ran.status, ran.stderr));
            checks.ends("the user of the rule is served as before", &netops("campus"), 0);
        },
    );
    starts(scene, checks);
    stops(scene, checks);
    drop(weather);
    is_alive(scene, checks);
}
