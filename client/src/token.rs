//! An access token as a program uses it.

use std::fmt;
use std::time::Duration;

use tokend_proto::{Fingerprint, Flags, Secret, Stamp};

use crate::ProtocolError;

/// What kind of token the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenOptions {
    /// The life that the token should have left. A token with three quarters of its whole life can always be had. If
    /// none has as much life as you ask for, the daemon returns the newest token and says so: [`Token::falls_short`].
    pub min_ttl: Duration,
    /// How long to wait for a token, 10 minutes at most. `None`: the client's own `wait`.
    pub wait: Option<Duration>,
}

/// An access token, the name it belongs to, and what the daemon said about it.
///
/// Do not keep it past [`Token::refresh_at`]: ask again, and the daemon answers at once.
#[derive(Clone)]
pub struct Token {
    name: String,
    min_ttl: Duration,
    flags: Flags,
    token: tokend_proto::Token,
}

impl Token {
    /// Checks that the token can stand in a header, so that it cannot smuggle anything into one.
    pub(crate) fn new(
        name: &str,
        min_ttl: Duration,
        flags: Flags,
        token: tokend_proto::Token,
    ) -> Result<Self, ProtocolError> {
        if !is_b64token(token.access_token.expose()) || !is_scheme(&token.token_type) {
            return Err(ProtocolError::TokenCharacters);
        }
        Ok(Self { name: name.to_owned(), min_ttl, flags, token })
    }

    /// The name by which the caller asked for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The token's text, for the `Authorization` header.
    #[must_use]
    #[inline]
    pub fn secret(&self) -> &str {
        self.token.access_token.expose()
    }

    /// The token as a value that cannot be printed by accident.
    #[must_use]
    pub fn access_token(&self) -> &Secret {
        &self.token.access_token
    }

    /// As the provider gave it, usually `Bearer`.
    #[must_use]
    pub fn token_type(&self) -> &str {
        &self.token.token_type
    }

    /// What stands before the token in an `Authorization` header. This is `Bearer` in the spelling of RFC 6750,
    /// whatever the provider's spelling (Classic sends `bearer`, which only some servers accept), or another
    /// [`Token::token_type`].
    #[must_use]
    pub fn scheme(&self) -> &str {
        let token_type = self.token_type();
        if token_type.eq_ignore_ascii_case("Bearer") { "Bearer" } else { token_type }
    }

    /// Identifies the token without showing it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.token.fingerprint
    }

    /// When the daemon requested it.
    #[must_use]
    pub fn issued_at(&self) -> Stamp {
        self.token.issued_at
    }

    /// The token does not work from then on.
    #[must_use]
    pub fn expires_at(&self) -> Stamp {
        self.token.expires_at
    }

    /// From then on there is probably a newer one.
    #[must_use]
    pub fn refresh_at(&self) -> Stamp {
        self.token.refresh_at
    }

    /// The life that is left at this time of CLOCK_BOOTTIME, in milliseconds.
    #[must_use]
    pub fn remaining(&self, boot_ms: u64) -> Duration {
        Duration::from_millis(self.token.expires_at.boot_ms.saturating_sub(boot_ms))
    }

    /// Whether it has less life left than the caller asked for. It is still the newest token.
    #[must_use]
    pub fn falls_short(&self) -> bool {
        self.flags.contains(Flags::FALLS_SHORT)
    }

    /// Whether the daemon is replacing it: it may stop working at any moment.
    #[must_use]
    pub fn renewing(&self) -> bool {
        self.flags.contains(Flags::RENEWING)
    }

    pub(crate) fn min_ttl(&self) -> Duration {
        self.min_ttl
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("fingerprint", &self.fingerprint())
            .field("expires_at", &self.expires_at())
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// RFC 6750, section 2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(text: &str) -> bool {
    /// A table by byte: a token has some 1,500 bytes, and checking them is most of what a small program does.
    const ALLOWED: [bool; 256] = {
        let mut allowed = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let b = byte as u8;
            allowed[byte] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
            byte += 1;
        }
        allowed
    };
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| ALLOWED[usize::from(b)])
}

/// A `token_type` that can stand before a token in a header: RFC 9110 section 5.6.2, `token`. The daemon has the same
/// rule, so that this accepts every type that the daemon sends.
fn is_scheme(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, token_type: &str) -> Result<Token, ProtocolError> {
        let secret = Secret::from(text);
        let fingerprint = Fingerprint::of(&secret);
        let (issued_at, expires_at) = (Stamp::default(), Stamp { boot_ms: 5_000, unix_ms: 5_000 });
        let token_type = token_type.to_owned();
        let token = tokend_proto::Token {
            access_token: secret,
            token_type,
            fingerprint,
            issued_at,
            expires_at,
            refresh_at: issued_at,
        };
        Token::new("campus", Duration::ZERO, Flags::RENEWING, token)
    }

    #[test]
    fn debug_shows_the_fingerprint_and_nothing_of_the_token() {
        let shown = format!("{:?}", token("c2VjcmV0", "Bearer").unwrap());
        assert!(!shown.contains("c2VjcmV0"), "{shown}");
        assert!(shown.contains(&Fingerprint::of(&Secret::from("c2VjcmV0")).to_string()), "{shown}");
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_no_token() {
        for bad in ["", "=", "a b", "a\nSet-Cookie:x", "a=b", "é", "a\""] {
            assert_eq!(token(bad, "Bearer").unwrap_err(), ProtocolError::TokenCharacters, "{bad:?}");
        }
        assert_eq!(token("abc", "Bearer\r\nX").unwrap_err(), ProtocolError::TokenCharacters);
        assert!(token("a-._~+/Z9==", "bearer").is_ok());
    }

    #[test]
    fn every_token_type_that_the_daemon_passes_on_is_taken() {
        for good in ["Bearer", "N_A", "PoP", "DPoP", "!#$%&'*+-.^_`|~", &"x".repeat(32)] {
            assert_eq!(token("abc", good).unwrap().scheme(), good);
        }
        for bad in ["", "two words", "a/b", "a:b", "(a)", "\"a\"", "a,b", "é", "a\u{7f}", &"x".repeat(65)] {
            assert_eq!(token("abc", bad).unwrap_err(), ProtocolError::TokenCharacters, "{bad:?}");
        }
    }

    #[test]
    fn bearer_is_written_as_in_the_rfc() {
        assert_eq!(token("abc", "bearer").unwrap().scheme(), "Bearer");
    }

    #[test]
    fn life_left_ends_at_zero() {
        let token = token("abc", "Bearer").unwrap();
        assert_eq!(token.remaining(1_000), Duration::from_secs(4));
        assert_eq!(token.remaining(6_000), Duration::ZERO);
        assert!(token.renewing() && !token.falls_short());
    }
}
