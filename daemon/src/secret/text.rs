//! The text of a secret in the bytes of its source.

use tokend_proto::Secret;
use zeroize::Zeroizing;

use super::error::{MAX_SECRET, SecretError};

/// The secret in what was read: UTF-8, without its trailing newlines, and not empty.
pub(super) fn secret_from(mut bytes: Zeroizing<Vec<u8>>) -> Result<Secret, SecretError> {
    if bytes.len() > MAX_SECRET {
        return Err(SecretError::TooLong);
    }
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err(SecretError::Empty);
    }
    // On failure the bytes are handed back inside the error: they are wiped before it is dropped.
    String::from_utf8(std::mem::take(&mut *bytes)).map(Secret::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        SecretError::NotUtf8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, SecretError> {
        secret_from(Zeroizing::new(bytes.to_vec())).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn trailing_newlines_are_not_part_of_a_secret_and_everything_else_is() {
        for (bytes, expected) in [
            (b"abc".as_slice(), "abc"),
            (b"abc\n", "abc"),
            (b"abc\r\n\n", "abc"),
            (b" a b \n", " a b "),
            (b"a\nb\n", "a\nb"),
        ] {
            assert_eq!(text(bytes), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        assert_eq!(text(b""), Err(SecretError::Empty));
        assert_eq!(text(b"\n\r\n"), Err(SecretError::Empty));
        assert_eq!(text(b"abc\xff"), Err(SecretError::NotUtf8));
        assert_eq!(text(&vec![b'x'; MAX_SECRET + 1]), Err(SecretError::TooLong));
        assert_eq!(text(&vec![b'x'; MAX_SECRET]).expect("fits").len(), MAX_SECRET);
    }
}
