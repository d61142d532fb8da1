//! One name's place in the token cache.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokend_proto::{Fingerprint, Flags, Reply, codec};
use zeroize::Zeroizing;

use crate::core::issued::{AccessToken, ReadMode};
use crate::core::time::{BootTime, Now};

/// A name, its current token, and when that was last read.
#[derive(Debug)]
pub struct Slot {
    /// Its name. Of very many tenants it is kept once.
    text: Box<str>,
    posted: ArcSwapOption<CachedReply>,
    /// Of what is posted, and 0 for nothing. Follows it at once.
    number: AtomicU64,
    /// Boot time in milliseconds; 0 for never, which no process lives to see as a moment.
    last_read: AtomicU64,
}

/// The token that a watcher was told last.
#[derive(Debug)]
pub struct Delivered {
    token: Arc<AccessToken>,
    renewing: bool,
}

impl Delivered {
    /// Of the token.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.token.fingerprint
    }
}

/// The token that somebody read last. It is held so that the next reader of it, for example for another peer, need only
/// look whether it is still the one that is up: that takes a tenth of the time.
///
/// A token that is held is not wiped when it is taken down: it is let go of before its holder sleeps.
#[derive(Debug, Default)]
pub struct Held(Option<Arc<CachedReply>>);

impl Held {
    /// Holds nothing.
    pub fn let_go(&mut self) {
        self.0 = None;
    }
}

/// A token, ready to be sent.
pub(super) struct CachedReply {
    /// Unique in this process, and not 0.
    number: u64,
    token: Arc<AccessToken>,
    mode: ReadMode,
    /// A whole frame with request id 0 and no flags, and not a byte more.
    frame: Zeroizing<Box<[u8]>>,
}

impl Slot {
    /// `text`: the name in its canonical spelling.
    pub(super) fn new(text: &str) -> Self {
        let (posted, number, last_read) = (ArcSwapOption::empty(), AtomicU64::new(0), AtomicU64::new(0));
        Self { text: text.into(), posted, number, last_read }
    }

    /// The name in its canonical spelling.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends the reply to a read, and notes the read, if there is a token that may be served, has not
    /// expired and has `min_ttl` left: the fingerprint of what was served. Otherwise the core has to be asked.
    #[must_use]
    pub fn serve(
        &self,
        now: BootTime,
        min_ttl: Duration,
        request_id: u64,
        held: &mut Held,
        out: &mut Vec<u8>,
    ) -> Option<Fingerprint> {
        let posted = self.hold(held)?;
        let flags = match posted.mode {
            ReadMode::Serve => Flags::NONE,
            ReadMode::ServeRenewing => Flags::RENEWING,
            ReadMode::Ask => return None,
        };
        if posted.token.expires <= now || posted.token.left(now) < min_ttl {
            return None;
        }
        self.last_read.store(now.0, Ordering::Relaxed);
        posted.append_to(out, request_id, flags);
        Some(posted.token.fingerprint)
    }

    /// What is posted.
    fn hold<'a>(&self, held: &'a mut Held) -> Option<&'a CachedReply> {
        let number = self.number.load(Ordering::Acquire);
        if held.0.as_ref().is_none_or(|held| held.number != number) {
            held.0 = self.posted.load_full();
        }
        held.0.as_deref()
    }

    /// Appends the reply for a token that the core has answered with, if that is the one that is up here: one
    /// encoding then serves all who waited for it.
    #[must_use]
    pub fn copy_of(&self, token: &Arc<AccessToken>, request_id: u64, flags: Flags, out: &mut Vec<u8>) -> bool {
        match self.posted.load().as_deref() {
            Some(posted) if Arc::ptr_eq(&posted.token, token) => {
                posted.append_to(out, request_id, flags);
                true
            }
            _ => false,
        }
    }

    /// Appends the newest token for a watcher, and notes the read, if that is another one than it was told last, or the
    /// same in another mode. One that is being replaced carries a flag, for a client that keeps it.
    #[must_use]
    pub fn tell(
        &self,
        now: BootTime,
        told: Option<&Delivered>,
        request_id: u64,
        out: &mut Vec<u8>,
    ) -> Option<Delivered> {
        let posted = self.posted.load();
        let posted = posted.as_deref().filter(|posted| now < posted.token.expires)?;
        let renewing = posted.mode != ReadMode::Serve;
        if told.is_some_and(|told| Arc::ptr_eq(&told.token, &posted.token) && told.renewing == renewing) {
            return None;
        }
        self.last_read.store(now.0, Ordering::Relaxed);
        posted.append_to(out, request_id, if renewing { Flags::RENEWING } else { Flags::NONE });
        Some(Delivered { token: Arc::clone(&posted.token), renewing })
    }

    pub(super) fn last_read(&self) -> Option<BootTime> {
        match self.last_read.load(Ordering::Relaxed) {
            0 => None,
            at => Some(BootTime(at)),
        }
    }

    pub(super) fn post(&self, posted: Option<Arc<CachedReply>>) {
        let number = posted.as_ref().map_or(0, |posted| posted.number);
        self.posted.store(posted);
        // A reader of this number finds this token, or a later one.
        self.number.store(number, Ordering::Release);
    }

    pub(super) fn rebase(&self, now: Now) {
        if let Some(old) = self.posted.load_full() {
            self.post(CachedReply::encode(&old.token, old.mode, now).map(Arc::new));
        }
    }
}

impl CachedReply {
    /// `None` if the token does not fit into a frame.
    pub(super) fn encode(token: &Arc<AccessToken>, mode: ReadMode, now: Now) -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let frame = codec::encode_reply(0, Flags::NONE, &Reply::Token(token.to_wire(now))).ok()?;
        debug_assert_eq!(frame.len(), frame.capacity(), "room that is left over would stay for as long as the token");
        Some(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            token: Arc::clone(token),
            mode,
            frame: Zeroizing::new(frame.into_boxed_slice()),
        })
    }

    fn append_to(&self, out: &mut Vec<u8>, request_id: u64, flags: Flags) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        codec::patch_reply(&mut out[start..], request_id, flags);
    }
}

impl fmt::Debug for CachedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedReply").field("token", &self.token).field("mode", &self.mode).finish_non_exhaustive()
    }
}
