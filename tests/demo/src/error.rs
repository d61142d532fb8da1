//! What can go wrong with the demo itself; a refused call is not an error but what it has to show.

use std::error::Error;
use std::io;

use harness::BuildError;

/// Why the demo cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No runtime, no signals.
    #[error("cannot prepare the demo")]
    System(#[source] io::Error),
    /// Nothing to show.
    #[error("there is nothing to show")]
    Build(#[from] BuildError),
    /// Where it writes to.
    #[error("cannot write")]
    Output(#[from] io::Error),
    /// It ended where it should run. With the end of its log.
    #[error("tokend has ended by itself; the end of its log:\n{tail}")]
    DaemonEnded {
        /// Lines.
        tail: String,
    },
    /// It runs and does not take connections. With the end of its log.
    #[error("tokend does not listen; the end of its log:\n{tail}")]
    DaemonSilent {
        /// Lines.
        tail: String,
    },
    /// It did not end when it was told to, and was killed. With the end of its log.
    #[error("tokend did not end when it was told to; the end of its log:\n{tail}")]
    DaemonStays {
        /// Lines.
        tail: String,
    },
    /// No client.
    #[error("cannot make an HTTP client")]
    Http(#[source] reqwest::Error),
    /// A program of ours.
    #[error("cannot run tokenctl")]
    Tokenctl(#[source] io::Error),
}

/// Lines of the daemon's log that are shown.
const TAIL: usize = 20;

/// The last lines of a log.
pub(super) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| format!("    {line}\n")).collect()
}

impl DemoError {
    /// The reader of the output has seen enough.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Says it on stderr, with its causes.
    pub(super) fn tell(&self) {
        use std::io::Write as _;
        // Where stderr is closed nobody is there to be told.
        let _ = writeln!(io::stderr().lock(), "demo: {}", causes(self).trim_end());
    }
}

/// An error and what caused it.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_log_is_shown() {
        let log: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let shown = tail(&log);
        assert!(shown.starts_with("    line 80\n") && shown.ends_with("    line 99\n"), "{shown}");
        assert_eq!(tail(""), "");
    }
}
