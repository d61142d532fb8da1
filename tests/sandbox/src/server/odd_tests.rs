//! Odd answers as they are on the wire, byte by byte.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::super::{Fault, FaultRule, Odd, Population};
use super::*;

/// Long enough for a busy machine; nothing waits that long when it works.
const LONG: Duration = Duration::from_secs(20);

/// Everything that comes for a token request with this oddity, until the connection ends.
fn wire(odd: Odd) -> (String, Vec<u8>) {
    let (stream, _sandbox) = asked(odd);
    let mut stream = stream;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&bytes[..end + 2]).into_owned(), bytes.split_off(end + 4))
}

fn asked(odd: Odd) -> (TcpStream, Sandbox) {
    let (provider, world) = Population::settle(22);
    let sandbox = Sandbox::start(provider).unwrap();
    sandbox.provider().add_fault(FaultRule::new(Fault::Odd(odd)));
    let mut stream = TcpStream::connect(sandbox.addr()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        world.central.client_id, world.central.client_secret
    );
    let length = body.len();
    let request = format!(
        "POST /as/token.oauth2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    (stream, sandbox)
}

fn announced(head: &str) -> Option<usize> {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.map(|length| length.parse().unwrap())
}

#[test]
fn a_coding_is_named_and_its_length_is_that_of_what_is_sent() {
    for (odd, name, begins) in [
        (Odd::Gzip, "gzip", &b"\x1f\x8b\x08"[..]),
        (Odd::Deflate, "deflate", b"\x78\x01"),
        (Odd::RawDeflate, "deflate", b"\x01"),
    ] {
        let (head, body) = wire(odd);
        assert!(head.contains(&format!("content-encoding: {name}\r\n")), "{head}");
        assert!(body.starts_with(begins) && announced(&head) == Some(body.len()), "{odd:?}");
    }
}

#[test]
fn a_body_without_a_last_chunk_is_all_there() {
    let (head, body) = wire(Odd::NoLastChunk);
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    let text = String::from_utf8(body).unwrap();
    assert!(text.ends_with("}\r\n") && !text.contains("\r\n0\r\n"), "{text}");
}

#[test]
fn a_length_that_is_too_long_is_followed_by_all_and_no_more() {
    let (head, body) = wire(Odd::LengthTooLong);
    assert_eq!(announced(&head), Some(body.len() + 64));
    assert!(body.starts_with(b"{") && body.ends_with(b"}"));
}

#[test]
fn a_silent_connection_brings_everything_and_stays_open() {
    let (mut stream, _sandbox) = asked(Odd::LengthTooLongAndSilent);
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).unwrap();
        assert!(count > 0, "it is still open");
        bytes.extend_from_slice(&some[..count]);
    }
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "neither more nor an end");
}

#[test]
fn odd_headers_stand_after_the_status_line_and_the_body_is_whole() {
    for (odd, lines) in [
        (Odd::BlankBeforeColon, "X-A : 1\r\n"),
        (Odd::FoldedHeader, "X-Cache: MISS from edge-07\r\n\tand from edge-08\r\n"),
        (Odd::ManyHeaders, "X-Edge-0: 0\r\n"),
    ] {
        let (head, body) = wire(odd);
        assert!(head.starts_with(&format!("HTTP/1.1 200 OK\r\n{lines}")), "{head}");
        assert_eq!(announced(&head), Some(body.len()), "{odd:?}");
    }
    assert!(wire(Odd::ManyHeaders).0.lines().count() > 120);
}

#[test]
fn what_is_odd_is_odd_once() {
    let (mut stream, sandbox) = asked(Odd::ManyHeaders);
    stream.read_to_end(&mut Vec::new()).unwrap();
    let mut stream = TcpStream::connect(sandbox.addr()).unwrap();
    stream.write_all(b"GET /monitoring/v1/devices HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 401") && !text.contains("X-Edge"), "{text}");
}
