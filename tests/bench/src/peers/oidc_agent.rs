//! oidc-agent, with an account that an issuer of ours has given a token of the same length.
//!
//! It answers one request on a connection and closes it. JSON in the clear is what it takes from a client that does not
//! begin with a key exchange; its own command line does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{BenchError, Exchange, OIDC_AGENT, Peer, Process, Server};
use harness::PATIENCE;

/// The account's name.
pub(in super::super) const ACCOUNT: &str = "campus";

/// Requests that adding an account takes at most: the configuration, and a token.
const REQUESTS: usize = 8;

pub(super) fn start(folder: &Path, token: &str) -> Result<Peer, BenchError> {
    let socket = folder.join("oidc.sock");
    let home = folder.join("oidc");
    std::fs::create_dir_all(&home).map_err(BenchError::file(&home))?;
    let mut command = Command::new("oidc-agent");
    command.args(["--console", "--no-autoload", "--socket-path"]).arg(&socket);
    command.env("OIDC_CONFIG_DIR", &home).env("HOME", &home);
    let server = Server::start(&mut command, &socket)?;
    add_account(&home, &socket, token)?;
    let request = json!({ "request": "access_token", "account": ACCOUNT, "min_valid_period": 0 }).to_string();
    let exchange = Exchange::learn(OIDC_AGENT, &socket, request.into_bytes(), |_| false, token.as_bytes())?;
    Ok(Peer { name: OIDC_AGENT, socket, exchange, process: Process::Server(server) })
}

fn add_account(home: &Path, socket: &Path, token: &str) -> Result<(), BenchError> {
    let issuer = TcpListener::bind("127.0.0.1:0").map_err(BenchError::system("listening for oidc-agent"))?;
    let url = format!("http://{}", issuer.local_addr().map_err(BenchError::system("listening for oidc-agent"))?);
    let mut command = Command::new("oidc-gen");
    command.args([
        ACCOUNT,
        "--client-id=bench",
        "--client-secret=bench",
        "--rt=bench",
        "--scope=openid offline_access",
    ]);
    command.arg(format!("--iss={url}/")).args(["--pw-env=BENCH_PASSWORD", "--confirm-default", "--prompt=none"]);
    command.env("BENCH_PASSWORD", "bench").env("OIDC_CONFIG_DIR", home).env("HOME", home).env("OIDC_SOCK", socket);
    let (of_issuer, token) = (url.clone(), token.to_owned());
    // It ends with the process, should nobody ask any more: it holds one port and nothing else.
    std::thread::spawn(move || {
        for stream in issuer.incoming().take(REQUESTS).flatten() {
            // Who asks says whether it worked.
            let _ = answer(stream, &of_issuer, &token);
        }
    });
    let output = command.output().map_err(|error| BenchError::program("oidc-gen", error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Err(BenchError::program("oidc-gen", said.trim()))
}

fn answer(mut stream: TcpStream, url: &str, token: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    let body = if first.starts_with("POST") {
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": 86_400, "refresh_token": "bench" })
    } else {
        json!({
            "issuer": format!("{url}/"),
            "token_endpoint": format!("{url}/token"),
            "authorization_endpoint": format!("{url}/authorize"),
            "scopes_supported": ["openid", "offline_access"],
            "grant_types_supported": ["refresh_token"],
            "response_types_supported": ["code"],
        })
    };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
