//! Every way to fail: message, status, and nothing on stdout.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use tokend_proto::{ErrorCode, Reply};

use crate::harness::{Test, finish};
use crate::peer::{Answer, Peer, error};

#[test]
fn each_refusal_of_the_daemon_has_its_status() {
    let cases = [
        (ErrorCode::Internal, 1),
        (ErrorCode::InvalidArgument, 2),
        (ErrorCode::Denied, 4),
        (ErrorCode::NoSuchName, 5),
        (ErrorCode::Unavailable, 6),
        (ErrorCode::Throttled, 6),
        (ErrorCode::AwaitingLogin, 6),
        (ErrorCode::Busy, 6),
        (ErrorCode::Rejected, 7),
        (ErrorCode::ChainLost, 7),
        (ErrorCode::ChainEmpty, 7),
    ];
    for (code, status) in cases {
        let refuse = move |_: tokend_proto::Request<'_>| error(code, "it is so", None);
        Test::new("get campus").peer(refuse).stderr("tokenctl: it is so\n").status(status).run();
        let json =
            format!("{{\"error\":{{\"status\":{status},\"code\":\"{}\",\"message\":\"it is so\"}}}}\n", code.as_str());
        Test::new("get campus --output json").peer(refuse).stderr(&json).status(status).run();
        Test::new("status campus --output json").peer(refuse).stderr(&json).status(status).run();
    }
}

#[test]
fn the_daemons_words_say_how_long_to_wait_and_json_has_it_as_a_number() {
    let peer = |_: tokend_proto::Request<'_>| error(ErrorCode::Throttled, "too fast; again in 13 s", Some(12_300));
    Test::new("reject campus --fingerprint ba7816bf8f01cfea414140de5dae2223")
        .peer(peer)
        .stderr("tokenctl: too fast; again in 13 s\n")
        .status(6)
        .run();
    Test::new("refresh campus --output json")
        .peer(peer)
        .stderr("{\"error\":{\"status\":6,\"code\":\"throttled\",\"message\":\"too fast; again in 13 s\",\"retry_after\":13}}\n")
        .status(6)
        .run();
}

#[test]
fn words_that_could_steer_the_terminal_are_spelt_out() {
    Test::new("get campus")
        .peer(|_| error(ErrorCode::Rejected, "bad\x1b[2J\nword", None))
        .stderr("tokenctl: bad\\u{1b}[2J\\nword\n")
        .status(7)
        .run();
}

#[test]
fn a_daemon_that_is_not_there_is_status_3_at_once() {
    Test::new("ping")
        .stderr("tokenctl: cannot connect to tokend at {socket}: No such file or directory (os error 2)\n")
        .status(3)
        .run();
    Test::new("--socket {dir}/other.sock ping")
        .stderr("tokenctl: cannot connect to tokend at {dir}/other.sock: No such file or directory (os error 2)\n")
        .status(3)
        .run();
}

#[test]
fn the_socket_of_the_session_is_found_without_being_named() {
    Test::new("ping")
        .env("TOKEND_SOCKET", "")
        .env("XDG_RUNTIME_DIR", "{dir}")
        .peer(|_| Reply::Pong { version: "0.1.0".into() })
        .stdout("tokend 0.1.0\n")
        .run();
}

#[test]
fn a_socket_without_a_listener_is_status_3() {
    let test = Test::new("get campus --output json");
    drop(std::os::unix::net::UnixListener::bind(test.socket()).unwrap());
    test.stderr(concat!(
        r#"{"error":{"status":3,"code":"unreachable","message":"cannot connect to tokend at {socket}: "#,
        r#"Connection refused (os error 111)"}}"#,
        "\n"
    ))
    .status(3)
    .run();
}

#[test]
fn a_daemon_that_hangs_up_on_a_refresh_is_status_3_and_is_not_asked_twice() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Test::new("refresh campus")
        .peer(move |_| {
            assert_eq!(asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0, "asked twice");
            Answer::Close
        })
        .stderr("tokenctl: the connection to tokend broke before it answered\n")
        .status(3)
        .run();
}

#[test]
fn garbage_from_the_daemon_is_status_1() {
    Test::new("ping")
        .peer(|_| Answer::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()))
        .stderr(
            "tokenctl: tokend does not follow the protocol: a frame of 1213486160 bytes is over the limit of 65536\n",
        )
        .status(1)
        .run();
}

#[test]
fn a_socket_that_may_not_be_opened_is_status_4_and_names_the_group() {
    let test = Test::new("ping");
    let peer = Peer::start(&test.socket(), std::sync::Arc::new(|_| Answer::Close));
    std::fs::set_permissions(test.socket(), std::fs::Permissions::from_mode(0o660)).unwrap();
    std::fs::set_permissions(test.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Where root runs the tests they need somebody else, who may not reach the build folder either.
    let binary = test.dir.path().join("tokenctl");
    // By another process: a child that another test forks meanwhile would inherit our descriptor, and what somebody
    // has open for writing cannot be executed (ETXTBSY, execve(2)).
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_tokenctl")).arg(&binary).status().unwrap();
    assert!(copied.success());
    let mut command = Command::new(&binary);
    command.arg("ping").env_clear().env("TOKEND_SOCKET", test.socket());
    if nix::unistd::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    } else {
        std::fs::set_permissions(test.socket(), std::fs::Permissions::from_mode(0o060)).unwrap();
    }
    let output = finish(&mut command, b"");
    drop(peer);
    let group = nix::unistd::Group::from_gid(nix::unistd::getegid()).unwrap().map_or("?".into(), |group| group.name);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("it is open to members of the group \"{group}\"")), "{stderr}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{stderr}");
}

#[test]
fn what_cannot_be_meant_is_status_2_before_anything_is_connected() {
    for words in [
        "",
        "nonsense",
        "get",
        "get -- -x",
        "get a/",
        "get campus --wait 10",
        "get campus --min-ttl 5w",
        "get campus --output yaml",
        "get campus --var A",
        "get campus --output env --var 1A",
        "reject campus",
        "reject campus --fingerprint abc",
        "reject campus --fingerprint ba7816bf8f01cfea414140de5dae2223 --token-stdin",
        "import a/b",
        "tenants a/b",
    ] {
        Test::new(words).stderr_such(|text| assert!(!text.is_empty())).status(2).run();
    }
    Test::new("get campus --wait 10 --output json")
        .stderr(concat!(
            r#"{"error":{"status":2,"code":"usage","message":"invalid value '10' for '--wait <SPAN>': "#,
            r#"expected a whole number and a unit, as in 90s, 20m, 2h or 14d"}}"#,
            "\n"
        ))
        .status(2)
        .run();
}

#[test]
fn help_and_version_are_done() {
    Test::new("--help").stdout_such(|text| assert!(text.contains("Exit status:"), "{text}")).run();
    Test::new("--version").stdout(concat!("tokenctl ", env!("CARGO_PKG_VERSION"), "\n")).run();
}

#[test]
fn a_closed_pipe_is_success() {
    let test = Test::new("get campus");
    let _peer = Peer::start(&test.socket(), std::sync::Arc::new(|_| crate::peer::token("abc").into()));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = test.command().stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_stdout_that_takes_nothing_is_status_1() {
    let test = Test::new("get campus");
    let _peer = Peer::start(&test.socket(), std::sync::Arc::new(|_| crate::peer::token("abc").into()));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = test.command().stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "tokenctl: cannot write to stdout: No space left on device (os error 28)\n");
    assert_eq!(output.status.code(), Some(1));
}
