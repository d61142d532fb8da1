//! `systemctl reload`.

use crate::checks::Checks;
use crate::scene::Scene;

/// A good configuration is applied whole, a bad one not at all and with its reason.
pub(crate) fn good_and_bad(scene: &mut Scene, checks: &mut Checks) {
    scene.enable();
    let (pid, token) = (scene.main_pid(), scene.token("campus"));
    let (campus, office) = (scene.central("campus"), scene.central("office"));
    scene.configure("", &[campus.clone(), office.clone()]);
    checks.ends("a name that was just written is not known yet", &scene.ctl(&["get", "office"]), 5);
    checks.ends("systemctl reload with a good configuration", &scene.systemctl("reload"), 0);
    checks.ends("the name is served", &scene.ctl(&["get", "office", "--wait", "60s"]), 0);

    scene.configure("", &[campus.clone(), office.replace("central", "centrall")]);
    let ran = scene.systemctl("reload");
    checks.check("systemctl reload with a bad one fails", ran.status != 0, format!("status {}", ran.status));
    let log = scene.log();
    checks.holds(
        "the journal says what is wrong, and where",
        &log,
        &["tokend.toml:10: profiles.office.kind", "centrall"],
    );
    checks.equal("the service goes on", scene.systemctl("is-active").stdout.trim(), "active");
    checks.ends("with what it had", &scene.ctl(&["get", "office"]), 0);

    scene.configure("", &[campus]);
    checks.ends("systemctl reload without the second profile", &scene.systemctl("reload"), 0);
    checks.ends("its name is gone", &scene.ctl(&["get", "office"]), 5);
    checks.equal("by one process", scene.main_pid(), pid);
    checks.check("which kept the token of the other name", scene.token("campus") == token, "the same");
}
