//! Each kind of token against the sandbox over HTTP: obtained, accepted, renewed by nobody's request.

#![allow(clippy::unwrap_used, reason = "a test")]

use tokend_tests::harness::World;
use tokend_tests::sandbox::Lives;

#[test]
fn first_light() {
    let world = World::new(1);
    world.provider().provider().set_lives(Lives::default().access_tokens(6));
    world.configure(
        "",
        &[world.central("campus"), world.glp("msp", &["Acme Corp"]), world.classic_with_login("legacy")],
    );
    let daemon = world.start();
    let ctl = world.ctl();
    for name in ["campus", "msp", "msp/Acme Corp", "msp/Globex", "legacy"] {
        let token = ctl.token(name);
        assert!(!token.is_empty());
    }
    assert!(daemon.terminate().success());
}
