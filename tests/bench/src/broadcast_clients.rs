//! Servers that tell very many connections of something new: how each of them comes to know it, and what it says.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokend_proto::{LENGTH_PREFIX, Request, codec};

use super::exchange::connect;
use super::generator::Slice;
use super::peers::{self, NAME, Peer, Process, Server, TOKEN_LENGTH, TOKEND};
use super::serve::{Kind, SERVE};
use super::waiters::{Manner, Waiters};
use super::{BenchError, Exchange, broadcast_servers};
use harness::{PATIENCE, ProfileText, Stopwatch, World};

/// A token's life here, in seconds: the shortest that tokend takes, so that there is soon another one.
pub(super) const LIFE: u64 = 2;

/// One server, and all that wait for its news.
pub(super) struct Told<'a> {
    pub(super) peer: &'a Peer,
    waiters: Waiters,
    source: Source,
}

/// Where the news comes from.
enum Source {
    /// The daemon asks for a token; it is we who answer.
    Provider(TcpListener),
    /// We publish it, and are told when that is done.
    Redis(UnixStream),
    /// We give the word, and it is the same news each time.
    Word(UnixStream),
}

/// A token for this round: as long as all others, and another one.
pub(super) fn token(round: u64) -> String {
    format!("{round:x>TOKEN_LENGTH$}")
}

/// For the daemon.
pub(super) fn world() -> World {
    peers::world()
}

/// The daemon, and its provider, which is the calling thread.
pub(super) fn tokend(world: &World, watchers: usize) -> Result<(Peer, TcpListener), BenchError> {
    let failed = BenchError::system("listening");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(&failed)?;
    listener.set_nonblocking(true).map_err(&failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(&failed)?);
    let profile = ProfileText(world.central(NAME).0.replace(world.base_url(), &url));
    world.configure(&peers::limits(watchers), &[profile]);
    let daemon = peers::start(world);
    let first = asked(&listener).and_then(|mut asked| asked.write_all(&answer(&token(0))));
    first.map_err(BenchError::connection(TOKEND))?;
    let request = codec::encode_request(1, &Request::Watch { name: NAME }).expect("a name fits into a frame");
    let exchange = Exchange { peer: TOKEND, request, reply: Vec::new() };
    Ok((Peer { name: TOKEND, socket: world.socket(), exchange, process: Process::Daemon(daemon) }, listener))
}

/// A server of our own that tells the bytes of a frame with a token in it.
pub(super) fn own(program: &Path, world: &World, kind: Kind, name: &'static str) -> Result<Peer, BenchError> {
    let path = |end: &str| world.path(&format!("{}.{end}", kind.word()));
    let reply = peers::token_frame(&token(0));
    std::fs::write(path("news"), &reply).map_err(BenchError::file(path("news")))?;
    let mut command = Command::new(program);
    command.args([SERVE, kind.word()]).arg(path("sock")).arg("1").arg(path("news"));
    let server = Server::start(&mut command, &path("sock"))?;
    let exchange = Exchange { peer: name, request: vec![broadcast_servers::LISTEN], reply };
    Ok(Peer { name, socket: path("sock"), exchange, process: Process::Server(server) })
}

impl<'a> Told<'a> {
    /// By the daemon whose provider we are.
    pub(super) fn by_tokend(peer: &'a Peer, provider: TcpListener, watchers: usize) -> Result<Self, BenchError> {
        let message = |bytes: &[u8]| {
            let length = u32::from_be_bytes(*bytes.first_chunk::<LENGTH_PREFIX>()?) as usize + LENGTH_PREFIX;
            // Anything shorter says how the name is doing.
            (bytes.len() >= length).then_some((length, length > TOKEN_LENGTH))
        };
        Self::new(peer, peer.exchange.request.clone(), message, watchers, || Ok(Source::Provider(provider)))
    }

    /// By one of [`own`].
    pub(super) fn by_own(peer: &'a Peer, watchers: usize) -> Result<Self, BenchError> {
        let length = peer.exchange.reply.len();
        let message = move |bytes: &[u8]| match *bytes.first()? {
            broadcast_servers::LISTENING => Some((1, false)),
            _ => (bytes.len() >= length).then_some((length, true)),
        };
        // The blocking one accepts nobody after this one.
        let word = || connect(peer.name, &peer.socket).map(Source::Word);
        Self::new(peer, vec![broadcast_servers::LISTEN], message, watchers, word)
    }

    /// By Redis, to subscribers.
    pub(super) fn by_redis(peer: &'a Peer, watchers: usize) -> Result<Self, BenchError> {
        let subscribe = format!("*2\r\n$9\r\nSUBSCRIBE\r\n${}\r\n{NAME}\r\n", NAME.len());
        let greeting = format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n{NAME}\r\n:1\r\n", NAME.len());
        let length = format!("*3\r\n$7\r\nmessage\r\n${}\r\n{NAME}\r\n{}", NAME.len(), bulk(&token(0))).len();
        let message = move |bytes: &[u8]| {
            let (length, is_news) = match greeting.as_bytes().starts_with(&bytes[..bytes.len().min(6)]) {
                true => (greeting.len(), false),
                false => (length, true),
            };
            (bytes.len() >= length).then_some((length, is_news))
        };
        let publisher = || connect(peer.name, &peer.socket).map(Source::Redis);
        Self::new(peer, subscribe.into_bytes(), message, watchers, publisher)
    }

    fn new(
        peer: &'a Peer,
        request: Vec<u8>,
        message: impl Fn(&[u8]) -> Option<(usize, bool)> + 'static,
        watchers: usize,
        source: impl FnOnce() -> Result<Source, BenchError>,
    ) -> Result<Self, BenchError> {
        let manner = Manner { peer: peer.name, request, message: Box::new(message) };
        let waiters = Waiters::open(manner, &peer.socket, watchers)?;
        Ok(Self { peer, waiters, source: source()? })
    }

    /// Has them told of this token, or of what they are always told.
    pub(super) fn tell(&mut self, new: &str) -> Result<Slice, BenchError> {
        let failed = BenchError::connection(self.peer.name);
        match &mut self.source {
            Source::Provider(listener) => {
                let mut asked = asked(listener).map_err(&failed)?;
                let answer = answer(new);
                let watch = Stopwatch::start();
                asked.write_all(&answer).map_err(&failed)?;
                self.waiters.hear(watch, new.as_bytes())
            }
            Source::Redis(publisher) => {
                let publish = format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{NAME}\r\n{}", NAME.len(), bulk(new));
                let watch = Stopwatch::start();
                publisher.write_all(publish.as_bytes()).map_err(&failed)?;
                let slice = self.waiters.hear(watch, new.as_bytes())?;
                let receipt = format!(":{}\r\n", slice.answered);
                publisher.read_exact(&mut vec![0; receipt.len()]).map_err(&failed)?;
                Ok(slice)
            }
            Source::Word(stream) => {
                let watch = Stopwatch::start();
                stream.write_all(&[broadcast_servers::TELL]).map_err(&failed)?;
                self.waiters.hear(watch, token(0).as_bytes())
            }
        }
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// The daemon's next request for a token, whole, and unanswered.
fn asked(listener: &TcpListener) -> io::Result<TcpStream> {
    let watch = Stopwatch::start();
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock || watch.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(stream);
            }
        }
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => request.extend_from_slice(&piece[..length]),
        }
    }
}

fn answer(token: &str) -> Vec<u8> {
    let body = format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{LIFE}}}");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
