//! Who is measured: tokend, servers of our own, and programs of the system that hand out a value over a Unix socket.

mod echo;
mod memcached;
mod oidc_agent;
mod redis;
mod tokend;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::Pid;

use super::{BenchError, Exchange};
use harness::{Daemon, PATIENCE, Stopwatch};

pub(super) use echo::Echo;
pub(super) use oidc_agent::ACCOUNT;
pub(super) use tokend::{NAME, TOKEN_LENGTH, Tokend, is_whole, known_group, limits, start, token_frame, world};

/// tokend's name in tables.
pub(super) const TOKEND: &str = "tokend";
/// The blocking ping-pong's.
pub(super) const BLOCKING: &str = "blocking";
/// The bare tokio server's.
pub(super) const TOKIO: &str = "bare tokio";
/// Redis's.
pub(super) const REDIS: &str = "Redis";
/// memcached's.
pub(super) const MEMCACHED: &str = "memcached";
/// oidc-agent's.
pub(super) const OIDC_AGENT: &str = "oidc-agent";

/// A server under load. It is ended when this is dropped.
pub(super) struct Peer {
    /// Its name in tables.
    pub(super) name: &'static str,
    /// Where it listens.
    pub(super) socket: PathBuf,
    /// How it is asked for the token.
    pub(super) exchange: Exchange,
    pub(super) process: Process,
}

/// What keeps a server running.
pub(super) enum Process {
    /// tokend, with the provider behind it.
    Daemon(Daemon),
    /// Any other.
    Server(Server),
}

impl Peer {
    /// Its process.
    #[must_use]
    pub(super) fn pid(&self) -> Pid {
        match &self.process {
            Process::Daemon(daemon) => daemon.pid(),
            Process::Server(server) => server.pid(),
        }
    }
}

/// What is to be compared, and what is not there.
pub(super) struct Peers {
    /// In the order of tables: tokend first. They end before the folder goes that they work in.
    pub(super) all: Vec<Peer>,
    /// tokend's surroundings and its token.
    pub(super) tokend: Tokend,
    /// Who is missing, and why, in words.
    pub(super) missing: Vec<(&'static str, String)>,
}

impl Peers {
    /// Starts all that are there. `program` is this very program, which serves when its arguments say so; `connections`
    /// are the most that anybody will open.
    ///
    /// # Errors
    /// When tokend or a server of our own does not start, or a program that is there does not do what it should.
    pub(super) fn start(program: &Path, connections: usize) -> Result<Self, BenchError> {
        let (tokend, first) = Tokend::start(connections)?;
        let folder = tokend.world.folder().to_owned();
        let echo = Echo { program, folder: &folder, request: &first.exchange.request, reply: &first.exchange.reply };
        let mut all =
            vec![echo.start(super::serve::Kind::Blocking, BLOCKING)?, echo.start(super::serve::Kind::Tokio, TOKIO)?];
        all.insert(0, first);
        let mut peers = Self { all, tokend, missing: Vec::new() };
        let token = peers.tokend.token.clone();
        peers.add(REDIS, redis::start(&folder, &token, connections))?;
        peers.add(MEMCACHED, memcached::start(&folder, &token, connections))?;
        peers.add(OIDC_AGENT, oidc_agent::start(&folder, &token))?;
        Ok(peers)
    }

    fn add(&mut self, name: &'static str, started: Result<Peer, BenchError>) -> Result<(), BenchError> {
        match started {
            Ok(peer) => self.all.push(peer),
            Err(BenchError::Program { problem, .. }) => self.missing.push((name, problem)),
            Err(other) => return Err(other),
        }
        Ok(())
    }

    /// Those of these names that are there, in the same order.
    #[must_use]
    pub(super) fn named(&self, names: &[&str]) -> Vec<&Peer> {
        names.iter().filter_map(|name| self.all.iter().find(|peer| peer.name == *name)).collect()
    }
}

/// A child of ours that listens. It is killed when this is dropped.
pub(super) struct Server(Child);

impl Server {
    /// Starts it and waits until it takes connections. What it says goes to a file beside its socket.
    pub(super) fn start(command: &mut Command, socket: &Path) -> Result<Self, BenchError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let log = socket.with_extension("log");
        let said = File::create(&log).map_err(BenchError::file(&log))?;
        let also = said.try_clone().map_err(BenchError::file(&log))?;
        // Ctrl-C is for us, and the servers end when we are done with them.
        let child = command.stdin(Stdio::null()).stdout(said).stderr(also).process_group(0).spawn();
        let mut server = Self(child.map_err(|error| BenchError::program(&program, error))?);
        let watch = Stopwatch::start();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            let ended = server.0.try_wait().map_err(BenchError::system("waiting for a server"))?;
            if ended.is_some() || watch.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(BenchError::program(&program, format!("it does not listen: {}", said.trim())));
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Ok(server)
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a process id"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill and only its status to be taken.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
