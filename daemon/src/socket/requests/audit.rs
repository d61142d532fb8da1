//! What goes into the audit record. Which requests that is, and how many, says `crate::audit`.

use tokend_proto::{ErrorCode, ErrorReply, Fingerprint, Request};

use super::pending::{Expects, Then};
use crate::audit::{Kind, Outcome, Record};
use crate::socket::session::Session;

/// A request as a record names it: what is asked for, of which name. Without one a request is never recorded.
pub(crate) type Subject<'a> = Option<(Kind, Option<&'a str>)>;

pub(crate) fn of_request<'a>(request: &Request<'a>) -> Subject<'a> {
    match *request {
        Request::Get { name, .. } => Some((Kind::Get, Some(name))),
        Request::Watch { name } => Some((Kind::Watch, Some(name))),
        Request::Reject { name, .. } => Some((Kind::Reject, Some(name))),
        Request::Refresh { name } => Some((Kind::Refresh, Some(name))),
        Request::Import { name, .. } => Some((Kind::Import, Some(name))),
        Request::Status { name: Some(name), .. } => Some((Kind::Status, Some(name))),
        Request::Explain { name } => Some((Kind::Explain, Some(name))),
        Request::Tenants { profile, .. } => Some((Kind::Tenants, Some(profile))),
        Request::Reload => Some((Kind::Reload, None)),
        // Everybody may ask for these.
        Request::Status { name: None, .. }
        | Request::Unwatch { .. }
        | Request::Ping
        | Request::WhoAmI
        | Request::Rights { .. } => None,
    }
}

impl Then {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Get { .. } => Kind::Get,
            Self::Watch => Kind::Watch,
            Self::Reject { .. } => Kind::Reject,
            Self::Refresh => Kind::Refresh,
            Self::Status => Kind::Status,
            Self::Explain => Kind::Explain,
        }
    }
}

impl Expects {
    /// With its own copy of the name.
    pub(crate) fn subject(&self) -> Option<(Kind, Option<String>)> {
        match self {
            Self::Token { kind, name, .. } => Some((*kind, Some(name.to_string()))),
            Self::Watch { name } => Some((Kind::Watch, Some(name.to_string()))),
            Self::Explained { name } => Some((Kind::Explain, Some(name.to_string()))),
            Self::Renewed { name } => Some((Kind::Refresh, Some(name.to_string()))),
            Self::Imported { profile } => Some((Kind::Import, Some(profile.to_string()))),
            Self::Reloaded => Some((Kind::Reload, None)),
            Self::Resolved { asked, then, .. } => Some((then.kind(), Some(asked.to_string()))),
            Self::StatusOf { .. } | Self::Status(_) | Self::Tenants { .. } | Self::Rights(_) => None,
        }
    }
}

impl Session {
    /// The peer was given a token.
    pub(crate) fn record_served(&self, kind: Kind, name: &str, fingerprint: Fingerprint) {
        self.record((kind, Some(name)), Outcome::Served, Some(fingerprint));
    }

    /// What an admin asked for has happened.
    pub(crate) fn record_done(&self, kind: Kind, name: Option<&str>, fingerprint: Option<Fingerprint>) {
        self.record((kind, name), Outcome::Done, fingerprint);
    }

    /// The peer gets an error. Recorded is a refusal, and whatever keeps an admin from what it wants.
    pub(crate) fn record_error(&self, subject: Subject<'_>, error: &ErrorReply) {
        let Some((kind, name)) = subject else { return };
        match error.code {
            ErrorCode::Denied => self.record((kind, name), Outcome::Refused, None),
            code if kind.is_admins() => self.record((kind, name), Outcome::Failed(code), None),
            _ => {}
        }
    }

    /// The peer goes and leaves this question open.
    pub(crate) fn record_left(&self, expects: &Expects) {
        if let Some((kind, name)) = expects.subject()
            && kind.is_admins()
        {
            self.record((kind, name.as_deref()), Outcome::Unknown, None);
        }
    }

    fn record(&self, (kind, name): (Kind, Option<&str>), outcome: Outcome, fingerprint: Option<Fingerprint>) {
        let (audit, peer) = (&self.shared.context.audit, &*self.peer);
        if audit.wants(peer.uid, outcome, || self.shared.context.clock.boot()) {
            let unit = self.unit().as_ref().ok().map(|unit| unit.name.clone());
            let name = name.map(str::to_owned);
            audit.put(Record { uid: peer.uid, pid: peer.pid, unit, kind, name, outcome, fingerprint });
        }
    }
}
