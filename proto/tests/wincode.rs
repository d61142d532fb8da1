//! The golden vectors, decoded by another implementation of the same format.
//!
//! bincode is finished and no longer maintained. Should it have to go, wincode's variable-width integers over
//! otherwise default settings are bincode 2's `standard` configuration; these mirrors of our types hold that.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

mod mirror;
mod samples;

use samples::Message;
use tokend_proto::{HEADER_LEN, LENGTH_PREFIX, codec};

#[test]
fn wincode_reads_every_vector_as_we_do() {
    let config = wincode::config::Configuration::default().with_varint_encoding();
    for sample in samples::all() {
        let path = format!("{}/tests/vectors/{}.bin", env!("CARGO_MANIFEST_DIR"), sample.name);
        let frame = std::fs::read(&path).unwrap();
        let value = &frame[LENGTH_PREFIX + HEADER_LEN..];
        match sample.message {
            Message::Request(_) => {
                let theirs: mirror::Request<'_> = wincode::config::deserialize_exact(value, config).unwrap();
                let secret = theirs.secret();
                assert_eq!(theirs.to_proto(&secret), codec::decode_request(value).unwrap(), "{}", sample.name);
            }
            Message::Reply(..) => {
                let theirs: mirror::Reply = wincode::config::deserialize_exact(value, config).unwrap();
                assert_eq!(theirs.into_proto(), codec::decode_reply(value).unwrap(), "{}", sample.name);
            }
        }
    }
}
