//! Redis, without a disk and without a network.

use std::path::Path;
use std::process::Command;

use super::{BenchError, Exchange, Peer, Process, REDIS, Server};

/// The key of the token: as long as the name at tokend, and so is the request.
pub(super) const KEY: &str = "campus";

pub(super) fn start(folder: &Path, token: &str, connections: usize) -> Result<Peer, BenchError> {
    let socket = folder.join("redis.sock");
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning"]);
    command.args(["--maxclients", &(connections + 100).to_string()]);
    command.arg("--unixsocket").arg(&socket).arg("--dir").arg(folder);
    let server = Server::start(&mut command, &socket)?;
    let set = format!("*3\r\n$3\r\nSET\r\n${}\r\n{KEY}\r\n${}\r\n{token}\r\n", KEY.len(), token.len());
    Exchange::learn(REDIS, &socket, set.into_bytes(), |reply| reply.ends_with(b"\r\n"), b"+OK")?;
    let get = format!("*2\r\n$3\r\nGET\r\n${}\r\n{KEY}\r\n", KEY.len());
    let length = format!("${}\r\n", token.len()).len() + token.len() + 2;
    let exchange = Exchange::learn(REDIS, &socket, get.into_bytes(), |reply| reply.len() >= length, token.as_bytes())?;
    Ok(Peer { name: REDIS, socket, exchange, process: Process::Server(server) })
}
