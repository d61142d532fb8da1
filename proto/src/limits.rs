//! Limits that both ends of the socket hold to.

use std::time::Duration;

/// Longest frame, in bytes, counted after the length prefix: a token of 16 KiB and its stamps fit four
/// times over, and a connection can never make the other side hold more than this.
pub const MAX_FRAME: usize = 64 * 1024;

/// Requests that one connection may have unanswered. One more is answered `TooManyRequests`.
pub const MAX_IN_FLIGHT: usize = 256;

/// A frame once begun has to be complete, and a reply taken, within this time.
pub const FRAME_TIME: Duration = Duration::from_secs(5);

/// A connection without a request or a reply for this long is closed.
pub const IDLE_TIME: Duration = Duration::from_secs(5 * 60);

/// Longest `wait` that the daemon honours; a longer one is shortened to it.
pub const MAX_WAIT: Duration = Duration::from_secs(10 * 60);

/// Longest name accepted, in bytes: a profile, `/`, and a workspace name of up to 256 bytes.
pub const MAX_NAME: usize = 64 + 1 + 256;

/// Longest refresh token accepted from an import or from a provider, in bytes. Half a frame, and a record has room for it
/// beside an access token.
pub const MAX_REFRESH_TOKEN: usize = 32 * 1024;
