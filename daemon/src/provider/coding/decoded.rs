//! What one coding makes of its input, and the buffer that it is made in.

use zeroize::Zeroizing;

use crate::provider::body::BodyFault;

/// Holds a token response, as a rule.
const FIRST_ROOM: usize = 16 * 1024;

/// What one coding made of its input.
pub(super) struct Decoded {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether the compressed text came to its own end.
    pub(super) end: Result<(), BodyFault>,
}

/// A buffer with more room, filled with zeros; the one that was outgrown is wiped.
pub(super) fn grown(bytes: &[u8], limit: usize) -> Zeroizing<Vec<u8>> {
    let room = (bytes.len() * 2).max(FIRST_ROOM).min(limit);
    let mut bigger = Zeroizing::new(Vec::with_capacity(room));
    bigger.extend_from_slice(bytes);
    bigger.resize(room.max(bytes.len()), 0);
    bigger
}
