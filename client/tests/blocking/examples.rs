//! The programs of the folder `examples`, run as their first lines say.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, Fingerprint, Health, HealthReport, Reply, Request, Secret};

use crate::peer::{Peer, lives_for, token};

/// What the example prints.
fn run(example: &str, arguments: &[&str], peer: &Peer) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["run", "--quiet", "--locked", "--features", "reqwest-middleware", "--example", example, "--"])
        .args(arguments)
        .env("TOKEND_SOCKET", peer.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn printed(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn line(name: &str) -> String {
    format!("{name}: Bearer {}\n", Fingerprint::of(&Secret::from(name)))
}

/// Each name's token is the name itself.
fn gives_out_names(peer: &mut Peer, count: usize) {
    let mut connection = peer.accept();
    for _ in 0..count {
        let asked = connection.next();
        let Request::Get { name, .. } = asked.request() else { panic!("{:?}", asked.request()) };
        connection.reply(asked.id, &token(name));
    }
}

#[test]
fn the_blocking_client() {
    let mut peer = Peer::new();
    let command = run("blocking_client", &["a", "b"], &peer);
    let (output, ()) = peer.play(|peer| gives_out_names(peer, 2), || printed(command));
    assert_eq!(output, line("a") + &line("b"));
}

#[test]
fn the_async_client() {
    let mut peer = Peer::new();
    let command = run("async_client", &["a", "b"], &peer);
    let (output, ()) = peer.play(|peer| gives_out_names(peer, 2), || printed(command));
    assert!(output == line("a") + &line("b") || output == line("b") + &line("a"), "{output}");
}

/// A token may be kept so long.
const LIFE: Duration = Duration::from_secs(1_800);

#[test]
fn a_token_that_is_kept_in_process() {
    let mut peer = Peer::new();
    let command = run("cached", &["campus"], &peer);
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        assert_eq!(asked.name(), "campus");
        connection.reply(asked.id, &lives_for("campus", LIFE));
        let watched = connection.next();
        assert_eq!(watched.request(), Request::Watch { name: "campus" });
        connection.reply(watched.id, &lives_for("campus", LIFE));
        // Nothing more is asked.
        connection.closed();
    };
    let (output, ()) = peer.play(script, || printed(command));
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some(line("campus").trim_end()));
    assert!(lines.next().unwrap().ends_with("for each of 1000000 reads"), "{output}");
}

#[test]
fn a_watch() {
    let mut peer = Peer::new();
    let mut command = run("watch", &["campus"], &peer);
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        assert_eq!(asked.request(), Request::Watch { name: "campus" });
        let health = HealthReport { name: "campus".into(), health: Health::Good, last_error: None, action: None };
        let over = ErrorReply { code: ErrorCode::Denied, message: "no more".into(), retry_after: None };
        for news in [lives_for("campus", LIFE), Reply::Health(health), Reply::Error(over)] {
            connection.reply(asked.id, &news);
        }
        connection.closed();
    };
    let (output, ()) = peer.play(script, || command.output().unwrap());
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(stdout, line("campus") + "campus: Good\n", "{stderr}");
    assert!(!output.status.success() && stderr.contains("no more"), "{stderr}");
}

#[test]
fn the_middleware() {
    let mut peer = Peer::new();
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", api.local_addr().unwrap());
    let mut command = run("middleware", &["campus", &url], &peer);
    command.env_remove("http_proxy").env_remove("HTTP_PROXY").env_remove("all_proxy").env_remove("ALL_PROXY");
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        connection.answer(&token("old"));
        assert_eq!(answered(api.accept().unwrap().0, "401 Unauthorized"), "Bearer old");
        connection.answer(&token("new"));
        assert_eq!(answered(api.accept().unwrap().0, "200 OK"), "Bearer new");
    };
    assert_eq!(peer.play(script, || printed(command)).0, "200 OK\n");
}

/// Answers a request, and says what its `Authorization` header was.
fn answered(stream: TcpStream, status: &str) -> String {
    let mut stream = BufReader::new(stream);
    let (mut line, mut authorization) = (String::new(), String::new());
    while stream.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.trim_end().strip_prefix("authorization: ") {
            authorization = value.to_owned();
        }
        line.clear();
    }
    let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.get_mut().write_all(reply.as_bytes()).unwrap();
    authorization
}
