//! Reads `Get`, the most frequent request, by hand: four times as fast as through serde.
//!
//! It accepts only what is exactly one `Get`, and leaves everything else to bincode. The tests compare the two.

use crate::{Millis, Request};

/// The number of `Get` among the variants of [`Request`].
const GET: u8 = 1;

/// The largest number that is a byte of its own. The bytes above it mark numbers of 2, 4, 8 and 16 bytes.
const LAST_SINGLE_BYTE: u8 = 250;

/// The `Get` in these bytes. `None` leaves the decision to bincode.
#[inline]
pub(super) fn get(value: &[u8]) -> Option<Request<'_>> {
    let (&[GET, length @ 0..=LAST_SINGLE_BYTE], rest) = value.split_first_chunk()? else { return None };
    let (name, rest) = rest.split_at_checked(length.into())?;
    let (min_ttl, rest) = number(rest)?;
    let (wait, rest) = number(rest)?;
    let name = std::str::from_utf8(name).ok().filter(|_| rest.is_empty())?;
    Some(Request::Get { name, min_ttl: Millis(min_ttl), wait: Millis(wait) })
}

/// Reads a `u64` and returns what follows it. Like bincode, it accepts a number in more bytes than it needs.
#[inline]
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=LAST_SINGLE_BYTE => Some((first.into(), rest)),
        251 => rest.split_first_chunk().map(|(number, rest)| (u16::from_le_bytes(*number).into(), rest)),
        252 => rest.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number).into(), rest)),
        253 => rest.split_first_chunk().map(|(number, rest)| (u64::from_le_bytes(*number), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DecodeError, decode, decode_request, encode_request};
    use super::*;
    use crate::{HEADER_LEN, LENGTH_PREFIX};

    fn encoded(request: &Request<'_>) -> Vec<u8> {
        encode_request(1, request).expect("it fits into a frame").split_off(LENGTH_PREFIX + HEADER_LEN)
    }

    /// What is read by hand, bincode reads as the same.
    fn same(value: &[u8]) -> bool {
        let by_bincode = decode::<Request<'_>>(value);
        let by_hand = get(value);
        if let Some(request) = by_hand {
            assert_eq!(Ok(request), by_bincode, "{value:?}");
        }
        match decode_request(value) {
            Err(DecodeError::UnknownRequest(_)) => assert_eq!(by_bincode, Err(DecodeError::Malformed), "{value:?}"),
            decoded => assert_eq!(decoded, by_bincode, "{value:?}"),
        }
        by_hand.is_some()
    }

    const NUMBERS: [u64; 10] = [0, 1, 250, 251, 10_000, 65_535, 65_536, u32::MAX as u64, 1 << 32, u64::MAX];

    #[test]
    fn what_clients_send_is_read_by_hand() {
        for (at, min_ttl) in NUMBERS.into_iter().enumerate() {
            for wait in NUMBERS {
                for name in
                    ["", "campus", "msp/497f6eca62764993bfeb53cbbbba6f08", "msp/Müller & Söhne", &"x".repeat(250)]
                {
                    let value = encoded(&Request::Get { name, min_ttl: Millis(min_ttl), wait: Millis(wait) });
                    assert!(same(&value), "{at}: {value:?}");
                }
            }
        }
        assert!(!same(&encoded(&Request::Get { name: &"x".repeat(251), min_ttl: Millis(0), wait: Millis(0) })));
        assert!(!same(&encoded(&Request::Ping)) && !same(&encoded(&Request::Watch { name: "campus" })));
    }

    #[test]
    fn every_number_is_read_as_bincode_reads_it_however_it_is_written() {
        for first in 0..=u8::MAX {
            for byte in [0, 1, 250, 251, 0xff] {
                for more in 0..=20 {
                    let written = [&[first][..], &vec![byte; more]].concat();
                    same(&[&[GET, 1, b'a'], &written[..]].concat());
                    same(&[&[GET, 1, b'a', 7], &written[..]].concat());
                    same(&[&[GET], &written[..]].concat());
                    same(&written);
                }
            }
        }
    }

    #[test]
    fn no_change_of_a_get_is_read_in_another_way() {
        let samples = [
            Request::Get { name: "campus", min_ttl: Millis(0), wait: Millis(10_000) },
            Request::Get { name: "msp/Müller", min_ttl: Millis(1 << 40), wait: Millis(70_000) },
        ];
        for value in samples.map(|request| encoded(&request)) {
            for end in 0..=value.len() {
                assert_eq!(same(&value[..end]), end == value.len());
                for byte in 0..=u8::MAX {
                    same(&[&value[..end], &[byte], &value[end..]].concat());
                    if let Some(rest) = value.get(end + 1..) {
                        same(&[&value[..end], &[byte], rest].concat());
                        same(&[&value[..end], &[byte]].concat());
                    }
                }
            }
        }
    }

    #[test]
    fn noise_is_read_as_bincode_reads_it() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            // xorshift64 (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let mut by_hand = 0;
        for _ in 0..200_000 {
            let [length, name, ..] = next();
            let mut value: Vec<u8> = std::iter::repeat_with(&mut next).take(4).flatten().collect();
            value.truncate(usize::from(length) % 33);
            // Half of the values begin as a Get with a short name.
            if name & 1 == 1 {
                let name = name % 4;
                value.splice(..0, [GET, name].into_iter().chain((0..name).map(|letter| b'a' + letter)));
            }
            by_hand += usize::from(same(&value));
        }
        assert!(by_hand > 1_000, "{by_hand}");
    }
}
