//! Secrets as systemd credentials, by the drop-ins in systemd/examples.

use std::path::Path;

use crate::checks::Checks;
use crate::scene::Scene;

fn example(scene: &Scene, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd/examples").join(format!("{name}.conf"));
    scene.drop_in("tokend.service", name, &std::fs::read_to_string(path).unwrap());
}

/// A secret that only root can read reaches the daemon, and nobody else.
pub(crate) fn plain(scene: &mut Scene, checks: &mut Checks) {
    scene.configure("", &[scene.central_with("campus", "{ credential = \"campus\" }")]);
    let secret = scene.population.central.client_secret.clone();
    scene.machine.put("/etc/credstore/campus", format!("{secret}\n"), 0o600);
    example(scene, "credential");
    served(scene, checks, &secret);
}

/// The same, encrypted on disk with the machine's key.
pub(crate) fn encrypted(scene: &mut Scene, checks: &mut Checks) {
    scene.configure("", &[scene.central_with("campus", "{ credential = \"campus\" }")]);
    let secret = scene.population.central.client_secret.clone();
    let file = "/etc/credstore.encrypted/campus";
    scene.machine.does(&["install", "-d", "-m", "0700", "/etc/credstore.encrypted"]);
    let command = ["systemd-creds", "encrypt", "--with-key=host", "--name=campus", "-", file];
    let ran = scene.machine.run_with(&command, secret.as_bytes());
    checks.ends("systemd-creds encrypt --with-key=host", &ran, 0);
    let text = scene.machine.says(&["cat", file]);
    checks.check("the file does not show the secret", !text.contains(&secret), format!("{} bytes", text.len()));
    example(scene, "encrypted-credential");
    served(scene, checks, &secret);
}

fn served(scene: &mut Scene, checks: &mut Checks, secret: &str) {
    let ran = scene.machine.run(&["systemctl", "enable", "--now", "tokend.service"]);
    checks.ends("systemctl enable --now", &ran, 0);
    checks.ends("the token is there", &scene.ctl(&["get", "campus", "--wait", "60s"]), 0);
    let pid = scene.main_pid();
    let credential = format!("/proc/{pid}/root/run/credentials/tokend.service/campus");
    let held = scene.machine.says(&["cat", &credential]);
    checks.check("the daemon holds the secret as it was written", held == secret, format!("{} bytes", held.len()));
    let mode = scene.machine.says(&["stat", "--format=%a", &credential]);
    checks.equal("with this mode", mode.as_str(), "400");
    let ran = scene.run_as("netops", &["cat", "/run/credentials/tokend.service/campus"]);
    checks.check("no peer can read it", ran.status != 0, ran.stderr.trim());
    let shown = scene.machine.says(&["systemctl", "show", "tokend.service"]);
    checks.check("systemctl show does not show it", !shown.contains(secret), format!("{} bytes", shown.len()));
}
