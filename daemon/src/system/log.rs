//! The log: to stderr as text or JSON, or to journald.
//!
//! Two things hold whatever filter is given. Libraries never get below `info` (see [`ours_or_harmless`]). And an event
//! is one line: control characters, which words from a provider may hold, are escaped.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::audit::AuditAsLine;

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
    output: Box<dyn Layer<Registry> + Send + Sync>,
}

impl Log {
    /// `filter` in EnvFilter's syntax.
    ///
    /// # Errors
    /// When the filter is wrong or journald is not there.
    pub fn new(filter: &str, format: LogFormat) -> Result<Self, LogError> {
        let filter = parse_filter(filter)?;
        let output: Box<dyn Layer<Registry> + Send + Sync> = match format {
            LogFormat::Text => text(io::stderr, wants_colours()).boxed(),
            LogFormat::Json => json(io::stderr).boxed(),
            LogFormat::Journald => tracing_journald::layer().map_err(LogError::Journald)?.boxed(),
        };
        Ok(Self { filter, output })
    }

    /// Makes it the log of the process; what was said before is lost.
    ///
    /// What libraries say through the `log` crate is not taken up: reqwest's most talkative lines, whole requests with
    /// their bodies, go that way.
    ///
    /// # Errors
    /// When there is one already.
    pub fn start(self) -> Result<(), LogError> {
        tracing::subscriber::set_global_default(assemble(self.output, self.filter)).map_err(LogError::Already)
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

/// Escapes control characters in each event, then adds the colours. tracing-subscriber escapes some of them, but no line
/// ends, with which a provider could write lines of its own into the log, and (as of 0.3.23) nothing in a field that is
/// recorded with `%`.
struct OneLine<W> {
    writer: W,
    colours: bool,
    level: Level,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLine { writer: self.writer.make_writer(), colours: self.colours, level: self.level }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Self::Writer {
        let level = *metadata.level();
        OneLine { writer: self.writer.make_writer_for(metadata), colours: self.colours, level }
    }
}

impl<W: Write> Write for OneLine<W> {
    /// One whole event: that is how tracing-subscriber writes.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut line = one_line(&String::from_utf8_lossy(event));
        if self.colours {
            line = coloured(&line, self.level);
        }
        line.push('\n');
        self.writer.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn one_line(event: &str) -> String {
    let mut line = String::with_capacity(event.len() + 16);
    for character in event.strip_suffix('\n').unwrap_or(event).chars() {
        if moves_the_cursor(character) {
            // As JSON has it too. All of them are below U+FFFF.
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line
}

/// The time dim and the level in its colour; the line begins with both.
fn coloured(line: &str, level: Level) -> String {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    let name = level.as_str();
    match line.split_once(name) {
        Some((time, rest)) => format!("\x1b[2m{time}\x1b[0m\x1b[{colour}m{name}\x1b[0m{rest}"),
        None => line.to_owned(),
    }
}

/// Control characters, ends of lines and paragraphs, and changes of the writing direction.
fn moves_the_cursor(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `log` writes.
    fn logged(filter: &str, format: LogFormat, colours: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let writer = move || writer.clone();
        let output: Box<dyn Layer<Registry> + Send + Sync> = match format {
            LogFormat::Json => json(writer).boxed(),
            _ => text(writer, colours).boxed(),
        };
        tracing::subscriber::with_default(assemble(output, parse_filter(filter).unwrap()), log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn libraries_never_get_below_info_whatever_the_filter_says() {
        for filter in ["trace", "hyper=trace,h2=trace,reqwest=trace,rustls=trace,tokendesque=trace,tokend=trace"] {
            let text = logged(filter, LogFormat::Text, false, || {
                tracing::trace!(target: "reqwest::connect::verbose", "write: Bearer hunter2");
                tracing::debug!(target: "h2::codec::framed_write", frame = "hunter2", "send");
                tracing::debug!(target: "hyper::proto::h1::io", "hunter2");
                tracing::trace!(target: "hyper_util::client::legacy::pool", "hunter2");
                tracing::trace!(target: "rustls::client::hs", "hunter2");
                tracing::debug!(target: "tokendesque", "hunter2");
                tracing::info!(target: "hyper", "a library's news");
                tracing::trace!(target: "tokend::provider", "our own detail");
            });
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("a library's news") && text.contains("our own detail"), "{text}");
        }
    }

    #[test]
    fn the_filter_decides_what_is_ours() {
        let log = || {
            tracing::debug!(target: "tokend::core", "wanted");
            tracing::debug!(target: "tokend::socket", "unwanted");
        };
        let text = logged("warn,tokend::core=debug", LogFormat::Text, false, log);
        assert!(text.contains(" wanted") && !text.contains("unwanted"), "{text}");
        assert_eq!(logged("", LogFormat::Text, false, log), "");
    }

    #[test]
    fn words_from_a_provider_can_neither_forge_a_line_nor_move_the_cursor() {
        let words = "a\nb\r\x1b[2Jc\u{9b}d\u{202e}e\u{2028}f\tg";
        for (format, colours) in [(LogFormat::Text, false), (LogFormat::Text, true), (LogFormat::Json, false)] {
            let text = logged("info", format, colours, || {
                tracing::info!(target: "tokend", debug = ?words, display = %words, string = words, "{words}");
            });
            let line = text.strip_suffix('\n').unwrap();
            let ours = |line: &str| {
                ["\x1b[2m", "\x1b[0m", "\x1b[32m"].iter().fold(line.to_owned(), |line, colour| line.replace(colour, ""))
            };
            let plain = if colours { ours(line) } else { line.to_owned() };
            assert!(!plain.chars().any(moves_the_cursor), "{plain:?}");
            assert_eq!(line.matches('\x1b').count(), if colours { 4 } else { 0 }, "{line:?}");
        }
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged("info", LogFormat::Json, false, || {
            tracing::info!(target: "tokend", name = "campus", "renewed \u{9b}\n");
            tracing::warn!(target: "tokend", "second");
        });
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!((&lines[0]["name"], &lines[0]["message"]), (&"campus".into(), &"renewed \u{9b}\n".into()));
    }

    #[test]
    fn colours_are_only_there_when_wanted() {
        let log = || tracing::info!(target: "tokend", "x");
        assert!(logged("info", LogFormat::Text, true, log).contains("\x1b["));
        assert!(!logged("info", LogFormat::Text, false, log).contains('\x1b'));
    }

    #[test]
    fn a_bad_filter_or_format_is_named() {
        let error = parse_filter("tokend=loud\n").unwrap_err();
        assert!(error.to_string().starts_with("`tokend=loud\\n` is no log filter: write `info`"), "{error}");
        assert_eq!(
            "xml".parse::<LogFormat>().unwrap_err().to_string(),
            "`xml` is no log format: it is `text`, `json` or `journald`"
        );
        for (text, format) in [("text", LogFormat::Text), ("json", LogFormat::Json), ("journald", LogFormat::Journald)]
        {
            assert_eq!(text.parse::<LogFormat>().unwrap(), format);
        }
    }
}
