//! A daemon's replies, decoded, and as the client takes them: the input is all that the daemon sends.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokend::core::provider::Answer;
use tokend::provider::{Parsed, RawResponse, RequestKind, Text, interpret};
use tokend_client::{Client, Error, ProtocolError, TokenOptions};
use tokend_proto::codec::{DecodeError, decode_reply, encode_reply};
use tokend_proto::limits::MAX_FRAME;
use tokend_proto::{
    ErrorCode, ErrorReply, Flags, HEADER_LEN, Header, LENGTH_PREFIX, Reply, Token, VERSION, frame_length,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;

/// What follows the input is about the connection as a whole, and has this code.
const THE_END: ErrorCode = ErrorCode::Other(60_000);

/// How long a reply may take. Far longer than any does, on a machine that is busy with other things as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// The id of what is about the connection as a whole.
const WHOLE_CONNECTION: u64 = 0;

/// What is decoded encodes to a frame that says the same and is no longer. The client takes the first reply to its
/// request and nothing else, gives out no token that is not in it or fits into no header and refuses none that the
/// daemon would have from a provider, follows pages only forwards, and says that the daemon broke the protocol exactly
/// when it did; it never waits for what cannot come.
///
/// # Panics
/// When that does not hold.
pub fn replies(stream: &[u8]) {
    let frames = Frame::all_of(stream);
    for frame in &frames {
        decoded(&frame.bytes[LENGTH_PREFIX..]);
    }
    PEER.with(|peer| match stream.len() % 4 {
        0 | 1 => peer.ask_for_a_token(&frames),
        2 => peer.ask_for_tenants(&frames),
        _ => peer.ask_for_a_reload(&frames),
    });
}

fn decoded(frame: &[u8]) {
    let Ok((header, value)) = Header::split(frame) else { return };
    let reply = match decode_reply(value) {
        Ok(reply) => reply,
        Err(DecodeError::TrailingBytes(more)) => {
            return assert!(decode_reply(&value[..value.len() - more]).is_ok(), "{more} bytes too many");
        }
        Err(DecodeError::Malformed) => return,
        Err(error @ DecodeError::UnknownRequest(_)) => panic!("{error} in a reply"),
    };
    let encoded = encode_reply(header.request_id, header.flags, &reply).expect("what came in one frame fits into one");
    let (again, canonical) = Header::split(&encoded[LENGTH_PREFIX..]).expect("a frame has a header");
    assert_eq!(again, Header { version: VERSION, ..header });
    assert_eq!(decode_reply(canonical).as_ref(), Ok(&reply));
    assert!(canonical.len() <= value.len(), "{} bytes became {}", value.len(), canonical.len());
    for end in 0..canonical.len().min(64) {
        assert!(decode_reply(&canonical[..end]).is_err(), "cut at {end} it is still a reply");
    }
    if let Reply::Token(token) = reply {
        assert!(format!("{token:?}").contains("access_token: Secret(…)"));
    }
}

/// A frame as it is sent. Its id says whom it is for: the input's own ids would hardly ever be those of a request.
struct Frame {
    bytes: Vec<u8>,
    to: To,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    TheConnection,
    /// Under the id of the request that is open, whatever that is.
    TheRequest,
    Nobody,
    /// Its length is that of no frame: nothing after it can be read.
    Unreadable,
}

impl Frame {
    /// The whole frames of a stream, up to and including the first that has no right length.
    fn all_of(mut stream: &[u8]) -> Vec<Self> {
        let mut frames = Vec::new();
        while let Some(prefix) = stream.first_chunk::<LENGTH_PREFIX>() {
            let Ok(length) = frame_length(*prefix) else {
                // A frame that is too short is read to its end before that is seen.
                let bytes = [prefix, &[0; HEADER_LEN][..]].concat();
                frames.push(Self { bytes, to: To::Unreadable });
                break;
            };
            let Some(bytes) = stream.get(..LENGTH_PREFIX + length) else { break };
            let (header, _) = Header::split(&bytes[LENGTH_PREFIX..]).expect("it is at least as long as a header");
            let to = match header.request_id % 8 {
                0 => To::TheConnection,
                1 => To::Nobody,
                _ => To::TheRequest,
            };
            frames.push(Self { bytes: bytes.to_vec(), to });
            stream = &stream[LENGTH_PREFIX + length..];
        }
        frames
    }

    /// With the id that its receiver goes by.
    fn addressed(&self, request_id: u64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let id = match self.to {
            To::Unreadable => return bytes,
            To::TheConnection => WHOLE_CONNECTION,
            To::TheRequest => request_id,
            To::Nobody => request_id + 1_000_000,
        };
        bytes[LENGTH_PREFIX + 1..LENGTH_PREFIX + 9].copy_from_slice(&id.to_be_bytes());
        bytes
    }

    fn version_flags_and_reply(&self) -> (u8, Flags, Result<Reply, DecodeError>) {
        let (header, value) = Header::split(&self.bytes[LENGTH_PREFIX..]).expect("a frame has a header");
        (header.version, header.flags, decode_reply(value))
    }
}

/// What a client has to make of the frames that it gets before its request is settled.
enum Outcome {
    Reply(u8, Flags, Reply),
    /// About the connection as a whole.
    Refused(ErrorCode),
    OtherVersion,
    Broken,
}

/// The first frame decides.
fn outcome(frames: &[Frame]) -> Outcome {
    let Some(frame) = frames.first() else { return Outcome::Refused(THE_END) };
    if frame.to == To::Unreadable {
        return Outcome::Broken;
    }
    let (version, flags, reply) = frame.version_flags_and_reply();
    match (frame.to, reply) {
        (To::TheRequest, Err(_)) if version != VERSION => Outcome::OtherVersion,
        (_, Err(_)) => Outcome::Broken,
        (To::TheConnection, Ok(Reply::Error(error))) => Outcome::Refused(error.code),
        (To::TheConnection, Ok(Reply::Unsupported(_))) => Outcome::OtherVersion,
        (To::TheRequest, Ok(reply)) => Outcome::Reply(version, flags, reply),
        (To::TheConnection | To::Nobody | To::Unreadable, Ok(_)) => Outcome::Broken,
    }
}

thread_local! {
    static PEER: Peer = Peer::new();
}

/// The other end of the client's socket.
struct Peer {
    runtime: Runtime,
    listener: UnixListener,
    path: PathBuf,
    _folder: TempDir,
}

impl Peer {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = {
            let _entered = runtime.enter();
            UnixListener::bind(&path).expect("a folder of our own")
        };
        Self { runtime, listener, path, _folder: folder }
    }

    fn ask_for_a_token(&self, frames: &[Frame]) {
        let options = TokenOptions { min_ttl: Duration::ZERO, wait: Some(PATIENCE) };
        let result = self.serve(frames, async |client| client.token_with("campus", options).await);
        match (outcome(frames), result) {
            (Outcome::Reply(VERSION, flags, Reply::Token(token)), Ok(given)) => {
                assert_eq!(given.secret(), token.access_token.expose());
                assert_eq!((given.token_type(), given.fingerprint()), (token.token_type.as_str(), token.fingerprint));
                assert_eq!((given.issued_at(), given.expires_at()), (token.issued_at, token.expires_at));
                assert_eq!(given.refresh_at(), token.refresh_at);
                assert_eq!(given.falls_short(), flags.contains(Flags::FALLS_SHORT));
                assert_eq!(given.renewing(), flags.contains(Flags::RENEWING));
                let line = format!("{} {}", given.token_type(), given.secret());
                assert!(line.bytes().all(|byte| (0x21..=0x7e).contains(&byte) || byte == b' '), "{line:?}");
                assert_eq!(line.matches(' ').count(), 1, "{line:?}");
                let _far = given.remaining(u64::MAX);
            }
            (Outcome::Reply(VERSION, _, Reply::Token(token)), Err(error)) => {
                assert!(matches!(&error, Error::Protocol(why) if **why == ProtocolError::TokenCharacters), "{error:?}");
                assert!(!is_passed_on(&token), "the client takes no token of type {:?}", token.token_type);
            }
            (expected, result) => refused(expected, result.map(|token| format!("{token:?}"))),
        }
    }

    fn ask_for_a_reload(&self, frames: &[Frame]) {
        let result = self.serve(frames, async |client| client.reload().await);
        match (outcome(frames), result) {
            (Outcome::Reply(VERSION, _, Reply::Reloaded(expected)), Ok(reloaded)) => assert_eq!(reloaded, expected),
            (expected, result) => refused(expected, result.map(|reloaded| format!("{reloaded:?}"))),
        }
    }

    fn ask_for_tenants(&self, frames: &[Frame]) {
        match self.serve(frames, async |client| client.tenants("campus").await) {
            Ok(tenants) => {
                assert!(tenants.is_sorted_by(|one, next| one.id < next.id), "{tenants:?}");
                let pages = frames.iter().filter_map(|frame| match frame.version_flags_and_reply().2 {
                    Ok(Reply::Tenants(page)) => Some(page.tenants),
                    _ => None,
                });
                let sent: Vec<_> = pages.flatten().take(tenants.len()).collect();
                assert_eq!(tenants, sent);
            }
            Err(error) => assert!(!matches!(error, Error::Timeout(_) | Error::Connect(_)), "{error:?}"),
        }
    }

    /// Has a new client make a call, and answers each request that it sends with the next frames: all up to the first
    /// that settles it.
    fn serve<T>(&self, frames: &[Frame], call: impl AsyncFnOnce(Client) -> Result<T, Error>) -> Result<T, Error> {
        let client = Client::builder().socket(&self.path).wait(Duration::ZERO).build();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                result = call(client) => result,
                never = self.answer(frames.iter().collect()) => match never {},
            }
        })
    }

    async fn answer(&self, mut frames: VecDeque<&Frame>) -> std::convert::Infallible {
        let (mut stream, _) = self.listener.accept().await.expect("a client comes");
        while let Some(request_id) = request(&mut stream).await {
            let mut bytes = Vec::new();
            let mut settled = false;
            while !settled && let Some(frame) = frames.pop_front() {
                bytes.extend(frame.addressed(request_id));
                settled = frame.to == To::TheRequest;
            }
            if !settled {
                let message = "the input is at its end".to_owned();
                let end = Reply::Error(ErrorReply { code: THE_END, message, retry_after: None });
                bytes.extend(encode_reply(WHOLE_CONNECTION, Flags::NONE, &end).expect("it fits"));
            }
            in_pieces(&mut stream, &bytes).await;
        }
        // The client has closed the connection and is about to say why.
        std::future::pending().await
    }
}

/// The id of the client's next request; `None` when it has closed the connection.
async fn request(stream: &mut UnixStream) -> Option<u64> {
    let length = stream.read_u32().await.ok()?;
    let mut frame = vec![0; usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME)?];
    stream.read_exact(&mut frame).await.ok()?;
    Header::split(&frame).ok().map(|(header, _)| header.request_id)
}

/// Writes whose size depends on what there is to write; the client gets a turn after each.
async fn in_pieces(stream: &mut UnixStream, bytes: &[u8]) {
    const SIZES: [usize; 5] = [MAX_FRAME, 1, 3, 14, 61];
    let size = if bytes.len() > 600 { MAX_FRAME } else { SIZES[bytes.len() % SIZES.len()] };
    for piece in bytes.chunks(size) {
        if stream.write_all(piece).await.is_err() {
            // The client has seen enough.
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Every other outcome than what was asked for.
fn refused(expected: Outcome, result: Result<String, Error>) {
    let error = result.expect_err("there was no such reply");
    let fits = match &expected {
        Outcome::Reply(_, _, Reply::Error(reply)) => error.code() == Some(reply.code),
        Outcome::Reply(_, _, Reply::Unsupported(reply)) => {
            matches!(&error, Error::Unsupported(why) if why.versions == reply.versions)
        }
        Outcome::Reply(VERSION, ..) => {
            matches!(&error, Error::Protocol(why) if matches!(**why, ProtocolError::WrongReply(_)))
        }
        Outcome::Reply(..) | Outcome::OtherVersion => matches!(error, Error::Unsupported(_)),
        Outcome::Refused(code) => error.code() == Some(*code),
        Outcome::Broken => matches!(error, Error::Protocol(_)),
    };
    assert!(fits, "{error:?}");
}

/// Whether the daemon would take such a token from a provider.
fn is_passed_on(token: &Token) -> bool {
    let body = serde_json::json!({"access_token": token.access_token.expose(), "token_type": token.token_type});
    let body = body.to_string();
    let came = RawResponse::Response { status: 200, headers: &[], body: Text::Whole(body.as_bytes()) };
    matches!(interpret(RequestKind::ClientCredentials, 0, came), Parsed::Answer(Answer::Token(_)))
}
