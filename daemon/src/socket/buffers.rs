//! Buffers of the socket's thread, shared by all its connections, so that an idle one holds none; and the one
//! way in which bytes that may be secret are kept for later.

use std::cell::RefCell;
use std::io;
use std::task::{Poll, ready};
use std::time::Duration;

use tokend_proto::limits::MAX_FRAME;
use tokend_proto::{Fingerprint, LENGTH_PREFIX};
use zeroize::Zeroizing;

use crate::core::time::BootTime;
use crate::token_cache::{Held, Slot};

/// Bytes taken by one read: some 180 pipelined requests.
const READ_LEN: usize = 8 * 1024;

/// Once replies of one turn reach this, the peer has to take them before more of its requests are looked at:
/// what a connection can make the daemon hold is this and one frame.
pub(super) const ENOUGH_OUTPUT: usize = 64 * 1024;

/// What a connection works in while it has its turn. What is left in them is wiped when the thread has nothing to do,
/// and so before it sleeps: once for all turns that it had.
pub(super) struct Buffers {
    pub(super) input: Input,
    pub(super) output: Output,
}

/// Where a peer's bytes are read into. There may be a refresh token among them.
pub(super) struct Input {
    room: Zeroizing<Vec<u8>>,
    /// How much of it has been used since it was wiped.
    used: usize,
}

/// Replies of one turn. Its room is never exceeded, so that no reallocation leaves a token behind.
pub(super) struct Output {
    bytes: Zeroizing<Vec<u8>>,
    /// How much of its room has been used since it was wiped.
    used: usize,
    held: Held,
    /// How many costly requests and answers the turn may still handle.
    allowance: usize,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers::new());
}

/// Lends the thread's buffers for one turn. `turn` must not lend them again.
pub(super) fn with_buffers<R>(turn: impl FnOnce(&mut Buffers) -> R) -> R {
    BUFFERS.with_borrow_mut(turn)
}

/// Leaves nothing secret in the thread's buffers. To be called when it has nothing to do.
pub(super) fn put_away() {
    with_buffers(Buffers::put_away);
}

impl Buffers {
    fn new() -> Self {
        let room = Zeroizing::new(vec![0; READ_LEN]);
        let bytes = Zeroizing::new(Vec::with_capacity(ENOUGH_OUTPUT + LENGTH_PREFIX + MAX_FRAME));
        Self { input: Input { room, used: 0 }, output: Output { bytes, used: 0, held: Held::default(), allowance: 0 } }
    }

    fn put_away(&mut self) {
        wipe(&mut self.input.room[..self.input.used]);
        self.input.used = 0;
        self.output.clear();
        let Output { bytes, used, held, .. } = &mut self.output;
        // From nothing: all of it is overwritten.
        bytes.resize(*used, 0);
        zeroize::optimization_barrier(bytes.as_slice());
        bytes.clear();
        *used = 0;
        held.let_go();
    }
}

impl Input {
    /// Reads into it; what was read.
    pub(super) fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>) -> Poll<io::Result<&[u8]>> {
        let length = ready!(read(&mut self.room))?;
        self.used = self.used.max(length);
        Poll::Ready(Ok(&self.room[..length]))
    }
}

impl Output {
    /// A turn begins. It may handle so many costly requests and answers.
    pub(super) fn begin_turn(&mut self, allowance: usize) {
        self.allowance = allowance;
    }

    /// One of the turn's requests or answers costs much more than a read of the token cache.
    pub(super) fn charge(&mut self) {
        self.allowance = self.allowance.saturating_sub(1);
    }

    /// Whether no more should be added in this turn.
    pub(super) fn is_enough(&self) -> bool {
        self.allowance == 0 || self.bytes.len() >= ENOUGH_OUTPUT
    }

    /// To append one frame to, as long as there is room.
    pub(super) fn frame(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.bytes.len() < ENOUGH_OUTPUT);
        &mut self.bytes
    }

    /// Appends the reply to a read, as [`Slot::serve`] does.
    pub(super) fn serve(
        &mut self,
        slot: &Slot,
        now: BootTime,
        min_ttl: Duration,
        request_id: u64,
    ) -> Option<Fingerprint> {
        debug_assert!(!self.is_enough());
        slot.serve(now, min_ttl, request_id, &mut self.held, &mut self.bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// For the next turn.
    pub(super) fn clear(&mut self) {
        self.used = self.used.max(self.bytes.len());
        self.bytes.clear();
    }
}

/// Overwrites bytes of a buffer that goes on living. `fill` is a memset where `zeroize` stores byte by byte;
/// the barrier keeps it from being left out.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

/// Appends without leaving a copy behind when the buffer has to grow.
pub(super) fn append(kept: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    if kept.capacity() - kept.len() < bytes.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity((kept.len() + bytes.len()).next_power_of_two()));
        larger.extend_from_slice(kept);
        // The old one is wiped as it is dropped.
        *kept = larger;
    }
    kept.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn what_is_kept_grows_with_what_arrives() {
        let mut kept = Zeroizing::new(Vec::new());
        let bytes: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        for part in bytes.chunks(700) {
            append(&mut kept, part);
            assert!(kept.capacity() <= 2 * kept.len());
        }
        assert_eq!(*kept, bytes);
    }

    /// What is in memory at the beginning of the buffers, also where a vector does not show it.
    fn left_over(buffers: &Buffers, length: usize) -> Vec<u8> {
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        let mut left = Vec::new();
        for room in [&*buffers.input.room, &*buffers.output.bytes] {
            let mut bytes = vec![0; length];
            memory.read_exact_at(&mut bytes, room.as_ptr() as u64).unwrap();
            left.extend(bytes.into_iter().filter(|byte| *byte != 0));
        }
        left
    }

    #[test]
    fn what_was_put_away_is_gone() {
        let mut buffers = Buffers::new();
        for text in [&b"hunter2"[..], b"a much longer secret", b"x"] {
            let read = buffers.input.fill(|room| {
                room[..text.len()].copy_from_slice(text);
                Poll::Ready(Ok(text.len()))
            });
            assert!(matches!(read, Poll::Ready(Ok(read)) if read == text));
            buffers.output.frame().extend_from_slice(text);
            buffers.output.clear();
            assert!(buffers.output.bytes().is_empty());
        }
        assert_eq!((buffers.input.used, buffers.output.used), (20, 20), "the longest counts");
        let last = b"and one that nobody cleared";
        buffers.output.frame().extend_from_slice(last);
        assert!(left_over(&buffers, last.len()).ends_with(last));
        buffers.put_away();
        assert_eq!(left_over(&buffers, last.len()), b"");
        assert_eq!((buffers.input.used, buffers.output.used), (0, 0));
    }
}
