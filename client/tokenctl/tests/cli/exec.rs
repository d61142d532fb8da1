//! `exec`: a command in tokenctl's place.

use std::os::unix::fs::PermissionsExt;

use tokend_proto::{ErrorCode, Flags, Request};

use crate::harness::Test;
use crate::peer::{Answer, error, token};

/// Each name's token is its own name, so that a mix-up shows.
fn exec(words: &str) -> Test {
    Test::new(words).peer(|request| match request {
        Request::Get { name, .. } => token(&name.replace(['/', '='], "-")),
        _ => panic!("{request:?}"),
    })
}

#[test]
fn the_token_is_in_the_environment_and_not_in_the_arguments() {
    exec("exec campus -- sh -c")
        .arg("echo $TOKEN $#; tr -d '\\0' </proc/$$/cmdline")
        .stdout("campus 0\nsh-cecho $TOKEN $#; tr -d '\\0' </proc/$$/cmdline")
        .run();
}

#[test]
fn several_names_have_a_variable_each_and_are_split_at_the_last_equals_sign() {
    exec("exec campus=A msp/x=y=B legacy -- sh -c").arg("echo $A $B $TOKEN").stdout("campus msp-x-y legacy\n").run();
}

#[test]
fn the_commands_status_and_its_stdin_are_its_own() {
    exec("exec campus -- sh -c").arg("cat; exit 42").stdin("through").stdout("through").status(42).run();
}

#[test]
fn a_closed_pipe_kills_the_command_as_usual() {
    // Rust programs ignore SIGPIPE; what they start must not. 128 + 13 is the shell's word for it.
    exec("exec campus -- sh -c").arg("sh -c 'kill -PIPE $$'; echo $?").stdout("141\n").run();
}

#[test]
fn failures_of_tokenctl_are_125() {
    let denied = |_: Request<'_>| error(ErrorCode::Denied, "no", None);
    Test::new("exec campus -- true").peer(denied).stderr("tokenctl: no\n").status(125).run();
    Test::new("exec campus --output json -- true")
        .peer(denied)
        .stderr("{\"error\":{\"status\":125,\"code\":\"denied\",\"message\":\"no\"}}\n")
        .status(125)
        .run();
    Test::new("exec campus -- true")
        .stderr_such(|text| assert!(text.contains("cannot connect"), "{text}"))
        .status(125)
        .run();
    Test::new("exec a b -- true")
        .stderr("tokenctl: two names for the variable TOKEN: expected NAME=VAR for each, each with its own variable\n")
        .status(125)
        .run();
    for words in ["exec campus", "exec -- true", "exec campus=1 -- true", "exec --nonsense campus -- true"] {
        Test::new(words).stderr_such(|text| assert!(text.starts_with("error:"), "{text}")).status(125).run();
    }
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_cannot_run_126() {
    exec("exec campus -- ./none")
        .stderr("tokenctl: cannot run ./none: No such file or directory (os error 2)\n")
        .status(127)
        .run();
    let test = exec("exec campus -- ./file")
        .stderr("tokenctl: cannot run ./file: Permission denied (os error 13)\n")
        .status(126);
    let file = test.dir.path().join("file");
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    test.run();
}

#[test]
fn a_token_that_falls_short_does_not_start_the_command_unless_accepted() {
    let peer = |_: Request<'_>| Answer::Reply(Flags::FALLS_SHORT, token("abc"));
    let shortly = |text: &str| assert!(text.contains("expires in"), "{text}");
    Test::new("exec campus --min-ttl 2h -- echo hi").peer(peer).stderr_such(shortly).status(125).run();
    Test::new("exec campus --min-ttl 2h --accept-short -- echo hi").peer(peer).stdout("hi\n").run();
}
