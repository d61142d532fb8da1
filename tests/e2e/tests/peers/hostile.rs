//! Bytes that are no request, and peers that do not keep their side of the bargain.

use std::io::ErrorKind;

use harness::{Daemon, World, timed};
use tokend_proto::limits::{FRAME_TIME, MAX_FRAME, MAX_IN_FLIGHT};
use tokend_proto::{ErrorCode, Flags, Header, Millis, Reply, Request, VERSION, codec};

use super::raw::{Raw, Said, frame};
use super::reader::Reader;

fn world(seed: u64) -> (World, Daemon) {
    let world = World::new(seed);
    world.configure("", &[world.central("campus"), world.classic("legacy")]);
    let daemon = world.start();
    assert!(!world.ctl().token("campus").is_empty());
    (world, daemon)
}

fn get(id: u64) -> Vec<u8> {
    codec::encode_request(id, &Request::Get { name: "campus", min_ttl: Millis(0), wait: Millis(0) }).unwrap()
}

/// What a request is in bytes, without its frame's header.
fn value(request: &Request<'_>) -> Vec<u8> {
    codec::encode_request(1, request).unwrap().split_off(14)
}

/// How many times the memory that it has with one peer the daemon may take at its peak for what is hostile.
const MOST_MEMORY: f64 = 1.25;

/// Of so much memory at first, in KiB, the daemon has kept to [`MOST_MEMORY`].
fn assert_memory_kept(daemon: &Daemon, at_first: u64) {
    let peak = peak_memory(daemon);
    let factor = peak as f64 / at_first as f64;
    println!("the daemon's most memory: {at_first} KiB before, {peak} KiB after, factor {factor:.3}");
    assert!(factor < MOST_MEMORY, "{at_first} KiB before, {peak} KiB after");
}

/// The most memory that the daemon has had, in KiB.
fn peak_memory(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn what_cannot_be_a_frame_is_refused_under_id_0_and_closed() {
    let (world, _daemon) = world(901);
    let reader = Reader::of(&world, "campus");
    let over = u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes();
    for (what, bytes, code) in [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), ErrorCode::FrameTooLarge),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), ErrorCode::FrameTooLarge),
        ("all ones", vec![0xff; 4], ErrorCode::FrameTooLarge),
        ("one byte too many", over.to_vec(), ErrorCode::FrameTooLarge),
        ("all zeros", vec![0; 64], ErrorCode::Malformed),
        ("shorter than its header", vec![0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 7], ErrorCode::Malformed),
    ] {
        let error = Raw::with(&world, &bytes).is_refused(0);
        assert_eq!(error.code, code, "{what}: {error:?}");
        println!("{what}: {}", error.message);
    }
    reader.is_unaffected();
}

#[test]
fn a_value_that_is_no_request_is_refused_under_its_id_and_closed() {
    let (world, daemon) = world(902);
    let reader = Reader::of(&world, "campus");
    let at_first = peak_memory(&daemon);
    let ping = value(&Request::Ping);
    let whole = value(&Request::Get { name: "campus", min_ttl: Millis(0), wait: Millis(0) });
    // A string's length, as a u64 in bincode's varint: what stands there is not there.
    let bomb = [&[1, 253][..], &u64::MAX.to_le_bytes()].concat();
    let smaller_bomb = [&[1, 252][..], &(1u32 << 30).to_le_bytes()].concat();
    for (what, value) in [
        ("nothing", vec![]),
        ("trailing bytes", [ping, vec![0]].concat()),
        ("trailing request", [whole.clone(), whole.clone()].concat()),
        ("half a request", whole[..whole.len() - 1].to_vec()),
        ("a name that is not UTF-8", vec![1, 2, 0xff, 0xfe, 0, 0]),
        ("a length bomb", bomb),
        ("a length bomb of a GiB", smaller_bomb),
        ("the longest frame of nothing but ones", vec![0xff; MAX_FRAME - 10]),
        ("the longest frame with a good start", [whole, vec![7; 60_000]].concat()),
    ] {
        let error = Raw::with(&world, &frame(VERSION, 0xfeed, &value)).is_refused(0xfeed);
        assert_eq!(error.code, ErrorCode::Malformed, "{what}: {error:?}");
        println!("{what}: {}", error.message);
    }
    reader.is_unaffected();
    assert_memory_kept(&daemon, at_first);
}

#[test]
fn an_unknown_version_or_request_is_answered_under_its_id_and_the_connection_goes_on() {
    let (world, _daemon) = world(903);
    let mut raw = Raw::connect(&world);
    let unknown: &[(&str, Vec<u8>)] = &[
        ("version 2", frame(2, 4711, b"whatever that version has")),
        ("version 0", frame(0, 4711, &[])),
        ("version 255", frame(255, 4711, &value(&Request::Ping))),
        ("request 200", frame(VERSION, 4711, &[200])),
        ("request 200 with more", frame(VERSION, 4711, &[200, 1, 2, 3, 4])),
        ("request 70000", frame(VERSION, 4711, &[&[252][..], &70_000_u32.to_le_bytes()].concat())),
    ];
    for (what, bytes) in unknown {
        raw.write(bytes).unwrap();
        let Said::Reply(4711, Reply::Unsupported(said)) = raw.read() else { panic!("{what}: not answered so") };
        assert_eq!(said.versions, [VERSION], "{what}");
        println!("{what}: {}", said.message);
        raw.goes_on();
    }
}

#[test]
fn half_a_frame_and_then_nothing_is_closed_after_its_time() {
    let (world, _daemon) = world(904);
    let reader = Reader::of(&world, "campus");
    let whole = get(5);
    let halves = [1, LENGTH, LENGTH + 3, whole.len() - 1].map(|length| Raw::with(&world, &whole[..length]));
    let ((), took) = timed(|| {
        for mut half in halves {
            let error = half.is_refused(0);
            assert_eq!(error.code, ErrorCode::FrameTimeout, "{error:?}");
            println!("{}", error.message);
        }
    });
    assert!(took < 6 * FRAME_TIME, "{took:?}");
    reader.is_unaffected();
}

const LENGTH: usize = tokend_proto::LENGTH_PREFIX;

#[test]
fn a_frame_that_comes_byte_by_byte_has_no_longer_than_one_that_does_not_come() {
    let (world, _daemon) = world(905);
    let reader = Reader::of(&world, "campus");
    let mut raw = Raw::connect(&world);
    let header = u32::try_from(MAX_FRAME).unwrap().to_be_bytes();
    let ((), took) = timed(|| {
        for byte in header.iter().chain(std::iter::repeat(&1)) {
            // Until the daemon has closed it.
            if raw.write(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    assert!(took < 6 * FRAME_TIME, "a byte now and then does not keep it open: {took:?}");
    let said = raw.read();
    assert!(matches!(&said, Said::Reply(0, Reply::Error(error)) if error.code == ErrorCode::FrameTimeout), "{said:?}");
    reader.is_unaffected();
}

#[test]
fn a_peer_that_never_reads_its_replies_is_closed_and_costs_little() {
    let (world, daemon) = world(906);
    let reader = Reader::of(&world, "campus");
    let at_first = peak_memory(&daemon);
    let mut raw = Raw::connect(&world);
    let requests: Vec<u8> = (0..1000).flat_map(get).collect();
    let (written, took) = timed(|| {
        let mut written = 0_usize;
        loop {
            match raw.write(&requests) {
                Ok(()) => written += requests.len(),
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => break,
                Err(error) => panic!("the daemon does not close it: {error}"),
            }
        }
        written
    });
    println!("closed after {took:?}, {written} bytes of requests");
    assert!(took < 10 * FRAME_TIME, "{took:?}");
    reader.is_unaffected();
    assert_memory_kept(&daemon, at_first);
}

#[test]
fn more_requests_than_a_connection_may_have_open_are_refused_one_by_one() {
    let (world, _daemon) = world(907);
    let reader = Reader::of(&world, "campus");
    let mut raw = Raw::connect(&world);
    // None of these is answered while the chain waits for its request; there is none, so that they wait.
    world.provider().provider().add_fault(
        sandbox::FaultRule::new(sandbox::Fault::Delay(20_000)).at(sandbox::Endpoint::CentralToken).forever(),
    );
    let refresh = |id| codec::encode_request(id, &Request::Refresh { name: "campus" }).unwrap();
    let most = u64::try_from(MAX_IN_FLIGHT).unwrap();
    raw.write(&(1..=most + 10).flat_map(refresh).collect::<Vec<u8>>()).unwrap();
    for id in most + 1..=most + 10 {
        let Said::Reply(said, Reply::Error(error)) = raw.read() else { panic!("an error is expected") };
        assert_eq!((said, error.code), (id, ErrorCode::TooManyRequests), "{error:?}");
    }
    raw.goes_on();
    reader.is_unaffected();
}

#[test]
fn random_bytes_harm_nobody() {
    let (world, mut daemon) = world(908);
    let reader = Reader::of(&world, "campus");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for round in 0..400 {
        let noise: Vec<u8> = (0..next() % 300).map(|_| next().to_le_bytes()[3]).collect();
        let bytes = match round % 4 {
            0 => noise,
            1 => frame(VERSION, next(), &noise),
            // A number of a request, and then noise.
            2 => frame(VERSION, next(), &[&[(next() % 10) as u8], &noise[..]].concat()),
            _ => {
                let mut good = get(next());
                let at = (next() % good.len() as u64) as usize;
                good[at] ^= 1 << (next() % 8);
                [good, noise].concat()
            }
        };
        let mut raw = Raw::connect(&world);
        // The daemon may close before it has all.
        let _ = raw.write(&bytes);
        drop(raw);
    }
    reader.is_unaffected();
    assert!(daemon.is_running());
    assert!(!daemon.log().contains("panic"), "{}", daemon.log());
}

#[test]
fn one_users_connections_are_limited_and_the_others_go_on() {
    let world = World::new(909);
    world.configure("", &[world.central("campus")]);
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("[server]", "[server]\nmax_connections_per_uid = 8")).unwrap();
    let _daemon = world.start();
    assert!(!world.ctl().token("campus").is_empty());
    let reader = Reader::of(&world, "campus");
    let mut held: Vec<Raw> = Vec::new();
    // The connections of commands that have just ended may still count.
    let refused = loop {
        let mut raw = Raw::connect(&world);
        if raw.write(&codec::encode_request(77, &Request::Ping).unwrap()).is_err() {
            break raw.read();
        }
        match raw.read() {
            Said::Reply(77, Reply::Pong { .. }) => held.push(raw),
            other => break other,
        }
        assert!(held.len() <= 8, "there is a limit");
    };
    let Said::Reply(0, Reply::Error(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.code, ErrorCode::TooManyConnections, "{error:?}");
    assert_eq!(world.ctl().run(&["ping"]).status, 6);
    reader.is_unaffected();
    held.pop();
    harness::until("there is room again", || (world.ctl().run(&["ping"]).status == 0).then_some(()));
}

#[test]
fn flags_of_a_request_are_ignored() {
    let (world, _daemon) = world(910);
    let mut bytes = codec::encode_request(9, &Request::Ping).unwrap();
    let header = Header { flags: Flags(0xff), ..Header::new(9) };
    bytes[LENGTH..LENGTH + 10].copy_from_slice(&header.to_bytes());
    let said = Raw::with(&world, &bytes).read();
    assert!(matches!(said, Said::Reply(9, Reply::Pong { .. })), "{said:?}");
}
