//! Servers of our own, with requests and replies of tokend's size.

use std::path::Path;
use std::process::Command;

use super::super::serve::{Kind, SERVE};
use super::{BenchError, Exchange, Peer, Process, Server};

/// What such a server is made from.
pub(in super::super) struct Echo<'a> {
    /// This program.
    pub(in super::super) program: &'a Path,
    /// Where its socket goes.
    pub(in super::super) folder: &'a Path,
    /// What it is asked.
    pub(in super::super) request: &'a [u8],
    /// What it answers.
    pub(in super::super) reply: &'a [u8],
}

impl Echo<'_> {
    /// The command that serves on this socket.
    pub(in super::super) fn command(&self, kind: Kind, socket: &Path) -> Result<Command, BenchError> {
        let reply = self.folder.join(format!("{}.reply", kind.word()));
        std::fs::write(&reply, self.reply).map_err(BenchError::file(&reply))?;
        let mut command = Command::new(self.program);
        command.args([SERVE, kind.word()]).arg(socket).arg(self.request.len().to_string()).arg(reply);
        Ok(command)
    }

    /// Starts one.
    pub(in super::super) fn start(&self, kind: Kind, name: &'static str) -> Result<Peer, BenchError> {
        let socket = self.folder.join(format!("{}.sock", kind.word()));
        let server = Server::start(&mut self.command(kind, &socket)?, &socket)?;
        let length = self.reply.len();
        let exchange = match kind {
            Kind::Http => Exchange { peer: name, request: self.request.to_vec(), reply: self.reply.to_vec() },
            _ => Exchange::learn(name, &socket, self.request.to_vec(), |reply| reply.len() >= length, self.reply)?,
        };
        Ok(Peer { name, socket, exchange, process: Process::Server(server) })
    }
}
