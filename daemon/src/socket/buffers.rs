//! Buffers of the socket's thread, shared by all its connections, so that an idle one holds none; and the one
//! way in which bytes that may be secret are kept for later.

use std::cell::RefCell;

use tokend_proto::LENGTH_PREFIX;
use tokend_proto::limits::MAX_FRAME;
use zeroize::Zeroizing;

/// Bytes taken by one read: some 180 pipelined requests.
const READ_LEN: usize = 8 * 1024;

/// Once replies of one turn reach this, the peer has to take them before more of its requests are looked at:
/// what a connection can make the daemon hold is this and one frame.
pub(super) const ENOUGH_OUTPUT: usize = 64 * 1024;

/// What a connection works in while it has its turn.
pub(super) struct Buffers {
    pub(super) input: Box<[u8]>,
    pub(super) output: Output,
}

/// Replies of one turn. Its room is never exceeded, so that no reallocation leaves a token behind.
pub(super) struct Output(Vec<u8>);

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        input: vec![0; READ_LEN].into(),
        output: Output(Vec::with_capacity(ENOUGH_OUTPUT + LENGTH_PREFIX + MAX_FRAME)),
    });
}

/// Lends the thread's buffers for one turn. `turn` must not lend them again.
pub(super) fn with_buffers<R>(turn: impl FnOnce(&mut Buffers) -> R) -> R {
    BUFFERS.with_borrow_mut(turn)
}

impl Output {
    /// Whether no more should be added in this turn.
    pub(super) fn is_enough(&self) -> bool {
        self.0.len() >= ENOUGH_OUTPUT
    }

    /// To append one frame to, as long as it is not enough.
    pub(super) fn frame(&mut self) -> &mut Vec<u8> {
        debug_assert!(!self.is_enough());
        &mut self.0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Wipes what the turn left.
    pub(super) fn clear(&mut self) {
        wipe(&mut self.0);
        self.0.clear();
    }
}

/// Overwrites bytes of a buffer that goes on living. `fill` is a memset where `zeroize` stores byte by byte;
/// the barrier keeps it from being left out.
pub(super) fn wipe(bytes: &mut [u8]) {
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

    #[test]
    fn a_cleared_output_holds_nothing() {
        let mut output = Output(Vec::with_capacity(64));
        output.frame().extend_from_slice(b"hunter2");
        output.clear();
        assert!(output.bytes().is_empty());
        output.0.resize(7, 1);
        assert_eq!(output.bytes(), [1; 7]);
    }
}
