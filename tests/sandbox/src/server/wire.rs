//! A TCP stream that can be reset and into whose next head lines can be put, and a body that can end too early.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is to become of a connection beside what hyper does with it.
#[derive(Default)]
pub(super) struct Tricks {
    reset: AtomicBool,
    lines: Mutex<Option<String>>,
}

impl Tricks {
    /// It is to end with a RST.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// The next head has these lines after its first, each with its end.
    pub(super) fn put_in(&self, lines: String) {
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines);
    }

    fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Relaxed)
    }

    fn take_lines(&self) -> Option<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A stream that plays the tricks when its time comes.
pub(super) struct Wire {
    stream: TcpStream,
    tricks: Arc<Tricks>,
    /// Taken from hyper and not sent yet: a head with lines put in.
    pending: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, tricks: Arc<Tricks>) -> Self {
        Self { stream, tricks, pending: Vec::new() }
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.tricks.is_reset() {
            // With a linger time of zero, close(2) discards what is unsent and resets the connection: socket(7).
            // If it fails the client sees a FIN, which is a lost reply as well.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        if let Some(lines) = self.tricks.take_lines() {
            // hyper hands a head over in one piece.
            let first = buf.windows(2).position(|pair| pair == b"\r\n").map_or(buf.len(), |at| at + 2);
            self.pending = [&buf[..first], lines.as_bytes(), &buf[first..]].concat();
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.tricks.is_reset() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A response's body as it goes out.
pub(super) enum Script {
    /// All of it, then the end.
    Whole(Option<Bytes>),
    /// So much, flushed, and then the connection breaks.
    Cut {
        /// What is sent.
        start: Option<Bytes>,
        /// hyper flushes what it holds when the body is pending, and drops it when the body fails.
        paused: bool,
    },
    /// All that comes, and then nothing for ever.
    Silent(Option<Bytes>),
}

/// The body was to end here.
#[derive(Debug, thiserror::Error)]
#[error("the body is cut short")]
pub(super) struct CutShort;

impl Script {
    pub(super) fn whole(body: Vec<u8>) -> Self {
        Self::Whole(Some(Bytes::from(body)).filter(|bytes| !bytes.is_empty()))
    }

    pub(super) fn silent(body: &[u8]) -> Self {
        Self::Silent(Some(Bytes::copy_from_slice(body)).filter(|bytes| !bytes.is_empty()))
    }

    pub(super) fn cut(body: &[u8]) -> Self {
        Self::Cut { start: Some(Bytes::copy_from_slice(body)).filter(|bytes| !bytes.is_empty()), paused: false }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match &mut *self {
            Self::Whole(body) => Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Silent(start) => match start.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                // The connection's task ends when the client goes away, which hyper looks for.
                None => Poll::Pending,
            },
            Self::Cut { start, paused } => {
                if let Some(bytes) = start.take() {
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                ready!(pause_once(paused, cx));
                Poll::Ready(Some(Err(CutShort)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Cut { .. } | Self::Silent(_) => SizeHint::default(),
        }
    }
}

fn pause_once(paused: &mut bool, cx: &Context<'_>) -> Poll<()> {
    if std::mem::replace(paused, true) {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
