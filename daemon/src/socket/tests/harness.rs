//! A socket's thread with all that it needs, and a peer that speaks to it.

use std::cell::OnceCell;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tempfile::TempDir;
use tokend_proto::{
    ErrorCode, ErrorReply, Fingerprint, Flags, HEADER_LEN, Header, LENGTH_PREFIX, Millis, Reply, Request, Secret,
    Token, TokenName, TokenRef, codec,
};

use crate::access::current::Rules;
use crate::access::peer;
use crate::access::policy::{Access, PeerIdentity, Rule};
use crate::access::unit::{NoUnit, PeerUnit};
use crate::audit::{Audit, Records};
use crate::core::id::WaiterId;
use crate::core::input::Question;
use crate::core::issued::{AccessToken, ReadMode};
use crate::core::query::Query;
use crate::core::time::{BootTime, Now, UnixTime};
use crate::socket::{Clock, Context, Limits, Listener, Message, Messages, ReplyTo, SocketThread};
use crate::token_cache::TokenCache;

/// Longer than anything a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The daemon's own user, as far as these tests go: all peers in fact have one user, perhaps root.
pub(super) const DAEMON_UID: u32 = 990;

/// Boot time, as far ahead as a test has put it.
#[derive(Default)]
pub(super) struct TestClock {
    ahead: AtomicU64,
}

impl TestClock {
    pub(super) fn advance(&self, span: Duration) {
        self.ahead.fetch_add(span.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn boot(&self) -> BootTime {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
        BootTime(Duration::from(now).as_millis() as u64 + self.ahead.load(Ordering::Relaxed))
    }

    fn now(&self) -> Now {
        Now { boot: self.boot(), wall: UnixTime(1_700_000_000_000) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_connections(4_096, 256)
    }
}

pub(super) struct Daemon {
    pub(super) token_cache: Arc<TokenCache>,
    pub(super) clock: Arc<TestClock>,
    pub(super) access: Arc<Rules>,
    pub(super) core: Messages,
    /// What was recorded; reads are.
    pub(super) records: Records,
    pub(super) thread: SocketThread,
    pub(super) path: PathBuf,
    /// Whom the next connection is taken for.
    uid: Arc<AtomicU32>,
    /// What is found as its unit. While this is locked, the socket's thread cannot let it in.
    pub(super) unit: Arc<Mutex<Option<Result<PeerUnit, NoUnit>>>>,
    pub(super) audit: Arc<Audit>,
    _folder: TempDir,
}

impl Daemon {
    pub(super) fn start() -> Self {
        // On a loaded machine a test may be slow to read what the daemon sends.
        Self::with_limits(Limits { frame_time: PATIENCE, ..Limits::default() })
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        Self::with(limits, 1_024)
    }

    pub(super) fn with(limits: Limits, queue: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let token_cache = Arc::new(TokenCache::new());
        let clock = Arc::new(TestClock::default());
        let access = Arc::new(Rules::new(Access::new(Vec::new(), DAEMON_UID)));
        let (audit, records) = Audit::new(true);
        let audit = Arc::new(audit);
        let (to_core, core) = super::super::queue(queue);
        let context = Context {
            token_cache: Arc::clone(&token_cache),
            clock: clock.clone(),
            access: Arc::clone(&access),
            notes: Arc::new(ArcSwap::from_pointee(vec!["a note".to_owned()])),
            audit: Arc::clone(&audit),
            to_core,
            limits,
        };
        let uid = Arc::new(AtomicU32::new(DAEMON_UID));
        let taken_for = Arc::clone(&uid);
        let unit = Arc::<Mutex<Option<Result<PeerUnit, NoUnit>>>>::default();
        let in_unit = Arc::clone(&unit);
        let identify = move |stream: &_| {
            let unit = in_unit.lock().unwrap().clone().map_or_else(OnceCell::new, OnceCell::from);
            peer::identify(stream).map(|peer| PeerIdentity { uid: taken_for.load(Ordering::Relaxed), unit, ..peer })
        };
        let thread = SocketThread::spawn_with(
            Listener::bind(&path, crate::socket::Admitted::OwnGroup).unwrap(),
            context,
            identify,
        )
        .unwrap();
        Self { token_cache, clock, access, core, records, thread, path, uid, unit, audit, _folder: folder }
    }

    /// A peer of the daemon's own user.
    pub(super) fn connect(&self) -> Peer {
        Peer::new(UnixStream::connect(&self.path).unwrap())
    }

    /// A peer of another user, already being served.
    pub(super) fn connect_as(&self, uid: u32) -> Peer {
        self.uid.store(uid, Ordering::Relaxed);
        let mut peer = self.connect();
        assert!(peer.is_served());
        self.uid.store(DAEMON_UID, Ordering::Relaxed);
        peer
    }

    /// The error for a peer that is not let in.
    pub(super) fn turned_away(&self, uid: u32) -> ErrorReply {
        self.uid.store(uid, Ordering::Relaxed);
        let mut peer = self.connect();
        let error = peer.error(0);
        assert!(peer.is_closed());
        self.uid.store(DAEMON_UID, Ordering::Relaxed);
        error
    }

    /// Waits until the daemon has noticed who went.
    pub(super) fn wait_for_connections(&self, count: usize) {
        let give_up = self.clock.boot() + PATIENCE;
        while self.thread.connections() != count {
            assert!(self.clock.boot() < give_up, "{} connections", self.thread.connections());
            std::thread::yield_now();
        }
    }

    /// What is found when the unit of a peer that connects from now on is looked up; `None` for the truth.
    pub(super) fn set_unit(&self, unit: Option<Result<PeerUnit, NoUnit>>) {
        *self.unit.lock().unwrap() = unit;
    }

    pub(super) fn set_rules(&self, rules: Vec<Rule>) {
        self.access.store(Access::new(rules, DAEMON_UID));
    }

    pub(super) fn publish(&self, name: &str, text: &str, life: Duration) -> Arc<AccessToken> {
        let token = self.issue(text, life);
        self.token_cache.publish(&token_name(name), &token, ReadMode::Serve, self.clock.now());
        token
    }

    pub(super) fn issue(&self, text: &str, life: Duration) -> Arc<AccessToken> {
        let now = self.clock.boot();
        let access_token = Secret::from(text);
        Arc::new(AccessToken {
            fingerprint: Fingerprint::of(&access_token),
            access_token,
            token_type: "Bearer".into(),
            issued: now,
            expires: now + life,
            refresh: now + life / 2,
        })
    }

    /// The next message to the core.
    pub(super) fn message(&mut self) -> Message {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let next = async { tokio::time::timeout(PATIENCE, self.core.recv()).await };
        runtime.block_on(next).expect("a message in time").expect("the socket's thread runs")
    }

    /// The next message to the core, which has to be a question.
    pub(super) fn question(&mut self) -> (WaiterId, Question, ReplyTo) {
        match self.message() {
            Message::Ask { waiter, asker, question, reply } => {
                assert_eq!(asker.superuser, asker.uid == DAEMON_UID || asker.uid == 0);
                (waiter, question, reply)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next message to the core, which has to be a query.
    pub(super) fn query(&mut self) -> (Query, ReplyTo) {
        match self.message() {
            Message::Query { query, reply, .. } => (query, reply),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the core has been asked nothing: all that was sent before is answered once a ping is.
    pub(super) fn nothing_was_asked(&mut self) -> bool {
        self.core.try_recv().is_none()
    }
}

pub(super) fn rule(profiles: &[&str], uid: u32) -> Rule {
    let profiles = profiles.iter().map(|pattern| pattern.parse().unwrap()).collect();
    Rule { profiles, users: vec![uid], ..Rule::default() }
}

pub(super) fn token_name(text: &str) -> TokenName {
    text.parse::<TokenRef>().unwrap().canonical().unwrap()
}

pub(super) fn get(name: &str) -> Request<'_> {
    Request::Get { name, min_ttl: Millis(0), wait: Millis(0) }
}

/// A process on the socket: blocking, and never for long.
pub(super) struct Peer {
    pub(super) stream: UnixStream,
}

impl Peer {
    pub(super) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    pub(super) fn send(&mut self, id: u64, request: &Request<'_>) {
        self.send_bytes(&codec::encode_request(id, request).unwrap());
    }

    pub(super) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(super) fn receive(&mut self) -> (Header, Reply) {
        self.try_receive().expect("a reply")
    }

    pub(super) fn try_receive(&mut self) -> io::Result<(Header, Reply)> {
        let mut prefix = [0; LENGTH_PREFIX];
        self.stream.read_exact(&mut prefix)?;
        let mut frame = vec![0; tokend_proto::frame_length(prefix).unwrap()];
        self.stream.read_exact(&mut frame)?;
        let (header, value) = Header::split(&frame).unwrap();
        Ok((header, codec::decode_reply(value).unwrap()))
    }

    /// The reply to a request that is the only one under way.
    pub(super) fn ask(&mut self, request: &Request<'_>) -> Reply {
        self.send(4_711, request);
        self.reply_to(4_711)
    }

    pub(super) fn reply_to(&mut self, id: u64) -> Reply {
        let (header, reply) = self.receive();
        assert_eq!(header.request_id, id, "{reply:?}");
        reply
    }

    pub(super) fn token(&mut self, id: u64) -> (Flags, Token) {
        match self.receive() {
            (header, Reply::Token(token)) if header.request_id == id => (header.flags, token),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn error(&mut self, id: u64) -> ErrorReply {
        match self.reply_to(id) {
            Reply::Error(error) => error,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn refused(&mut self, request: &Request<'_>) -> ErrorCode {
        match self.ask(request) {
            Reply::Error(error) => error.code,
            other => panic!("{other:?}"),
        }
    }

    /// Whether the daemon has closed the connection, with nothing more to say.
    pub(super) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
            Ok(_) => false,
        }
    }

    pub(super) fn is_served(&mut self) -> bool {
        matches!(self.ask(&Request::Ping), Reply::Pong { .. })
    }
}

/// A frame around any value.
pub(super) fn raw_frame(version: u8, id: u64, value: &[u8]) -> Vec<u8> {
    let header = Header { version, ..Header::new(id) }.to_bytes();
    let length = u32::try_from(HEADER_LEN + value.len()).unwrap();
    [&length.to_be_bytes(), &header[..], value].concat()
}
