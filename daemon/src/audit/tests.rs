//! From the socket's thread to the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tokend_proto::{ErrorCode, Fingerprint};
use tracing_subscriber::fmt::format::Format;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

impl Records {
    /// What waits to be written, for tests of those who record.
    pub(crate) fn take(&self) -> Vec<Record> {
        let taken: Vec<Record> = self.queue.try_iter().map(|(_, record)| record).collect();
        self.shared.waiting.fetch_sub(taken.len(), Ordering::Relaxed);
        taken
    }
}

const NOW: BootTime = BootTime(5_000);

fn record(outcome: Outcome, name: &str) -> Record {
    Record {
        uid: 1_000,
        pid: 77,
        unit: Some("x.service".to_owned()),
        kind: Kind::of_peer("get"),
        name: Some(name.to_owned()),
        outcome,
        fingerprint: None,
    }
}

fn text(entry: &Entry) -> String {
    match entry {
        Entry::Record(_, record) => record.to_string(),
        other => format!("{other:?}"),
    }
}

/// What is written until the daemon has ended.
fn written(records: &Records) -> Vec<String> {
    let now = std::iter::from_fn(|| Some(records.next(Some(NOW))).filter(|entries| !entries.is_empty()));
    let mut entries: Vec<Entry> = now.flatten().collect();
    entries.extend(records.next(None));
    entries.iter().map(text).collect()
}

fn put(audit: &Audit, record: Record) {
    if audit.wants(record.uid, record.outcome, || NOW) {
        audit.put(record);
    }
}

#[test]
fn a_record_is_one_plain_line() {
    let fingerprint = Some(Fingerprint::from_bytes([0xab; 16]));
    let served = Record { fingerprint, ..record(Outcome::Served, "campus") };
    let bare = |kind, outcome| Record { unit: None, kind, name: None, ..record(outcome, "") };
    let table = [
        (record(Outcome::Refused, "campus"), "uid 1000 pid 77 unit x.service: get campus: refused"),
        (served, "uid 1000 pid 77 unit x.service: get campus: served abababababababababababababababab"),
        (bare(Kind::of_admin("reload"), Outcome::Done), "uid 1000 pid 77 unit -: reload: done"),
        (
            bare(Kind::of_admin("reload"), Outcome::Unknown),
            "uid 1000 pid 77 unit -: reload: not known (the peer did not wait)",
        ),
        (
            Record { kind: Kind::of_admin("refresh"), ..record(Outcome::Failed(ErrorCode::Throttled), "legacy") },
            "uid 1000 pid 77 unit x.service: refresh legacy: failed (throttled)",
        ),
        // What a peer made up.
        (record(Outcome::Refused, "msp/Acme Corp"), "uid 1000 pid 77 unit x.service: get \"msp/Acme Corp\": refused"),
        (
            record(Outcome::Refused, "msp/a: served\nuid 0\x1b[2J\"\u{202e}"),
            "uid 1000 pid 77 unit x.service: get \"msp/a: served\\nuid 0\\u{1b}[2J\\\"\\u{202e}\": refused",
        ),
    ];
    for (record, line) in table {
        assert_eq!(record.to_string(), line);
    }
}

#[test]
fn refusals_and_what_admins_do_are_always_recorded_and_reads_where_that_is_wanted() {
    for reads in [false, true] {
        let (audit, records) = Audit::new(!reads);
        audit.set_reads(reads);
        for outcome in [Outcome::Served, Outcome::Refused, Outcome::Done, Outcome::Unknown] {
            put(&audit, record(outcome, "campus"));
        }
        let lines = written(&records);
        assert_eq!(lines.len(), if reads { 4 } else { 3 }, "{lines:?}");
        assert_eq!(lines.iter().any(|line| line.contains("served")), reads);
    }
}

#[test]
fn a_peer_cannot_flood_the_log_with_refusals_and_does_not_hide_those_of_others() {
    let (audit, records) = Audit::new(false);
    for _ in 0..100_000 {
        put(&audit, record(Outcome::Refused, "campus"));
    }
    put(&audit, Record { uid: 1_001, ..record(Outcome::Refused, "campus") });
    let lines = written(&records);
    assert_eq!(lines.len(), 20 + 1 + 1, "{lines:?}");
    assert!(lines[20].starts_with("uid 1001"), "{lines:?}");
    assert_eq!(lines[21], "LeftOut(LeftOut { uid: Some(1000), count: 99980 })");
}

#[test]
fn when_the_log_stands_still_reads_are_counted_and_refusals_still_have_room() {
    let (audit, records) = Audit::new(true);
    for _ in 0..10_000 {
        put(&audit, record(Outcome::Served, "campus"));
    }
    put(&audit, record(Outcome::Refused, "legacy"));
    let lines = written(&records);
    assert_eq!(lines.len(), (QUEUE - RESERVED) + 2, "reads, the count of those lost, and the refusal");
    assert!(lines.last().unwrap().contains("get legacy: refused"));
    assert!(lines.contains(&format!("Lost({})", 10_000 - (QUEUE - RESERVED))));
}

#[test]
fn what_was_left_out_is_told_when_its_minute_is_over_though_nothing_else_happens() {
    let (audit, records) = Audit::new(false);
    assert_eq!(records.next_end(), None);
    for _ in 0..21 {
        put(&audit, record(Outcome::Refused, "campus"));
    }
    while !records.next(Some(NOW)).is_empty() {}
    let end = records.next_end().unwrap();
    assert_eq!(end.since(NOW), std::time::Duration::from_secs(60));
    let told: Vec<String> = records.next(Some(end)).iter().map(text).collect();
    assert_eq!(told, ["LeftOut(LeftOut { uid: Some(1000), count: 1 })"]);
    assert_eq!(records.next_end(), None);
}

#[test]
fn who_writes_is_woken_for_each_record() {
    let (audit, records) = Audit::new(false);
    let (begin, begun) = mpsc::channel();
    let writer = thread::spawn(move || {
        records.are_written_here();
        begin.send(()).unwrap();
        while records.next(Some(NOW)).is_empty() {
            thread::park();
        }
    });
    begun.recv().unwrap();
    put(&audit, record(Outcome::Refused, "campus"));
    writer.join().unwrap();
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(json: bool, log: impl FnOnce()) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    if json {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.json().flatten_event(true)), log);
    } else {
        let layer = layer.event_format(AuditAsLine(Format::default()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    }
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_text_log_has_the_line_and_json_the_fields_too() {
    let refused = record(Outcome::Refused, "msp/Acme\x1b Corp");
    let text = logged(false, || {
        refused.log("");
        tracing::info!(target: "tokend", name = "campus", "something else");
    });
    let (audit, other) = text.split_once('\n').unwrap();
    let (_, line) = audit.split_once("Z ").unwrap();
    assert_eq!(line, " WARN audit: uid 1000 pid 77 unit x.service: get \"msp/Acme\\u{1b} Corp\": refused");
    assert!(other.ends_with(" INFO tokend: something else name=\"campus\"\n"), "{other}");

    let json: serde_json::Value = serde_json::from_str(&logged(true, || refused.log(""))).unwrap();
    let expected = [
        ("target", serde_json::json!("audit")),
        ("uid", 1_000.into()),
        ("pid", 77.into()),
        ("unit", "x.service".into()),
        ("request", "get".into()),
        ("name", "msp/Acme\\u{1b} Corp".into()),
        ("outcome", "refused".into()),
    ];
    for (field, value) in expected {
        assert_eq!(json[field], value, "{json}");
    }
    assert_eq!(json.get("fingerprint"), None);
}
