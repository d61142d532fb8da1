//! The log: to stderr as text or JSON, or to journald.
//!
//! Two things hold for each filter. Libraries never get below `info` (see [`ours_or_harmless`]). And an event
//! is one line ([`line`]).
//!
//! Nobody waits for it: a line is made where it is logged, with its time, and left in a queue ([`queue`]), from which
//! one thread writes ([`writer`]). That is the thread of the audit records too. While stderr or journald takes nothing,
//! so many lines wait as the queue has room for; the others are left out and counted, and the count is logged where
//! they are missing. What journald's or the audit's line says is made when it is written: it says how long ago it
//! happened.
//!
//! Not the crate `tracing-appender`: its queue is bounded in lines and not in bytes, what it dropped is not in the log,
//! and it takes neither events for journald nor audit records with a bound of their own.

mod event;
pub(crate) mod late;
mod line;
mod queue;
pub mod stderr;
mod stored_event;
#[cfg(test)]
mod tests;
mod writer;

use std::io::{self, IsTerminal, Write};
use std::os::unix::net::UnixDatagram;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::{Dispatch, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::EitherWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::audit::{AuditAsLine, Records};
use crate::log::stderr::Unlocked;
use event::Events;
use line::OneLine;
use queue::{IntoQueue, Queue};
pub use writer::Running;

/// Where journald listens, systemd.journal-fields(7).
const JOURNALD: &str = "/run/systemd/journal/socket";

/// What is logged when nothing is said.
pub const DEFAULT_FILTER: &str = "info";

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LogFormat {
    /// For people, with colours on a terminal.
    #[default]
    Text,
    /// An object a line.
    Json,
    /// journald's own protocol, with priorities and fields.
    Journald,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No such format.
    #[error("`{0}` is no log format: it is `text`, `json` or `journald`")]
    Format(String),
    /// A bad filter.
    #[error("`{filter}` is no log filter: write `info`, `debug`, or `warn,tokend::provider=debug`")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// No journald.
    #[error("cannot reach journald: log with `--log-format text` where it does not run")]
    Journald(#[source] io::Error),
    /// No thread.
    #[error("cannot start a thread for the log")]
    Thread(#[source] io::Error),
    /// Called twice: a fault in the daemon.
    #[error("there is a log already")]
    Already(#[source] tracing::dispatcher::SetGlobalDefaultError),
}

impl FromStr for LogFormat {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "journald" => Ok(Self::Journald),
            other => Err(LogError::Format(other.escape_debug().to_string())),
        }
    }
}

/// A log that nothing is wrong with and that has not begun.
pub struct Log {
    filter: EnvFilter,
    format: LogFormat,
}

/// The log that has begun leaves its lines here.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

impl Log {
    /// `filter` in EnvFilter's syntax.
    ///
    /// # Errors
    /// When the filter is wrong or journald is not there.
    pub fn new(filter: &str, format: LogFormat) -> Result<Self, LogError> {
        let filter = parse_filter(filter)?;
        if format == LogFormat::Journald {
            find_journald().map_err(LogError::Journald)?;
        }
        Ok(Self { filter, format })
    }

    /// Makes it the log of the process, with these audit records; what was said before is lost.
    ///
    /// What libraries say through the `log` crate is not taken up: reqwest's most talkative lines, whole requests with
    /// their bodies, go that way.
    ///
    /// # Errors
    /// When there is one already, or no thread for it.
    pub fn start(self, records: Records) -> Result<Running, LogError> {
        let queue = Arc::<Queue>::default();
        let stderr = Unlocked(Arc::new(io::stderr()));
        let outlet = Outlet { queue: Arc::clone(&queue), stream: stderr.clone() };
        let output = match self.format {
            LogFormat::Text => text(outlet, wants_colours()).boxed(),
            LogFormat::Json => json(outlet).boxed(),
            LogFormat::Journald => Events::new(Arc::clone(&queue), tracing_journald::layer).boxed(),
        };
        let log = Dispatch::new(assemble(output, self.filter));
        let running = Running::start(Arc::clone(&queue), records, stderr, log.clone()).map_err(LogError::Thread)?;
        tracing::dispatcher::set_global_default(log).map_err(LogError::Already)?;
        let _ = QUEUE.set(queue);
        Ok(running)
    }
}

/// Waits until what was logged is written, but not longer than this.
pub fn flush(patience: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(patience);
    }
}

/// Whether journald is there. It may be too busy to take anything now.
fn find_journald() -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    // It takes an empty message for none.
    match socket.send_to(&[], JOURNALD) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

/// Where a line goes: from the writer's thread to the stream, from all others into the queue.
struct Outlet<W> {
    queue: Arc<Queue>,
    stream: W,
}

impl<'o, W: Write + Clone + 'o> MakeWriter<'o> for Outlet<W> {
    type Writer = EitherWriter<W, IntoQueue<'o>>;

    fn make_writer(&'o self) -> Self::Writer {
        if writer::is_this_thread() {
            EitherWriter::A(self.stream.clone())
        } else {
            EitherWriter::B(IntoQueue(&self.queue))
        }
    }
}

fn parse_filter(text: &str) -> Result<EnvFilter, LogError> {
    let words = if text.trim().is_empty() { DEFAULT_FILTER } else { text };
    EnvFilter::builder()
        .parse(words)
        .map_err(|source| LogError::Filter { filter: text.escape_debug().to_string(), source })
}

fn assemble(output: Box<dyn Layer<Registry> + Send + Sync>, filter: EnvFilter) -> impl Subscriber + Send + Sync {
    tracing_subscriber::registry().with(output).with(filter).with(filter_fn(ours_or_harmless))
}

/// Below `info` only our own crates speak, whose secrets cannot be printed. The HTTP and TLS libraries do not know a
/// token from other bytes: reqwest can log whole connections, hyper and h2 what they parse, rustls its handshakes, and
/// what they print may change with any version. So it is not a list of these, but of what is allowed.
fn ours_or_harmless(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    *metadata.level() <= Level::INFO
        || ["tokend", "tokend_proto", "tokend_client"]
            .iter()
            .any(|ours| target.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
}

fn text<S, W>(writer: W, colours: bool) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let writer = OneLine { writer, colours, level: Level::INFO };
    let format = AuditAsLine(tracing_subscriber::fmt::format());
    tracing_subscriber::fmt::layer().with_ansi(false).event_format(format).with_writer(writer)
}

fn json<S, W>(writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let writer = OneLine { writer, colours: false, level: Level::INFO };
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(writer)
}

/// no-color.org; TERM=dumb.
fn wants_colours() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
