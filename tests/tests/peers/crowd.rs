//! One user takes all that it can get while a provider is down: the others do not notice.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;

use tokend_proto::{ErrorCode, Millis, Reply, Request, codec};
use tokend_tests::harness::{Running, World};

use crate::raw::{Raw, Said};
use crate::stranger::{STRANGER, Stranger};

/// Connections of the user that takes all that it can get, each full of questions.
const CONNECTIONS: usize = 200;
const QUESTIONS: usize = 256;

const SOCKET: &str = "FLOODED_SOCKET";

/// Fills its connections with questions that wait, and says so when it is refused more of them.
#[test]
#[ignore = "a part of the other test, which runs it as another user"]
fn floods_and_waits() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let wait = Millis(600_000);
    let question = codec::encode_request(1, &Request::Get { name: "campus", min_ttl: Millis(0), wait }).unwrap();
    let mut held: VecDeque<Raw> = VecDeque::new();
    for _ in 0..CONNECTIONS {
        let mut raw = Raw::over(UnixStream::connect(&socket).unwrap());
        raw.write(&question.repeat(QUESTIONS)).unwrap();
        // Requests of a connection are taken in their order: the ones before this are open, or were refused.
        raw.write(&codec::encode_request(2, &Request::Ping).unwrap()).unwrap();
        held.push_back(raw);
    }
    let mut refused = 0;
    for raw in &mut held {
        loop {
            match raw.read() {
                Said::Reply(1, Reply::Error(error)) => {
                    assert!(error.code == ErrorCode::Busy && error.message.contains("its share"), "{error:?}");
                    refused += 1;
                }
                Said::Reply(2, Reply::Pong { .. }) => break,
                other => panic!("{other:?}"),
            }
        }
    }
    println!("\nflooded: {refused} refused of {}", CONNECTIONS * QUESTIONS);
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new()).unwrap();
}

#[test]
fn a_user_that_asks_without_end_in_an_outage_locks_nobody_out() {
    let mut world = World::new(920);
    let _outage = world.provider_down();
    world.configure("", &[world.central("campus"), world.classic("legacy")]);
    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), text.replace("[server]", &format!("[server]\ngroup = \"{STRANGER}\""))).unwrap();
    let Some(_) = Stranger::of(&world) else { return };
    let daemon = world.start();
    let program = world.path("flood");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={STRANGER}"), &format!("--regid={STRANGER}"), "--clear-groups", "--"])
        .arg(&program)
        .args(["crowd::floods_and_waits", "--exact", "--ignored", "--nocapture"])
        .current_dir("/")
        .env(SOCKET, world.socket());
    let mut flood = Running::start(&mut command);
    let told = std::iter::repeat_with(|| flood.line()).find(|line| line.starts_with("flooded: ")).unwrap();
    println!("{told}");
    let refused: usize = told.split(' ').nth(1).unwrap().parse().unwrap();
    let open = CONNECTIONS * QUESTIONS - refused;
    assert!(
        (25_000..=32_256).contains(&open),
        "{open} questions are open, which is not half of what there is room for"
    );

    for arguments in [&["status"][..], &["explain", "campus"], &["whoami"]] {
        let ran = world.ctl().run(arguments);
        assert!([0, 6].contains(&ran.status) && !ran.stderr.contains("share"), "{arguments:?}: {ran:?}");
    }
    let ran = world.ctl().run(&["get", "campus", "--wait", "0s"]);
    assert!(ran.status == 6 && !ran.stderr.contains("busy") && !ran.stderr.contains("share"), "{ran:?}");
    flood.hang_up();
    assert!(daemon.terminate().success());
}
