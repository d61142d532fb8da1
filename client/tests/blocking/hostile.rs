//! A daemon in disorder: an error, and a new connection for the next call.

use tokend_client::{Error, ProtocolError};
use tokend_proto::codec::DecodeError;
use tokend_proto::{Flags, FrameError, Header, codec};

use crate::peer::{Peer, pong};
use crate::script::frame;

fn fails(bytes: impl Fn(u64) -> Vec<u8> + Send, expected: ProtocolError) {
    let mut peer = Peer::new();
    let client = peer.client();
    let script = move |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        connection.send(&bytes(asked.id));
        connection.closed();
        peer.accept().answer(&pong());
    };
    let calls = || {
        let error = client.token("a").unwrap_err();
        assert!(matches!(&error, Error::Protocol(why) if **why == expected), "{error:?}");
        client.ping().unwrap()
    };
    assert_eq!(peer.play(script, calls).0, "1.2.3");
}

#[test]
fn lengths_out_of_bounds_end_the_connection() {
    fails(|_| 65_537u32.to_be_bytes().to_vec(), FrameError::TooLong(65_537).into());
    fails(|_| b"HTTP/1.1 400\r\n".to_vec(), FrameError::TooLong(0x4854_5450).into());
    fails(|_| vec![0, 0, 0, 3, 1, 2, 3], FrameError::TooShort(3).into());
    fails(|_| vec![0, 0, 0, 0], FrameError::TooShort(0).into());
}

#[test]
fn a_value_that_is_no_reply_ends_the_connection() {
    let malformed = ProtocolError::Reply(DecodeError::Malformed);
    fails(|id| frame(Header::new(id), &[0xff; 40]), malformed.clone());
    // A Pong whose version claims u64::MAX bytes.
    let bomb = [0, 253, 255, 255, 255, 255, 255, 255, 255, 255];
    fails(move |id| frame(Header::new(id), &bomb), malformed);
    let trailing = ProtocolError::Reply(DecodeError::TrailingBytes(1));
    fails(|id| frame(Header::new(id), &[0, 1, b'9', 0]), trailing);
}

#[test]
fn an_answer_to_nothing_asked_ends_the_connection() {
    let reply = |_| codec::encode_reply(99, Flags::NONE, &pong()).unwrap();
    fails(reply, ProtocolError::UnknownRequest(99));
}

#[test]
fn a_connection_that_says_more_than_it_owes_is_not_used_again() {
    let mut peer = Peer::new();
    let client = peer.client();
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        let reply = codec::encode_reply(asked.id, Flags::NONE, &pong()).unwrap();
        connection.send(&[&reply[..], &reply[..3]].concat());
        connection.closed();
        peer.accept().answer(&pong());
    };
    peer.play(script, || [(); 2].map(|()| client.ping().unwrap()));
}
