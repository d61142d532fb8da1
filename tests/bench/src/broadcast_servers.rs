//! Servers of our own to compare with that tell very many connections the same at once.
//!
//! A connection begins with one byte: [`LISTEN`] is answered with [`LISTENING`], and from then on it gets the bytes
//! whenever a byte comes over the one connection that began with [`TELL`].

use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;

/// Wants to be told.
pub(super) const LISTEN: u8 = b'?';
/// Is going to be told.
pub(super) const LISTENING: u8 = b'+';
/// Has all of them told.
pub(super) const TELL: u8 = b'!';

/// One write after the other: the least that it takes.
pub(super) fn blocking(socket: &Path, bytes: &[u8]) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    let mut listeners = Vec::new();
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut word = [0];
        // A client that only looked whether anybody listens has gone.
        if stream.read_exact(&mut word).is_err() {
            continue;
        }
        if word == [LISTEN] {
            stream.write_all(&[LISTENING])?;
            listeners.push(stream);
            continue;
        }
        // Nobody comes after this one.
        loop {
            for listener in &mut listeners {
                listener.write_all(bytes)?;
            }
            stream.read_exact(&mut word)?;
        }
    }
}

/// A task for each connection, on a current-thread runtime.
pub(super) async fn on_tokio(socket: &Path, bytes: Arc<[u8]>) -> io::Result<()> {
    let listener = tokio::net::UnixListener::bind(socket)?;
    let news = Arc::new(watch::Sender::new(()));
    loop {
        let (stream, _) = listener.accept().await?;
        // It ends when its peer has gone.
        tokio::spawn(serve(stream, Arc::clone(&news), Arc::clone(&bytes)));
    }
}

async fn serve(mut stream: UnixStream, news: Arc<watch::Sender<()>>, bytes: Arc<[u8]>) -> io::Result<()> {
    while stream.read_u8().await? == TELL {
        news.send_replace(());
    }
    let mut told = news.subscribe();
    drop(news);
    stream.write_u8(LISTENING).await?;
    while told.changed().await.is_ok() {
        stream.write_all(&bytes).await?;
    }
    Ok(())
}
