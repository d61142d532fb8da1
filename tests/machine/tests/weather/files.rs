//! A file system hangs.

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::checks::Checks;
use crate::scene::Scene;
use crate::story::{is_alive, starts, stops, through};

/// A folder that hangs later.
const FAR: &str = "/srv/far";

/// Some reloads at once, by signal and by a peer; the last one has to be answered.
fn reloads(scene: &Scene) -> harness::Ran {
    let script = "pid=$(systemctl show --value --property MainPID tokend.service); \
                  for i in 1 2 3; do kill -HUP $pid; sleep 0.1; done; exec timeout 45 tokenctl reload";
    scene.machine.shell(script)
}

/// Of a profile: the others are served, a reload is answered, a start succeeds.
pub(crate) fn a_secret_hangs(scene: &Scene, checks: &mut Checks) {
    let secret = format!("{FAR}/secret");
    scene.private(&secret, scene.central_secret());
    scene.configure(&scene.central("far", &format!("{{ file = \"{secret}\" }}")));
    scene.start();
    checks.ends("a name whose secret is far away is served", &scene.ctl(&["get", "far", "--wait", "20s"]), 0);
    let weather = through(
        scene,
        checks,
        || scene.machine.hang(FAR),
        |checks| checks.ends("a reload is answered", &reloads(scene), 0),
    );
    starts(scene, checks);
    stops(scene, checks);
    drop(weather);
    is_alive(scene, checks);
    checks.ends("and so is the name of the far secret", &scene.ctl(&["get", "far", "--wait", "30s"]), 0);
}

/// What it names counts as before, and a reload says that it cannot be read.
pub(crate) fn the_configuration_hangs(scene: &Scene, checks: &mut Checks) {
    scene.configure("");
    scene.start();
    let weather = through(
        scene,
        checks,
        || scene.machine.hang("/etc/tokend"),
        |checks| {
            let ran = reloads(scene);
            let answered = ran.status != 0 && ran.status != 124;
            checks.check("a reload fails in time", answered, format!("status {}: {}", ran.status, ran.stderr));
        },
    );
    drop(weather);
    is_alive(scene, checks);
}

/// It costs the profile that names it.
pub(crate) fn a_ca_file_hangs(scene: &Scene, checks: &mut Checks) {
    let CertifiedKey { cert, .. } = generate_simple_self_signed(vec!["gateway.example.net".to_owned()]).unwrap();
    let ca_file = format!("{FAR}/ca.pem");
    scene.machine.put(&ca_file, cert.pem(), 0o644);
    let secret = format!("{{ file = \"{}/campus\" }}", crate::scene::SECRETS);
    scene.configure(&format!(
        "[profiles.gateway]\nkind = \"classic\"\nclient_id = \"gateway\"\nclient_secret = {secret}\nbase_url = \
         \"https://127.0.0.1:1\"\nca_file = \"{ca_file}\"\n"
    ));
    scene.start();
    let weather = through(
        scene,
        checks,
        || scene.machine.hang(FAR),
        |checks| checks.ends("a reload is answered", &reloads(scene), 0),
    );
    starts(scene, checks);
    stops(scene, checks);
    drop(weather);
    is_alive(scene, checks);
}
