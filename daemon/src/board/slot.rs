//! One name's place on the board.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokend_proto::{Fingerprint, Flags, Reply, TokenName, codec};
use zeroize::Zeroizing;

use crate::core::effect::{Issued, ReadMode};
use crate::core::time::{Boot, Now};

/// A name, its current token, and when that was last read.
#[derive(Debug)]
pub struct Slot {
    name: TokenName,
    text: Arc<str>,
    posted: ArcSwapOption<Posted>,
    /// Boot time in milliseconds; 0 for never, which no process lives to see as a moment.
    last_read: AtomicU64,
}

/// A token, ready to be sent.
pub(super) struct Posted {
    token: Arc<Issued>,
    mode: ReadMode,
    /// A whole frame with request id 0 and no flags.
    frame: Zeroizing<Vec<u8>>,
}

impl Slot {
    pub(super) fn new(name: TokenName, text: Arc<str>) -> Self {
        Self { name, text, posted: ArcSwapOption::empty(), last_read: AtomicU64::new(0) }
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &TokenName {
        &self.name
    }

    /// The name in its canonical spelling.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends the reply to a read, and notes the read, if there is a token that may be served, has not
    /// expired and has `min_ttl` left: the fingerprint of what was served. Otherwise the core has to be asked.
    #[must_use]
    pub fn serve(&self, now: Boot, min_ttl: Duration, request_id: u64, out: &mut Vec<u8>) -> Option<Fingerprint> {
        let posted = self.posted.load();
        let posted = posted.as_deref()?;
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

    /// Appends the reply for a token that the core has answered with, if that is the one that is up here: one
    /// encoding then serves all who waited for it.
    #[must_use]
    pub fn copy_of(&self, token: &Arc<Issued>, request_id: u64, flags: Flags, out: &mut Vec<u8>) -> bool {
        match self.posted.load().as_deref() {
            Some(posted) if Arc::ptr_eq(&posted.token, token) => {
                posted.append_to(out, request_id, flags);
                true
            }
            _ => false,
        }
    }

    pub(super) fn last_read(&self) -> Option<Boot> {
        match self.last_read.load(Ordering::Relaxed) {
            0 => None,
            at => Some(Boot(at)),
        }
    }

    pub(super) fn post(&self, posted: Option<Arc<Posted>>) {
        self.posted.store(posted);
    }

    pub(super) fn restamp(&self, now: Now) {
        if let Some(old) = self.posted.load_full() {
            self.post(Posted::encode(&old.token, old.mode, now).map(Arc::new));
        }
    }
}

impl Posted {
    /// `None` if the token does not fit into a frame.
    pub(super) fn encode(token: &Arc<Issued>, mode: ReadMode, now: Now) -> Option<Self> {
        let frame = codec::encode_reply(0, Flags::NONE, &Reply::Token(token.to_wire(now))).ok()?;
        Some(Self { token: Arc::clone(token), mode, frame: Zeroizing::new(frame) })
    }

    fn append_to(&self, out: &mut Vec<u8>, request_id: u64, flags: Flags) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        codec::patch_reply(&mut out[start..], request_id, flags);
    }
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posted").field("token", &self.token).field("mode", &self.mode).finish_non_exhaustive()
    }
}
