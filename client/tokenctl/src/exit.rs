//! Failures and their exit statuses: the only place that maps one to the other.

use std::fmt::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokend_client::{Error, ErrorCode};

use crate::permission_hint::permission_hint;
use crate::text::{escaped, json_line};

/// The exit statuses. Scripts rely on them: numbers never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Anything else.
    Other,
    /// The arguments are not valid. This includes names that are not valid, and what the daemon calls an invalid
    /// argument.
    Usage,
    /// The daemon cannot be reached, or does not answer.
    Unreachable,
    /// Denied, by the access rules or by the socket's mode.
    Denied,
    /// No such name.
    NoSuchName,
    /// No good token now, try later.
    TryLater,
    /// The provider refuses the credentials, or the chain is lost or empty: an operator is needed.
    Operator,
    /// `--min-ttl` was not met.
    FallsShort,
    /// `exec`: tokenctl itself failed, as with env(1) and timeout(1).
    ExecFailed,
    /// `exec`: the command was found but cannot be run (POSIX, env).
    CannotRun,
    /// `exec`: the command was not found (POSIX, env).
    NotFound,
}

impl Exit {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Denied => 4,
            Self::NoSuchName => 5,
            Self::TryLater => 6,
            Self::Operator => 7,
            Self::FallsShort => 8,
            Self::ExecFailed => 125,
            Self::CannotRun => 126,
            Self::NotFound => 127,
        }
    }

    fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::InvalidArgument => Self::Usage,
            ErrorCode::Denied => Self::Denied,
            ErrorCode::NoSuchName => Self::NoSuchName,
            ErrorCode::Unavailable
            | ErrorCode::Throttled
            | ErrorCode::AwaitingLogin
            | ErrorCode::Busy
            | ErrorCode::TooManyRequests
            | ErrorCode::TooManyConnections => Self::TryLater,
            ErrorCode::Rejected | ErrorCode::ChainLost | ErrorCode::ChainEmpty => Self::Operator,
            _ => Self::Other,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}

/// Why a command failed, ready to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// A stable word: the daemon's, or one of tokenctl's.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), retry_after: None }
    }

    /// The arguments or an input file are not valid.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// The output could not be written.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        Self::new(Exit::Other, "output", format!("cannot write to stdout: {error}"))
    }

    /// The same failure of an `exec` that could not start its command.
    pub(crate) fn in_exec(self) -> Self {
        Self { exit: Exit::ExecFailed, ..self }
    }

    /// One line of JSON.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            error: ErrorFields<'a>,
        }
        #[derive(Serialize)]
        struct ErrorFields<'a> {
            status: u8,
            code: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            retry_after: Option<u64>,
        }
        let error = ErrorFields {
            status: self.exit.number(),
            code: self.code,
            message: &self.message,
            retry_after: self.retry_after.map(whole_seconds),
        };
        json_line(&Line { error })
    }
}

impl fmt::Display for Failure {
    /// The daemon's message says how long to wait, where waiting helps; JSON has `retry_after` for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.message))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = with_sources(&error);
        match error {
            Error::Connect(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => {
                Self::new(Exit::Denied, "permission_denied", permission_hint(&error.path))
            }
            Error::Connect(_) => Self::new(Exit::Unreachable, "unreachable", message),
            Error::Disconnected => Self::new(Exit::Unreachable, "disconnected", message),
            Error::Timeout(_) => Self::new(Exit::Unreachable, "timeout", message),
            Error::InvalidName(_) | Error::TooLong(_) => Self::usage(message),
            Error::Unsupported(_) => Self::new(Exit::Other, "unsupported", message),
            Error::Daemon(refusal) => Self {
                exit: Exit::of(refusal.code),
                code: refusal.code.as_str(),
                message,
                retry_after: refusal.retry_after,
            },
            // The enum may grow, and its new variants have no status of their own.
            _ => Self::new(Exit::Other, "protocol", message),
        }
    }
}

/// The error and its causes, each once.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// Rounded up, so that nobody comes back too early.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status() {
        use ErrorCode::*;
        for &code in ErrorCode::ALL {
            let expected = match code {
                InvalidArgument => 2,
                Denied => 4,
                NoSuchName => 5,
                Unavailable | Throttled | AwaitingLogin | Busy | TooManyRequests | TooManyConnections => 6,
                Rejected | ChainLost | ChainEmpty => 7,
                Internal | Malformed | FrameTooLarge | FrameTimeout | InvalidConfiguration => 1,
                _ => panic!("{code:?} has no status: decide in Exit::of"),
            };
            assert_eq!(Exit::of(code).number(), expected, "{code:?}");
        }
        assert_eq!(Exit::of(Other(999)).number(), 1);
    }

    #[test]
    fn a_failure_is_told_in_words_and_in_json() {
        let failure = Failure {
            retry_after: Some(Duration::from_millis(2_100)),
            ..Failure::new(Exit::TryLater, "throttled", "too\x07fast")
        };
        assert_eq!(failure.to_string(), "too\\u{7}fast");
        assert_eq!(
            failure.to_json(),
            r#"{"error":{"status":6,"code":"throttled","message":"too\u0007fast","retry_after":3}}"#
        );
    }
}
