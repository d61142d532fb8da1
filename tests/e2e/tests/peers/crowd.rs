//! One user takes all that it can get while a provider is down: the others do not notice.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;

use harness::{Running, World};
use tokend_proto::{ErrorCode, Millis, Reply, Request, codec};

use super::raw::{Raw, Said};
use super::stranger::{STRANGER, Stranger};

/// Questions of a connection.
const QUESTIONS: usize = 256;

/// Questions of a user that is alone.
const SHARE: usize = 32_256;

const SOCKET: &str = "FLOODED_SOCKET";

/// Fills its connections with questions that wait, and says so when it is refused more of them.
#[test]
#[ignore = "a part of the other test, which runs it as another user"]
fn floods_and_waits() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let wait = Millis(600_000);
    let question = codec::encode_request(1, &Request::Get { name: "campus", min_ttl: Millis(0), wait }).unwrap();
    // Requests of a connection are taken in their order: those before this are open, or were refused.
    let ping = codec::encode_request(2, &Request::Ping).unwrap();
    let (mut held, mut open) = (Vec::new(), 0);
    let mut raw = Raw::over(UnixStream::connect(&socket).unwrap());
    let mut of_this = 0;
    loop {
        raw.write(&[question.repeat(QUESTIONS - of_this), ping.clone()].concat()).unwrap();
        let (mut refused, mut share) = (0, false);
        loop {
            match raw.read() {
                Said::Reply(1, Reply::Error(error)) => {
                    assert!(error.code == ErrorCode::Busy && error.message.contains("its share"), "{error:?}");
                    refused += 1;
                    share |= error.message.contains("unanswered requests");
                }
                Said::Reply(2, Reply::Pong { .. }) => break,
                other => panic!("{other:?}"),
            }
        }
        open += QUESTIONS - of_this - refused;
        of_this = QUESTIONS - refused;
        if share {
            break;
        }
        if refused == 0 {
            held.push(std::mem::replace(&mut raw, Raw::over(UnixStream::connect(&socket).unwrap())));
            of_this = 0;
        }
    }
    println!("\nflooded: {open} open");
    // Until the daemon ends, or the questions' time is up.
    raw.wait_for_the_end();
}

/// The name of the test above in this program, whichever that is.
fn other_part() -> String {
    let (_, module) = module_path!().split_once("::").unwrap();
    format!("{module}::floods_and_waits")
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
        .args([&other_part(), "--exact", "--ignored", "--nocapture"])
        .current_dir("/")
        .env(SOCKET, world.socket());
    let mut flood = Running::start(&mut command);
    let told = std::iter::repeat_with(|| flood.line()).find(|line| line.starts_with("flooded: ")).unwrap();
    println!("{told}");
    let open: usize = told.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(open, SHARE, "half of what is not kept for root");

    for arguments in [&["status"][..], &["explain", "campus"], &["whoami"]] {
        let ran = world.ctl().run(arguments);
        assert!([0, 6].contains(&ran.status) && !ran.stderr.contains("share"), "{arguments:?}: {ran:?}");
    }
    let ran = world.ctl().run(&["get", "campus", "--wait", "0s"]);
    assert!(ran.status == 6 && !ran.stderr.contains("busy") && !ran.stderr.contains("share"), "{ran:?}");
    flood.hang_up();
    assert!(daemon.terminate().success());
}
