use std::future::poll_fn;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

const LIMIT: Duration = Duration::from_secs(60);

fn pair() -> (Stream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(LIMIT)).unwrap();
    (Stream::new(ours).unwrap(), theirs)
}

async fn read(stream: &mut Stream, room: &mut [u8]) -> usize {
    let read = poll_fn(|cx| stream.poll_read(cx, room));
    tokio::time::timeout(LIMIT, read).await.expect("in time").expect("the peer is there")
}

async fn write(stream: &mut Stream, bytes: &[u8]) -> usize {
    let write = poll_fn(|cx| stream.poll_write(cx, bytes));
    tokio::time::timeout(LIMIT, write).await.expect("in time").expect("the peer is there")
}

/// Whether there is nothing to read.
async fn is_quiet(stream: &mut Stream) -> bool {
    // Let the runtime look at its descriptors first.
    tokio::task::yield_now().await;
    poll_fn(|cx| Poll::Ready(stream.poll_read(cx, &mut [0; 8]).is_pending())).await
}

#[tokio::test]
async fn what_is_there_already_is_read_unannounced_and_the_rest_when_it_comes() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"early").unwrap();
    let mut room = [0; 8];
    let now = poll_fn(|cx| Poll::Ready(ours.poll_read(cx, &mut room))).await;
    assert!(matches!(now, Poll::Ready(Ok(5))), "{now:?}");
    assert!(is_quiet(&mut ours).await);
    theirs.write_all(b"later").unwrap();
    assert_eq!((read(&mut ours, &mut room).await, &room[..5]), (5, &b"later"[..]));
    assert!(is_quiet(&mut ours).await);
}

#[tokio::test]
async fn more_than_there_is_room_for_is_read_bit_by_bit_to_the_end() {
    let (mut ours, mut theirs) = pair();
    let mut room = [0; 4];
    for piece in [&b"0123456789ab"[..], b"0123456789"] {
        theirs.write_all(piece).unwrap();
        let mut got = Vec::new();
        while got.len() < piece.len() {
            let length = read(&mut ours, &mut room).await;
            got.extend_from_slice(&room[..length]);
        }
        assert_eq!(got, piece);
        assert!(is_quiet(&mut ours).await);
    }
    theirs.write_all(b"bye").unwrap();
    drop(theirs);
    assert_eq!(read(&mut ours, &mut room).await, 3);
    assert_eq!(read(&mut ours, &mut room).await, 0);
    assert_eq!(read(&mut ours, &mut room).await, 0, "it stays the end");
}

#[tokio::test]
async fn a_peer_that_does_not_keep_up_gets_everything_in_the_end_and_is_heard_meanwhile() {
    let (mut ours, mut theirs) = pair();
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let expected = bytes.clone();
    theirs.write_all(b"before").unwrap();
    let mut sent = 0;
    while let Poll::Ready(written) = poll_fn(|cx| Poll::Ready(ours.poll_write(cx, &bytes[sent..]))).await {
        sent += written.unwrap();
    }
    assert!(sent < bytes.len() && ours.both);
    let mut room = [0; 16];
    assert_eq!(read(&mut ours, &mut room).await, 6, "what came before it was registered again");
    theirs.write_all(b"after").unwrap();
    assert_eq!(read(&mut ours, &mut room).await, 5);

    let reader = std::thread::spawn(move || {
        let mut got = vec![0; expected.len()];
        theirs.read_exact(&mut got).unwrap();
        assert!(got == expected);
        theirs
    });
    while sent < bytes.len() {
        sent += write(&mut ours, &bytes[sent..]).await;
    }
    let mut theirs = reader.join().unwrap();
    theirs.write_all(b"x").unwrap();
    assert_eq!(read(&mut ours, &mut room).await, 1);
}

#[tokio::test]
async fn who_has_gone_is_not_written_to() {
    let (mut ours, theirs) = pair();
    drop(theirs);
    let written = poll_fn(|cx| ours.poll_write(cx, b"x")).await;
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// As often as the thread is woken it has something to read.
#[test]
fn a_reply_that_is_taken_wakes_nobody() {
    const ROUNDS: usize = 200;
    let wakeups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakeups);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_unpark(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut ours, mut theirs) = pair();
        let peer = std::thread::spawn(move || {
            let mut reply = vec![0; 4_096];
            for _ in 0..ROUNDS {
                theirs.write_all(b"x").unwrap();
                theirs.read_exact(&mut reply).unwrap();
                // A task that is woken for what was taken is woken before there is something to read.
                std::thread::yield_now();
            }
        });
        for _ in 0..ROUNDS {
            assert_eq!(read(&mut ours, &mut [0; 8]).await, 1);
            assert_eq!(write(&mut ours, &[7; 4_096]).await, 4_096);
        }
        peer.join().unwrap();
    });
    let wakeups = wakeups.load(Ordering::Relaxed);
    assert!(wakeups <= ROUNDS + ROUNDS / 4, "{wakeups} for {ROUNDS} requests");
}
