//! Frames and bytes: the read path, order, and what is no request.

use std::net::Shutdown;
use std::time::Duration;

use tokend_proto::{ErrorCode, Flags, Millis, Reply, Request, codec};

use super::harness::{Daemon, get, raw_frame, token_name};
use crate::core::issued::ReadMode;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_token_on_the_board_is_read_without_the_core() {
    let mut daemon = Daemon::start();
    let token = daemon.publish("campus", "s3cret", HOUR);
    let mut peer = daemon.connect();
    for id in [7, u64::MAX] {
        peer.send(id, &get("campus"));
        let (flags, read) = peer.token(id);
        assert_eq!(flags, Flags::NONE);
        assert_eq!(read.access_token.expose(), "s3cret");
        assert_eq!(read.expires_at.boot_ms, token.expires.0);
    }
    assert!(daemon.token_cache.last_read(&token_name("campus")).is_some());
    assert!(daemon.nothing_was_asked());
}

#[test]
fn a_new_token_is_read_on_an_old_connection() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    for text in ["first", "second"] {
        daemon.publish("campus", text, HOUR);
        peer.send(1, &get("campus"));
        assert_eq!(peer.token(1).1.access_token.expose(), text);
    }
    daemon.token_cache.withdraw(&token_name("campus"));
    daemon.publish("campus", "third", HOUR);
    peer.send(1, &get("campus"));
    assert_eq!(peer.token(1).1.access_token.expose(), "third");
}

#[test]
fn a_token_that_is_being_renewed_is_flagged() {
    let daemon = Daemon::start();
    let token = daemon.issue("t", HOUR);
    daemon.token_cache.publish(
        &token_name("legacy"),
        &token,
        ReadMode::ServeRenewing,
        super::super::Clock::now(&*daemon.clock),
    );
    let mut peer = daemon.connect();
    peer.send(1, &get("legacy"));
    assert_eq!(peer.token(1).0, Flags::RENEWING);
}

#[test]
fn a_thousand_requests_in_one_write_are_all_answered_in_order() {
    let daemon = Daemon::start();
    daemon.publish("campus", &"x".repeat(1_500), HOUR);
    let requests: Vec<u8> = (0..1_000)
        .flat_map(|id| {
            let request = if id % 2 == 0 { Request::Ping } else { get("campus") };
            codec::encode_request(id, &request).unwrap()
        })
        .collect();
    let mut peer = daemon.connect();
    let mut writer = peer.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut writer, &requests).unwrap());
        for id in 0..1_000 {
            match peer.reply_to(id) {
                Reply::Pong { .. } => assert_eq!(id % 2, 0),
                Reply::Token(token) => assert_eq!((id % 2, token.access_token.expose().len()), (1, 1_500)),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_request_may_arrive_in_any_pieces() {
    let daemon = Daemon::start();
    daemon.publish("campus", "s3cret", HOUR);
    let mut peer = daemon.connect();
    let mut bytes = codec::encode_request(1, &get("campus")).unwrap();
    bytes.extend(codec::encode_request(2, &get("campus")).unwrap());
    for byte in &bytes[..bytes.len() - 1] {
        peer.send_bytes(&[*byte]);
    }
    assert_eq!(peer.token(1).1.access_token.expose(), "s3cret");
    peer.send_bytes(&bytes[bytes.len() - 1..]);
    assert_eq!(peer.token(2).1.access_token.expose(), "s3cret");
}

#[test]
fn an_oversize_frame_is_refused_before_it_is_read() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send_bytes(&(64 * 1024 + 1_u32).to_be_bytes());
    assert_eq!(peer.error(0).code, ErrorCode::FrameTooLarge);
    assert!(peer.is_closed());
}

#[test]
fn a_frame_shorter_than_its_header_is_refused() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send_bytes(&[0, 0, 0, 9]);
    assert_eq!(peer.error(0).code, ErrorCode::Malformed);
    assert!(peer.is_closed());
}

#[test]
fn garbage_is_answered_and_closed_after_what_was_asked_before() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    let mut bytes = codec::encode_request(1, &Request::Ping).unwrap();
    bytes.extend(raw_frame(1, 2, &[1, 0xff, 0xff, 0xff]));
    bytes.extend(codec::encode_request(3, &Request::Ping).unwrap());
    peer.send_bytes(&bytes);
    assert!(matches!(peer.reply_to(1), Reply::Pong { .. }));
    assert_eq!(peer.error(2).code, ErrorCode::Malformed);
    assert!(peer.is_closed());
    assert!(daemon.connect().is_served());
}

#[test]
fn a_length_bomb_inside_the_value_is_malformed() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    // Get whose name claims 2^60 bytes.
    peer.send_bytes(&raw_frame(1, 9, &[1, 253, 0, 0, 0, 0, 0, 0, 0, 16]));
    assert_eq!(peer.error(9).code, ErrorCode::Malformed);
    assert!(peer.is_closed());
}

#[test]
fn bytes_after_the_value_are_malformed() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send_bytes(&raw_frame(1, 9, &[0, 0]));
    assert_eq!(peer.error(9).code, ErrorCode::Malformed);
    assert!(peer.is_closed());
}

#[test]
fn an_unknown_version_or_request_is_answered_under_its_id_and_the_connection_goes_on() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    for frame in [raw_frame(2, 5, &[0xff; 40]), raw_frame(1, 5, &[99]), raw_frame(1, 5, &[200, 1, 2, 3])] {
        peer.send_bytes(&frame);
        match peer.reply_to(5) {
            Reply::Unsupported(unsupported) => assert_eq!(unsupported.versions, [1]),
            other => panic!("{other:?}"),
        }
    }
    assert!(peer.is_served());
}

#[test]
fn an_error_is_read_by_a_peer_that_goes_on_writing() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    let mut writer = peer.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        // The connection is closed while this is being written.
        scope.spawn(move || std::io::Write::write_all(&mut writer, &vec![0xff; 4 << 20]).unwrap_err());
        assert_eq!(peer.error(0).code, ErrorCode::FrameTooLarge);
        assert!(peer.is_closed());
    });
}

#[test]
fn what_was_asked_before_the_writing_side_was_closed_is_answered() {
    let daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &Request::Ping);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(peer.reply_to(1), Reply::Pong { .. }));
    assert!(peer.is_closed());
}

#[test]
fn less_life_than_asked_for_and_expired_tokens_are_the_cores_business() {
    let mut daemon = Daemon::start();
    daemon.publish("campus", "t", HOUR);
    let mut peer = daemon.connect();
    peer.send(1, &Request::Get { name: "campus", min_ttl: Millis(3_600_001), wait: Millis(0) });
    daemon.question().2.send(crate::core::effect::Outcome::Error(super::questions::unavailable()));
    assert_eq!(peer.error(1).code, ErrorCode::Unavailable);
    daemon.clock.advance(HOUR);
    peer.send(2, &get("campus"));
    daemon.question().2.send(crate::core::effect::Outcome::Error(super::questions::unavailable()));
    assert_eq!(peer.error(2).code, ErrorCode::Unavailable);
}
