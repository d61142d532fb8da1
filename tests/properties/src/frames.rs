//! A peer's bytes, as the daemon's own socket takes them: the input is all that the peer sends.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokend::access::current::Rules;
use tokend::access::policy::Access;
use tokend::audit::Audit;
use tokend::core::issued::{AccessToken, ReadMode};
use tokend::os::clock::Clock;
use tokend::socket::{self, Admitted, CORE_QUEUE, Context, Limits, Listener, SocketThread};
use tokend::token_cache::TokenCache;
use tokend_proto::codec::{DecodeError, decode_reply, decode_request, encode_reply, encode_request};
use tokend_proto::limits::MAX_FRAME;
use tokend_proto::{
    ErrorCode, Fingerprint, FrameError, Header, LENGTH_PREFIX, ProfileName, Reply, Request, Secret, TokenName, VERSION,
    frame_length,
};

/// More would only be slow, and its replies would have to be read while it is written.
const MAX_INPUT: usize = 8 * 1024;

/// How long a reply may take. Far longer than any does, on a machine that is busy with other things as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// The last request's id, after a stream that ends well.
const LAST_ID: u64 = u64::MAX;

/// A socket that is served for as long as the process lives, so that not each input has to wait for one. The folder is
/// removed when a thread of a test is done with it.
struct Daemon {
    path: PathBuf,
    _thread: SocketThread,
    _folder: TempDir,
}

thread_local! {
    static DAEMON: Daemon = Daemon::start();
}

/// Each whole frame gets one reply, of the right kind and under its id, however the stream is cut into writes; the
/// first one that can be no request gets an error that says so, and the end. What follows the last whole frame gets
/// nothing.
///
/// # Panics
/// When that does not hold.
pub fn frames(stream: &[u8]) {
    let stream = &stream[..stream.len().min(MAX_INPUT)];
    let (length, mut expected, watches, end) = read_as_the_protocol_says(stream);
    expected.retain(|id, _| !watches.contains(id));
    let mut peer = DAEMON.with(|daemon| daemon.connect());
    // A reader that has seen enough may have closed already.
    let sent = in_pieces(stream, length).try_for_each(|piece| peer.write_all(piece));
    match end {
        None => {
            sent.expect("the daemon reads on");
            peer.write_all(&encode_request(LAST_ID, &Request::Ping).expect("it fits")).expect("the daemon reads on");
            expected.entry(LAST_ID).or_default().push(Expected::Pong);
            while !expected.is_empty() {
                let (id, reply) = receive(&mut peer).expect("a reply").expect("the connection goes on");
                if !watches.contains(&id) || matches!((id, &reply), (LAST_ID, Reply::Pong { .. })) {
                    tick_off(&mut expected, id, &reply);
                }
            }
        }
        Some((last_id, code)) => {
            let mut last = None;
            while let Some((id, reply)) = receive(&mut peer).expect("a reply or the end") {
                if let Some((id, reply)) = last.replace((id, reply))
                    && !watches.contains(&id)
                {
                    tick_off(&mut expected, id, &reply);
                }
            }
            match last {
                Some((id, Reply::Error(error))) => assert_eq!((id, error.code), (last_id, code), "{error:?}"),
                other => panic!("{other:?} is the last word, not {code:?} to {last_id}"),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Pong,
    Peer,
    Unsupported,
    /// A token, or a refusal: there is one token, and a core that answers nothing.
    TokenOrError,
    Unwatched,
    Error,
}

type Open = HashMap<u64, Vec<Expected>>;

/// How many bytes are whole frames, which replies they get, under which ids replies may come as often as there is
/// something new, and the error that ends it.
fn read_as_the_protocol_says(stream: &[u8]) -> (usize, Open, HashSet<u64>, Option<(u64, ErrorCode)>) {
    let (mut expected, mut watches) = (Open::new(), HashSet::new());
    let mut at = 0;
    while let Some(prefix) = stream[at..].first_chunk::<LENGTH_PREFIX>() {
        let length = match frame_length(*prefix) {
            Ok(length) => length,
            Err(FrameError::TooLong(_)) => {
                return (stream.len(), expected, watches, Some((0, ErrorCode::FrameTooLarge)));
            }
            Err(FrameError::TooShort(_)) => return (stream.len(), expected, watches, Some((0, ErrorCode::Malformed))),
        };
        let Some(frame) = stream.get(at + LENGTH_PREFIX..at + LENGTH_PREFIX + length) else { break };
        let (header, value) = Header::split(frame).expect("it is at least as long as a header");
        let reply = match decode_request(value) {
            _ if header.version != VERSION => Expected::Unsupported,
            Err(DecodeError::UnknownRequest(_)) => Expected::Unsupported,
            Err(_) => return (stream.len(), expected, watches, Some((header.request_id, ErrorCode::Malformed))),
            Ok(Request::Ping) => Expected::Pong,
            Ok(Request::WhoAmI) => Expected::Peer,
            Ok(Request::Get { .. }) => Expected::TokenOrError,
            Ok(Request::Unwatch { .. }) => Expected::Unwatched,
            Ok(Request::Watch { .. }) => {
                watches.insert(header.request_id);
                Expected::TokenOrError
            }
            Ok(_) => Expected::Error,
        };
        expected.entry(header.request_id).or_default().push(reply);
        at += LENGTH_PREFIX + length;
    }
    (at, expected, watches, None)
}

/// The first `length` bytes, in writes whose size depends on the input.
fn in_pieces(stream: &[u8], length: usize) -> impl Iterator<Item = &[u8]> {
    const SIZES: [usize; 6] = [MAX_INPUT, 1, 3, 14, 61, 600];
    let whole = &stream[..length];
    // Of some, a byte at a time would take long and tell no more.
    let size = if length > 600 { SIZES[length % 2 * 5] } else { SIZES[length % SIZES.len()] };
    whole.chunks(size)
}

fn tick_off(expected: &mut Open, id: u64, reply: &Reply) {
    let open = expected.get_mut(&id).unwrap_or_else(|| panic!("nobody asked for {id}: {reply:?}"));
    let fitting: &[Expected] = match reply {
        Reply::Pong { .. } => &[Expected::Pong],
        Reply::Peer(_) => &[Expected::Peer],
        Reply::Unsupported(_) => &[Expected::Unsupported],
        Reply::Unwatched => &[Expected::Unwatched],
        Reply::Token(_) => &[Expected::TokenOrError],
        // Several requests may have one id: what can only be an error is taken first.
        Reply::Error(_) => &[Expected::Error, Expected::TokenOrError],
        _ => &[],
    };
    let at = fitting.iter().find_map(|fits| open.iter().position(|expected| expected == fits));
    let at = at.unwrap_or_else(|| panic!("{open:?} expected under {id}: {reply:?}"));
    open.swap_remove(at);
    if open.is_empty() {
        expected.remove(&id);
    }
}

/// The next reply, which has to be exactly as it would be encoded; `None` at the end.
fn receive(peer: &mut UnixStream) -> io::Result<Option<(u64, Reply)>> {
    let mut prefix = [0; LENGTH_PREFIX];
    match peer.read_exact(&mut prefix) {
        Ok(()) => {}
        // A connection that is closed with something unread is reset, unix(7).
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let length = frame_length(prefix).expect("the daemon keeps to its own limits");
    assert!(length <= MAX_FRAME);
    let mut frame = vec![0; length];
    peer.read_exact(&mut frame)?;
    let (header, value) = Header::split(&frame).expect("a frame has a header");
    let reply = decode_reply(value).expect("the daemon speaks its own protocol");
    let encoded = encode_reply(header.request_id, header.flags, &reply).expect("it came in one frame");
    assert!(encoded[LENGTH_PREFIX..] == frame, "{reply:?} is encoded in another way");
    Ok(Some((header.request_id, reply)))
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let clock = Arc::new(Clock::new());
        let token_cache = Arc::new(TokenCache::new());
        let campus = TokenName::from("campus".parse::<ProfileName>().expect("a name"));
        token_cache.publish(&campus, &token(clock.boot()), ReadMode::Serve, clock.now());
        let (to_core, mut questions) = socket::queue(CORE_QUEUE);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
        // A question that is dropped is answered: the daemon lost it.
        std::thread::spawn(move || runtime.block_on(async { while questions.recv().await.is_some() {} }));
        let context = Context {
            token_cache,
            clock,
            access: Arc::new(Rules::new(Access::new(Vec::new(), nix::unistd::geteuid().as_raw()))),
            notes: Arc::default(),
            audit: Arc::new(Audit::new(false).0),
            to_core,
            limits: Limits { frame_time: PATIENCE, ..Limits::of_connections(4_096, 4_096) },
        };
        let listener = Listener::bind(&path, Admitted::OwnGroup).expect("a folder of our own");
        let thread = SocketThread::spawn(listener, context).expect("a thread");
        Self { path, _thread: thread, _folder: folder }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("it is served");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        stream
    }
}

fn token(now: tokend::core::time::BootTime) -> Arc<AccessToken> {
    let access_token = Secret::from("s3cret");
    let day = Duration::from_secs(24 * 60 * 60);
    Arc::new(AccessToken {
        fingerprint: Fingerprint::of(&access_token),
        access_token,
        token_type: "Bearer".into(),
        issued: now,
        expires: now + 30 * day,
        refresh: now + 29 * day,
    })
}
