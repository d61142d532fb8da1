//! memcached, with one thread: it shares one processor with the load.

use std::path::Path;
use std::process::Command;

use super::redis::KEY;
use super::{BenchError, Exchange, MEMCACHED, Peer, Process, Server};

pub(super) fn start(folder: &Path, token: &str, connections: usize) -> Result<Peer, BenchError> {
    let socket = folder.join("memcached.sock");
    let mut command = Command::new("memcached");
    command.args(["-t", "1", "-U", "0", "-c", &(connections + 100).to_string(), "-s"]).arg(&socket);
    if nix::unistd::geteuid().is_root() {
        // It refuses to run as root without -u.
        command.args(["-u", "root"]);
    }
    let server = Server::start(&mut command, &socket)?;
    let set = format!("set {KEY} 0 0 {}\r\n{token}\r\n", token.len());
    Exchange::learn(MEMCACHED, &socket, set.into_bytes(), |reply| reply.ends_with(b"\r\n"), b"STORED")?;
    let get = format!("get {KEY}\r\n").into_bytes();
    let exchange = Exchange::learn(MEMCACHED, &socket, get, |reply| reply.ends_with(b"END\r\n"), token.as_bytes())?;
    Ok(Peer { name: MEMCACHED, socket, exchange, process: Process::Server(server) })
}
