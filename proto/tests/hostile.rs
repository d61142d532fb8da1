//! Bytes that no honest peer sends: refused, without much memory, and never by the end of the process.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

mod samples;

use samples::Message;
use tokend_proto::codec::{DecodeError, decode_reply, decode_request};
use tokend_proto::{HEADER_LEN, LENGTH_PREFIX};

/// A length of `u64::MAX` as bincode's varint has it.
const BOMB: [u8; 9] = [253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

fn bomb(before: &[u8], length: &[u8]) -> Vec<u8> {
    [before, length].concat()
}

#[test]
fn a_length_bomb_is_malformed_and_no_abort() {
    // A Get whose name, an Import whose refresh token, a Status whose optional name is that long.
    for before in [&[1][..], &[4, 1, b'a'], &[5, 1]] {
        assert_eq!(decode_request(&bomb(before, &BOMB)), Err(DecodeError::Malformed), "{before:?}");
    }
    // A Pong's version, a token, an error's message, a list of bytes, lists of structs.
    for before in [&[0][..], &[1], &[2, 1], &[3], &[6, 0], &[6, 0, 0], &[7], &[8]] {
        assert_eq!(decode_reply(&bomb(before, &BOMB)), Err(DecodeError::Malformed), "{before:?}");
    }
}

#[test]
fn a_length_just_over_the_frame_limit_is_malformed_even_when_the_bytes_are_there() {
    // 65,537 as a varint of four bytes, and then so many.
    let mut value = bomb(&[0], &[252, 1, 0, 1, 0]);
    value.extend_from_slice(&[b'a'; 65_537]);
    assert_eq!(decode_reply(&value), Err(DecodeError::Malformed));
}

#[test]
fn bytes_after_a_message_are_refused() {
    assert_eq!(decode_request(&[0, 0]), Err(DecodeError::TrailingBytes(1)));
    assert_eq!(decode_reply(&[0, 1, b'9', 1, 2, 3]), Err(DecodeError::TrailingBytes(3)));
}

#[test]
fn a_request_from_a_newer_peer_is_told_by_its_number() {
    let first_unknown = u8::try_from(samples::REQUEST_KINDS.len()).unwrap();
    for number in [first_unknown, 250] {
        assert_eq!(decode_request(&[number, 1, 2, 3]), Err(DecodeError::UnknownRequest(number.into())));
    }
    assert_eq!(decode_request(&[252, 0, 0, 0, 1]), Err(DecodeError::UnknownRequest(1 << 24)));
    // The last one that is known, and a byte too many.
    assert_eq!(decode_request(&[first_unknown - 1, 0, 0]), Err(DecodeError::TrailingBytes(1)));
    // Not a number of 32 bits at all.
    assert_eq!(decode_request(&BOMB), Err(DecodeError::Malformed));
    assert_eq!(decode_request(&[]), Err(DecodeError::Malformed));
}

#[test]
fn no_prefix_and_no_flipped_bit_of_a_message_does_harm() {
    for sample in samples::all() {
        let value = &sample.frame[LENGTH_PREFIX + HEADER_LEN..];
        let is_request = matches!(sample.message, Message::Request(_));
        for end in 0..value.len() {
            let fails =
                if is_request { decode_request(&value[..end]).is_err() } else { decode_reply(&value[..end]).is_err() };
            assert!(fails, "{} cut at {end} is still a message", sample.name);
        }
        let mut flipped = value.to_vec();
        for bit in 0..value.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Whatever it says now, it comes back.
            let _ = decode_request(&flipped);
            let _ = decode_reply(&flipped);
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_malformed() {
    assert_eq!(decode_reply(&[0, 1, 0xff]), Err(DecodeError::Malformed));
    assert_eq!(decode_request(&[3, 1, 0xff]), Err(DecodeError::Malformed));
}
