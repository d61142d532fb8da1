//! Limits that both ends of the socket observe.

use std::time::Duration;

/// The longest frame, in bytes, counted after the length prefix. It has room for four tokens of 16 KiB with their
/// stamps, and it bounds what one connection can make the other side hold.
pub const MAX_FRAME: usize = 64 * 1024;

/// The requests that one connection may have open. The daemon answers a further one with `TooManyRequests`.
pub const MAX_IN_FLIGHT: usize = 256;

/// A frame has to be complete this soon after its first byte, and a peer has to read a reply within the same time.
pub const FRAME_TIME: Duration = Duration::from_secs(5);

/// A connection without a request or a reply for this long is closed.
pub const IDLE_TIME: Duration = Duration::from_secs(5 * 60);

/// The longest `wait` that the daemon accepts; it shortens a longer one.
pub const MAX_WAIT: Duration = Duration::from_secs(10 * 60);

/// The longest name, in bytes: a profile, `/`, and a workspace name of up to 256 bytes.
pub const MAX_NAME: usize = 64 + 1 + 256;

/// The longest refresh token accepted from an import or from a provider, in bytes. This is half a frame, and a record
/// has room for it beside an access token.
pub const MAX_REFRESH_TOKEN: usize = 32 * 1024;
