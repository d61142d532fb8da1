//! The key that records are sealed with.

use std::fmt;

use tokend_proto::Secret;
use zeroize::Zeroizing;

/// 256 bits, wiped on drop, never printed.
#[derive(Clone)]
pub struct StateKey(Zeroizing<[u8; 32]>);

/// Why a secret is not a [`StateKey`]. It says nothing of what the secret holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a state key is 64 hex digits: `openssl rand -hex 32` makes one")]
pub struct ParseStateKeyError;

impl StateKey {
    /// From 64 hex digits.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &Secret) -> Result<Self, ParseStateKeyError> {
        let digits = text.expose().as_bytes();
        let mut key = Zeroizing::new([0; 32]);
        if digits.len() != 2 * key.len() {
            return Err(ParseStateKeyError);
        }
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(key))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn digit(character: u8) -> Result<u8, ParseStateKeyError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(ParseStateKeyError),
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hex_digits_and_nothing_else() {
        let key = StateKey::parse(&Secret::new("0123456789abcdefABCDEF".repeat(3)[..64].to_owned())).unwrap();
        assert_eq!(key.bytes()[..12], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0x01]);
        for wrong in ["", "0", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &format!("{}\n", "0".repeat(64))] {
            assert_eq!(StateKey::parse(&Secret::from(wrong)).err(), Some(ParseStateKeyError), "{wrong:?}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(format!("{:?}", StateKey::parse(&Secret::new("7".repeat(64))).unwrap()), "StateKey(…)");
    }
}
