//! A daemon in disorder, or none at all: errors for those who wait, and nothing worse.

use tokend_client::{Client, Error, ProtocolError};
use tokend_proto::codec::DecodeError;
use tokend_proto::{Flags, FrameError, Header, codec};

use crate::peer::{Peer, pong};
use crate::script::frame;

/// Two calls are in flight; the peer answers with these bytes; both fail so; the next call finds a new
/// connection.
async fn fails_all(bytes: impl Fn(u64) -> Vec<u8>, expected: ProtocolError) {
    let peer = Peer::new();
    let client: Client = peer.client();
    let script = async {
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.next().await;
        connection.send(&bytes(asked.id)).await;
        connection.closed().await;
        let mut connection = peer.accept().await;
        let asked = connection.next().await;
        connection.reply(asked.id, &pong()).await;
    };
    let calls = async {
        let (a, b) = tokio::join!(client.token("a"), client.refresh("b"));
        for error in [a.unwrap_err(), b.unwrap_err()] {
            assert!(matches!(&error, Error::Protocol(why) if **why == expected), "{error:?}");
            assert!(!error.is_retryable());
        }
        client.ping().await.unwrap()
    };
    assert_eq!(tokio::join!(calls, script).0, "1.2.3");
}

#[tokio::test]
async fn a_length_over_the_limit_ends_the_connection() {
    let length = 65_537u32;
    fails_all(move |_| length.to_be_bytes().to_vec(), FrameError::TooLong(65_537).into()).await;
    fails_all(|_| b"HTTP/1.1 400\r\n".to_vec(), FrameError::TooLong(0x4854_5450).into()).await;
}

#[tokio::test]
async fn a_frame_shorter_than_its_header_ends_the_connection() {
    fails_all(|_| vec![0, 0, 0, 3, 1, 2, 3], FrameError::TooShort(3).into()).await;
    fails_all(|_| vec![0, 0, 0, 0], FrameError::TooShort(0).into()).await;
}

#[tokio::test]
async fn a_value_that_is_no_reply_ends_the_connection() {
    let malformed = ProtocolError::Reply(DecodeError::Malformed);
    fails_all(|id| frame(Header::new(id), &[0xff; 40]), malformed.clone()).await;
    // A Pong whose version claims u64::MAX bytes.
    let bomb = [0, 253, 255, 255, 255, 255, 255, 255, 255, 255];
    fails_all(move |id| frame(Header::new(id), &bomb), malformed).await;
    let trailing = ProtocolError::Reply(DecodeError::TrailingBytes(1));
    fails_all(|id| frame(Header::new(id), &[0, 1, b'9', 0]), trailing).await;
}

#[tokio::test]
async fn an_answer_to_nothing_asked_ends_the_connection() {
    let reply = |_| codec::encode_reply(99, Flags::NONE, &pong()).unwrap();
    fails_all(reply, ProtocolError::UnknownRequest(99)).await;
}
