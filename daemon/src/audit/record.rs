//! One record, as a line and as an event.

use std::borrow::Cow;
use std::fmt;

use tokend_proto::{ErrorCode, Fingerprint};

/// Target of the events.
pub const TARGET: &str = "audit";

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The peer's user.
    pub uid: u32,
    /// The peer's process, when it connected.
    pub pid: i32,
    /// The peer's systemd unit, where that is known.
    pub unit: Option<String>,
    /// What it asked for.
    pub kind: Kind,
    /// The name that it asked for: as it is kept where it was found, else as the peer spelt it.
    pub name: Option<String>,
    /// What it got.
    pub outcome: Outcome,
    /// Of the token that it got, or that was fetched for it.
    pub fingerprint: Option<Fingerprint>,
}

/// A request that is recorded. Its word stands with the request itself (`crate::socket`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    word: &'static str,
    is_admins: bool,
}

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The rules do not allow it.
    Refused,
    /// The peer was given a token.
    Served,
    /// What an admin asked for has happened.
    Done,
    /// What an admin asked for has not happened.
    Failed(ErrorCode),
    /// The peer was gone before what an admin had asked for had happened: it may have.
    Unknown,
}

impl Kind {
    /// Any peer's.
    #[must_use]
    pub const fn of_peer(word: &'static str) -> Self {
        Self { word, is_admins: false }
    }

    /// An admin's.
    #[must_use]
    pub const fn of_admin(word: &'static str) -> Self {
        Self { word, is_admins: true }
    }

    /// Whether it is recorded in each case, also when it succeeds.
    #[must_use]
    pub fn is_admins(self) -> bool {
        self.is_admins
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Served => f.write_str("served"),
            Self::Done => f.write_str("done"),
            Self::Failed(code) => write!(f, "failed ({})", code.as_str()),
            Self::Unknown => f.write_str("not known (the peer did not wait)"),
        }
    }
}

/// `uid 1000 pid 77 unit x.service: get campus: refused`
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.unit.as_deref().unwrap_or("-");
        write!(f, "uid {} pid {} unit {unit}: {}", self.uid, self.pid, self.kind.word)?;
        if let Some(name) = &self.name {
            write!(f, " {}", unambiguous(name))?;
        }
        write!(f, ": {}", self.outcome)?;
        match self.fingerprint {
            Some(fingerprint) => write!(f, " {fingerprint}"),
            None => Ok(()),
        }
    }
}

/// A peer chooses what it asks for: in a line it must not look like anything but a name.
fn unambiguous(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if !name.is_empty() && name.chars().all(is_plain) { name.into() } else { format!("{name:?}").into() }
}

/// The name for a field, which has a place of its own: only what a terminal might obey is spelt out.
fn escaped(name: &str) -> String {
    let spelt = |c: char| match c {
        '"' | '\'' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    name.chars().map(spelt).collect()
}

impl Record {
    /// `waited`: what is said of a record that is written late.
    pub(super) fn log(&self, waited: &str) {
        let (uid, pid, unit) = (self.uid, self.pid, self.unit.as_deref());
        let request = self.kind.word;
        let name = self.name.as_deref().map(escaped);
        let outcome = self.outcome.to_string();
        let fingerprint = self.fingerprint.map(|fingerprint| fingerprint.to_string());
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    target: TARGET,
                    uid, pid, unit, request, name, outcome, fingerprint,
                    "{self}{waited}"
                )
            };
        }
        match self.outcome {
            Outcome::Refused => event!(warn),
            _ => event!(info),
        }
    }
}
