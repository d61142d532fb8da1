//! Nobody reads stderr.

use std::io::Read;
use std::process::{Command, Stdio};

use harness::{World, timed, until};

use super::scene::{configure, full_pipe, lives_and_ends, start, tokend};

#[test]
fn a_full_pipe_as_stderr_costs_nothing_but_lines_of_the_log() {
    for (seed, format) in [(3_101, "text"), (3_102, "json")] {
        let world = World::new(seed);
        configure(&world);
        let stderr = world.path("stderr");
        let _pipe = full_pipe(&stderr);
        let daemon = start(&world, tokend(&stderr).args(["--log", "trace", "--log-format", format]));
        lives_and_ends(&world, daemon);
    }
}

#[test]
fn what_was_logged_meanwhile_is_there_once_somebody_reads() {
    let world = World::new(3_103);
    configure(&world);
    let stderr = world.path("stderr");
    let mut pipe = full_pipe(&stderr);
    let daemon = start(&world, &mut tokend(&stderr));
    let _ = world.ctl().token("campus");
    let mut text = Vec::new();
    until("what was logged meanwhile is read", || {
        let mut buffer = [0; 65_536];
        while let Ok(count) = pipe.read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        let text = String::from_utf8_lossy(&text);
        (text.contains("tokend is ready") && text.contains(": get campus: served ")).then_some(())
    });
    assert!(daemon.terminate().success());
}

/// Its end, with nobody who reads what it says.
fn ends(command: &mut Command) -> Option<i32> {
    let command = command.stdout(Stdio::null()).stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let (ended, took) = timed(|| until("it ends", || child.try_wait().unwrap()));
    println!("it ended within {took:?} with {ended}");
    ended.code()
}

#[test]
fn a_start_that_fails_ends_though_nobody_reads_why() {
    let world = World::new(3_104);
    configure(&world);
    let stderr = world.path("stderr");
    let _pipe = full_pipe(&stderr);
    let config = world.config();
    let config = config.to_str().unwrap();
    assert_eq!(ends(tokend(&stderr).args(["--config", "/nonexistent/tokend.toml"])), Some(1));
    assert_eq!(ends(tokend(&stderr).args(["--config", config, "--log", "=,="])), Some(1));
    assert_eq!(ends(tokend(&stderr).args(["--config", config, "check"])), Some(0));
    assert_eq!(ends(tokend(&stderr).args(["--config", "/nonexistent/tokend.toml", "check"])), Some(1));
    assert_eq!(ends(tokend(&stderr).args(["--nonsense"])), Some(2));
    let _daemon = world.start();
    assert_eq!(ends(tokend(&stderr).args(["--config", config])), Some(1), "the state folder is taken");
}
