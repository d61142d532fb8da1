//! The result of a command, and how it is printed to stdout and stderr.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use tokend_client::{Secret, Stamp};

use crate::exit::{Exit, Failure};
use crate::text::{Format, escaped, json_line};

/// A command's result.
#[derive(Debug)]
pub(crate) struct Report {
    /// All of stdout. It may hold a token, so it is wiped.
    pub(crate) stdout: Secret,
    /// For stderr.
    pub(crate) notes: Vec<String>,
    /// A failure that is printed after stdout.
    pub(crate) failure: Option<Failure>,
}

impl Report {
    pub(crate) fn new(stdout: String) -> Self {
        Self { stdout: Secret::new(stdout), notes: Vec::new(), failure: None }
    }

    /// One line of JSON.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        Self::new(json_line(value) + "\n")
    }
}

/// Prints the result and returns the exit status.
pub(crate) fn finish(result: Result<Report, Failure>, format: Format) -> Exit {
    let report = result.unwrap_or_else(|failure| Report { failure: Some(failure), ..Report::new(String::new()) });
    for note in &report.notes {
        print_note(note, format);
    }
    let written = write_stdout(report.stdout.expose());
    let failure = match (report.failure, written) {
        (Some(failure), _) => failure,
        (None, Ok(())) => return Exit::Done,
        // The reader has what it wanted: `tokenctl status | head -1`.
        (None, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Done,
        (None, Err(error)) => Failure::output(&error),
    };
    print_failure(&failure, format);
    failure.exit
}

/// Prints a note on stderr.
pub(crate) fn print_note(note: &str, format: Format) {
    print_line(&match format {
        Format::Text => format!("tokenctl: {}", escaped(note)),
        Format::Json => json_line(&serde_json::json!({ "warning": note })),
    });
}

/// Prints a failure on stderr.
pub(crate) fn print_failure(failure: &Failure, format: Format) {
    print_line(&match format {
        Format::Text => format!("tokenctl: {failure}"),
        Format::Json => failure.to_json(),
    });
}

/// Prints a line on stderr.
pub(crate) fn print_line(line: &str) {
    // Nothing can report that stderr is closed.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Bypasses the standard library's buffer, which would keep a copy of a token.
pub(crate) fn write_stdout(text: &str) -> io::Result<()> {
    let stdout = io::stdout();
    let mut file = std::fs::File::from(std::os::fd::AsFd::as_fd(&stdout).try_clone_to_owned()?);
    file.write_all(text.as_bytes())
}

/// A time for people and for JSON: RFC 3339, UTC, whole seconds.
pub(crate) fn moment(stamp: Stamp) -> String {
    let seconds = stamp.unix_ms.div_euclid(1_000);
    match Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_string(),
        // Years beyond 9999 have no RFC 3339 form.
        Err(_) => format!("@{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339_in_utc_and_whole_seconds() {
        let at = |unix_ms| moment(Stamp { boot_ms: 0, unix_ms });
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(at(-1), "1969-12-31T23:59:59Z");
        assert_eq!(at(i64::MAX), "@9223372036854775");
    }
}
