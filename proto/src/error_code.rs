//! What went wrong, as a number that never changes its meaning.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $word:literal;)+) => {
        /// Why a request was not granted. On the wire a `u16`; numbers are never reused, and one that this
        /// version does not know arrives as [`ErrorCode::Other`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "u16", into = "u16")]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)+
            /// A code from a newer daemon.
            Other(u16),
        }

        impl From<u16> for ErrorCode {
            fn from(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)+
                    other => Self::Other(other),
                }
            }
        }

        impl From<ErrorCode> for u16 {
            fn from(code: ErrorCode) -> Self {
                match code {
                    $(ErrorCode::$name => $number,)+
                    ErrorCode::Other(other) => other,
                }
            }
        }

        impl ErrorCode {
            /// Every code that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as a stable lower-case word, for JSON and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                    Self::Other(_) => "unknown_code",
                }
            }
        }
    };
}

codes! {
    /// A defect in the daemon.
    Internal = 1, "internal";
    /// The request could not be decoded.
    Malformed = 2, "malformed";
    /// The frame is longer than [`crate::limits::MAX_FRAME`]; the connection is closed.
    FrameTooLarge = 3, "frame_too_large";
    /// An argument is wrong: the message says which, and what was expected.
    InvalidArgument = 4, "invalid_argument";
    /// Too many unanswered requests on this connection.
    TooManyRequests = 5, "too_many_requests";
    /// Too many connections, in total or of this user.
    TooManyConnections = 6, "too_many_connections";
    /// A frame was begun but not finished in time; the connection is closed.
    FrameTimeout = 7, "frame_timeout";
    /// The user has too many requests that wait, or all users together have, or the daemon is stopping.
    Busy = 8, "busy";
    /// The access rules do not let this peer do that.
    Denied = 20, "denied";
    /// No such profile or tenant.
    NoSuchName = 21, "no_such_name";
    /// No good token now; the daemon keeps trying.
    Unavailable = 30, "unavailable";
    /// Too many forced renewals of this name.
    Throttled = 31, "throttled";
    /// The provider allows the next login only later.
    AwaitingLogin = 32, "awaiting_login";
    /// The provider refuses the credentials.
    Rejected = 40, "rejected";
    /// The refresh-token chain is lost.
    ChainLost = 41, "chain_lost";
    /// There is no refresh-token chain yet.
    ChainEmpty = 42, "chain_empty";
    /// The new configuration is not valid; the daemon keeps the old one.
    InvalidConfiguration = 50, "invalid_configuration";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_a_bijection() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from(u16::from(code)), code);
        }
        assert_eq!(ErrorCode::from(999), ErrorCode::Other(999));
        let mut numbers: Vec<u16> = ErrorCode::ALL.iter().map(|&c| c.into()).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), ErrorCode::ALL.len());
    }
}
