//! What is logged, and that nobody waits for it.

use std::io::Read;
use std::sync::{Mutex, mpsc};

use super::line::moves_the_cursor;
use super::*;
use crate::audit::{Audit, Kind, Outcome, Record};
use crate::core::time::BootTime;

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
    for (text, format) in [("text", LogFormat::Text), ("json", LogFormat::Json), ("journald", LogFormat::Journald)] {
        assert_eq!(text.parse::<LogFormat>().unwrap(), format);
    }
}

/// A log into a stream, as the daemon has it.
struct Started {
    log: Dispatch,
    running: Running,
    audit: Audit,
}

fn started<S, W>(stream: W, output: impl FnOnce(Outlet<W>) -> S) -> Started
where
    S: Layer<Registry> + Send + Sync,
    W: Write + Clone + Send + 'static,
{
    let queue = Arc::<Queue>::default();
    let output = output(Outlet { queue: Arc::clone(&queue), stream: stream.clone() }).boxed();
    let log = Dispatch::new(assemble(output, parse_filter("info").unwrap()));
    let (audit, records) = Audit::new(true);
    let running = Running::start(queue, records, stream, log.clone()).unwrap();
    Started { log, running, audit }
}

fn piped() -> (io::PipeReader, Unlocked<Arc<io::PipeWriter>>) {
    let (reader, writer) = io::pipe().unwrap();
    (reader, Unlocked(Arc::new(writer)))
}

fn served(pid: i32) -> Record {
    let (unit, name, fingerprint) = (None, None, None);
    Record { uid: 0, pid, unit, kind: Kind::of_peer("get"), name, outcome: Outcome::Served, fingerprint }
}

const LINE: &str = "a line of some length, so that a pipe and a queue are full soon: 0123456789";

#[test]
fn nobody_waits_for_a_pipe_that_nobody_reads_and_what_is_missing_is_counted() {
    for is_json in [false, true] {
        let (mut reader, stream) = piped();
        let log = |outlet| if is_json { json(outlet).boxed() } else { text(outlet, false).boxed() };
        let Started { log, running, audit } = started(stream, log);
        let (lines, records) = (50_000, 2_000);
        for number in 0..lines {
            // It would hang here for ever.
            tracing::dispatcher::with_default(&log, || tracing::info!(target: "tokend", number, "{LINE}"));
        }
        (0..records).for_each(|pid| audit.put(served(pid)));
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        running.0.flush(Duration::from_secs(60));
        tracing::dispatcher::with_default(&log, || tracing::info!(target: "tokend", "it goes on"));
        running.0.flush(Duration::from_secs(60));
        drop((running, log));
        let text = read.join().unwrap().unwrap();
        let count = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        assert_eq!(count(": get: served"), usize::try_from(records).unwrap(), "the audit's room is its own");
        let gaps = text.lines().filter(|line| line.contains("lines of the log were left out"));
        let gap = gaps.clone().next().unwrap();
        assert_eq!(gaps.count(), 1, "one gap");
        let missing = gap.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()));
        let missing: usize = missing.filter_map(|word| word.parse().ok()).max().unwrap();
        assert_eq!(count(LINE) + missing, lines, "{gap}");
        assert!(count(LINE) > 1_000 && text.trim_end().lines().last().unwrap().contains("it goes on"), "{gap}");
    }
}

#[test]
fn an_end_does_not_wait_long_for_a_pipe_that_nobody_reads() {
    let (_reader, stream) = piped();
    let Started { log, running, .. } = started(stream, |outlet| text(outlet, false));
    tracing::dispatcher::with_default(&log, || tracing::info!(target: "tokend", "{}", "x".repeat(100_000)));
    drop(running);
}

#[test]
fn an_end_writes_what_there_is() {
    let sink = Sink::default();
    let Started { log, running, audit } = started(sink.clone(), |outlet| text(outlet, false));
    tracing::dispatcher::with_default(&log, || tracing::info!(target: "tokend", "last words"));
    audit.put(served(77));
    drop(running);
    let written = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(written.contains("INFO tokend: last words\n"), "{written}");
    assert!(written.contains("INFO audit: uid 0 pid 77 unit -: get: served\n"), "{written}");
}

#[test]
fn a_line_that_is_longer_than_all_may_be_is_counted_and_the_next_is_written() {
    let sink = Sink::default();
    let Started { log, running, .. } = started(sink.clone(), |outlet| text(outlet, false));
    tracing::dispatcher::with_default(&log, || {
        tracing::info!(target: "tokend", "{}", "x".repeat(2 * 1024 * 1024));
        tracing::info!(target: "tokend", "next");
    });
    drop(running);
    let written = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(written.contains(": 1 lines of the log were left out: the log was too slow"), "{written}");
    assert!(written.lines().last().unwrap().ends_with("INFO tokend: next"), "{written}");
}

/// Sends as journald's layer does: on the thread that it is called on, and in its own time.
struct Slow<L> {
    go: Mutex<mpsc::Receiver<()>>,
    layer: L,
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Slow<L> {
    fn on_event(&self, event: &tracing::Event<'_>, context: tracing_subscriber::layer::Context<'_, S>) {
        self.go.lock().unwrap().recv().unwrap();
        self.layer.on_event(event, context);
    }
}

#[test]
fn nobody_waits_for_journald_and_each_event_arrives_with_its_fields() {
    let (sink, unused) = (Sink::default(), Sink::default());
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(Some(gone));
    let writer = sink.clone();
    let make = move || {
        let (go, writer) = (Mutex::new(gone.lock().unwrap().take().unwrap()), writer.clone());
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(move || writer.clone());
        Ok(Slow { go, layer })
    };
    let Started { log, running, audit } = started(unused, |outlet| Events::new(outlet.queue, make));
    tracing::dispatcher::with_default(&log, || {
        let nothing: Option<u64> = None;
        tracing::warn!(target: "tokend", name = %"campus", nothing, count = 7, "{}: odd", "campus");
        tracing::debug!(target: "tokend", "not wanted");
    });
    audit.put(served(77));
    go.send(()).unwrap();
    go.send(()).unwrap();
    while sink.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count() < 2 {
        std::thread::yield_now();
    }
    drop(running);
    let written = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let events: Vec<serde_json::Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, second] = &events[..] else { panic!("{written}") };
    for (field, value) in [("level", "WARN"), ("target", "tokend"), ("message", "campus: odd"), ("name", "campus")] {
        assert_eq!(first[field], value, "{first}");
    }
    assert_eq!((&first["count"], first.get("nothing")), (&"7".into(), None));
    assert_eq!((&second["target"], &second["pid"]), (&"audit".into(), &77.into()));
}

#[test]
fn a_line_that_was_written_late_says_how_long_ago_it_happened() {
    assert_eq!(late::waited(BootTime(1_000), BootTime(10_999)), "");
    assert_eq!(late::waited(BootTime(1_000), BootTime(63_500)), " (62 s ago)");
}
