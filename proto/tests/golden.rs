//! Golden vectors: the bytes on the wire never change.
//!
//! `vectors/NAME.bin` is a whole frame for each sample. A vector is **never** rewritten: where one does not fit
//! any more, the change breaks peers in the field; a new field is a new variant. To add the vectors of a new
//! variant, add its samples and run
//!
//! ```text
//! cargo test -p tokend-proto --test golden -- --ignored
//! ```
//!
//! which writes those that are missing and cannot touch one that is there.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

mod samples;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use samples::{HEALTHS, Message, REPLY_KINDS, REQUEST_KINDS, Sample, health_kind, reply_kind, request_kind};
use tokend_proto::{ErrorCode, HEADER_LEN, Header, LENGTH_PREFIX, Reply, codec, frame_length};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn path(sample: &Sample) -> PathBuf {
    folder().join(format!("{}.bin", sample.name))
}

fn vector(sample: &Sample) -> Vec<u8> {
    let path = path(sample);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; a new sample? See this file's head", path.display()))
}

#[test]
#[ignore = "writes the vectors of new samples"]
fn write_missing_vectors() {
    for sample in samples::all() {
        match File::create_new(path(&sample)) {
            Ok(mut file) => file.write_all(&sample.frame).unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{}", sample.name),
        }
    }
}

#[test]
fn every_message_is_encoded_byte_for_byte_as_ever() {
    for sample in samples::all() {
        assert_eq!(sample.frame, vector(&sample), "{}", sample.name);
    }
}

#[test]
fn every_vector_is_decoded_to_its_message() {
    for sample in samples::all() {
        let frame = vector(&sample);
        let (prefix, rest) = frame.split_first_chunk::<LENGTH_PREFIX>().unwrap();
        assert_eq!(frame_length(*prefix), Ok(rest.len()), "{}", sample.name);
        let (header, value) = Header::split(rest).unwrap();
        match &sample.message {
            Message::Request(request) => {
                assert_eq!(codec::decode_request(value).as_ref(), Ok(request), "{}", sample.name)
            }
            Message::Reply(flags, reply) => {
                assert_eq!(header.flags, *flags, "{}", sample.name);
                assert_eq!(codec::decode_reply(value).as_ref(), Ok(reply), "{}", sample.name);
            }
        }
    }
}

#[test]
fn every_variant_has_a_vector_under_its_name_and_its_number() {
    let mut seen = BTreeSet::new();
    for sample in samples::all() {
        let (kind, kinds) = match &sample.message {
            Message::Request(request) => (request_kind(request), REQUEST_KINDS),
            Message::Reply(_, reply) => (reply_kind(reply), REPLY_KINDS),
        };
        assert!(sample.name.starts_with(kind), "{} is a {kind}", sample.name);
        let number = usize::from(vector(&sample)[LENGTH_PREFIX + HEADER_LEN]);
        assert_eq!(kinds.get(number), Some(&kind), "the number of {}", sample.name);
        seen.insert(kind);
    }
    let expected: BTreeSet<&str> = REQUEST_KINDS.iter().chain(REPLY_KINDS).copied().collect();
    assert_eq!(seen, expected);
}

#[test]
fn every_health_is_in_a_vector_in_its_order() {
    let page = samples::all().into_iter().find_map(|sample| match sample.message {
        Message::Reply(_, Reply::Status(page)) if !page.names.is_empty() => Some(page),
        _ => None,
    });
    let healths: Vec<&str> = page.unwrap().names.iter().map(|name| health_kind(&name.health)).collect();
    assert_eq!(healths, HEALTHS);
}

#[test]
fn no_vector_is_without_its_sample() {
    let known: BTreeSet<String> = samples::all().iter().map(|sample| format!("{}.bin", sample.name)).collect();
    let there = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.filter(|name| !known.contains(name)).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn error_codes_keep_their_numbers_and_words() {
    let table = [
        (1, "internal"),
        (2, "malformed"),
        (3, "frame_too_large"),
        (4, "invalid_argument"),
        (5, "too_many_requests"),
        (6, "too_many_connections"),
        (7, "frame_timeout"),
        (8, "busy"),
        (20, "denied"),
        (21, "no_such_name"),
        (30, "unavailable"),
        (31, "throttled"),
        (32, "awaiting_login"),
        (40, "rejected"),
        (41, "chain_lost"),
        (42, "chain_empty"),
        (50, "invalid_configuration"),
    ];
    let codes: Vec<(u16, &str)> = ErrorCode::ALL.iter().map(|&code| (code.into(), code.as_str())).collect();
    assert_eq!(codes, table, "a new code is a new line here; an old line never changes");
}
