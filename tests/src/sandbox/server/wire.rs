//! A TCP stream that can be reset, and a body that can end too early.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Set once the connection is to be reset.
pub(super) type ResetFlag = Arc<AtomicBool>;

/// A stream that sends a RST instead of a FIN when it is dropped with its flag set.
pub(super) struct Wire {
    stream: TcpStream,
    reset: ResetFlag,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, reset: ResetFlag) -> Self {
        Self { stream, reset }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
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
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
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
}

/// The body was to end here.
#[derive(Debug, thiserror::Error)]
#[error("the body is cut short")]
pub(super) struct CutShort;

impl Script {
    pub(super) fn whole(body: Vec<u8>) -> Self {
        Self::Whole(Some(Bytes::from(body)).filter(|bytes| !bytes.is_empty()))
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
            Self::Cut { .. } => SizeHint::default(),
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
