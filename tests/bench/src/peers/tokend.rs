//! The daemon itself, in front of a provider, as users have it.

use std::os::unix::process::CommandExt;

use tokend_proto::{Fingerprint, Flags, LENGTH_PREFIX, Millis, Reply, Request, Secret, Stamp, Token, codec};

use super::{BenchError, Exchange, Peer, Process, TOKEND};
use harness::{Daemon, World};
use sandbox::Quirks;

/// The token's name.
pub(in super::super) const NAME: &str = "campus";

/// Bytes of an access token.
pub(in super::super) const TOKEN_LENGTH: usize = 1_536;

/// How long a read waits, as the command line has it.
const WAIT: Millis = Millis(10_000);

/// The provider, the configuration, and the token that there is.
pub(in super::super) struct Tokend {
    pub(in super::super) world: World,
    /// The token under [`NAME`].
    pub(in super::super) token: String,
}

/// A world whose tokens are as long as [`TOKEN_LENGTH`].
pub(in super::super) fn world() -> World {
    let world = World::new(5);
    world.provider().provider().set_quirks(Quirks { token_length: TOKEN_LENGTH, ..Quirks::default() });
    world
}

/// The limits of so many connections, and some more, in the `[server]` section.
pub(in super::super) fn limits(connections: usize) -> String {
    let most = connections + 100;
    format!("max_connections = {most}\nmax_connections_per_uid = {most}")
}

/// The socket's group in the `[server]` section: one that this machine knows, as it knows tokend's where that is
/// installed.
pub(in super::super) fn known_group() -> String {
    let group = nix::unistd::getegid();
    match nix::unistd::Group::from_gid(group) {
        Ok(Some(known)) => format!("group = {:?}", known.name),
        _ => format!("group = {:?}", group.to_string()),
    }
}

/// A daemon with the log that it has when nobody asks for another one.
pub(in super::super) fn start(world: &World) -> Daemon {
    let mut daemon = Daemon::spawn_with(&world.config(), &world.log(), |command| {
        // Ctrl-C is for us, and the daemon ends when we are done with it.
        command.args(["--log", "info"]).process_group(0)
    });
    daemon.listens(&world.socket());
    daemon
}

/// A read of [`NAME`], as a frame.
fn request() -> Vec<u8> {
    let get = Request::Get { name: NAME, min_ttl: Millis(0), wait: WAIT };
    codec::encode_request(1, &get).expect("a name fits into a frame")
}

/// A reply to such a read, as a frame.
pub(in super::super) fn token_frame(token: &str) -> Vec<u8> {
    let access_token = Secret::from(token);
    let stamp = Stamp { boot_ms: u64::from(u32::MAX), unix_ms: i64::from(u32::MAX) };
    let token = Token {
        fingerprint: Fingerprint::of(&access_token),
        access_token,
        token_type: "Bearer".to_owned(),
        issued_at: stamp,
        expires_at: stamp,
        refresh_at: stamp,
    };
    codec::encode_reply(1, Flags::NONE, &Reply::Token(token)).expect("a token fits into a frame")
}

/// Whether these bytes are a whole frame.
pub(in super::super) fn is_whole(bytes: &[u8]) -> bool {
    bytes.first_chunk::<LENGTH_PREFIX>().is_some_and(|prefix| {
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        bytes.len() - LENGTH_PREFIX >= length
    })
}

impl Tokend {
    /// Starts it and waits for its token.
    pub(super) fn start(connections: usize) -> Result<(Self, Peer), BenchError> {
        let world = world();
        world.configure(&limits(connections), &[world.central(NAME)]);
        let daemon = start(&world);
        let token = world.ctl().token(NAME);
        let socket = world.socket();
        let exchange = Exchange::learn(TOKEND, &socket, request(), is_whole, token.as_bytes())?;
        let peer = Peer { name: TOKEND, socket, exchange, process: Process::Daemon(daemon) };
        Ok((Self { world, token }, peer))
    }
}
