//! What goes into the audit record. Each request says by its `AUDIT` what it is called there; how many of them are
//! recorded, `crate::audit` says.

use tokend_proto::{ErrorCode, ErrorReply, Fingerprint};

use super::call::Subject;
use crate::audit::{Kind, Outcome, Record};
use crate::socket::session::Session;

impl Session {
    /// The peer was given a token.
    pub(crate) fn record_served(&self, kind: Kind, name: &str, fingerprint: Fingerprint) {
        self.record(kind, Some(name), Outcome::Served, Some(fingerprint));
    }

    /// What an admin asked for has happened.
    pub(crate) fn record_done(&self, kind: Kind, name: Option<&str>, fingerprint: Option<Fingerprint>) {
        self.record(kind, name, Outcome::Done, fingerprint);
    }

    /// The peer gets an error. Recorded is a refusal, and whatever keeps an admin from what it wants.
    pub(in crate::socket) fn record_error(&self, subject: &Subject, error: &ErrorReply) {
        let Some((kind, name)) = subject else { return };
        match error.code {
            ErrorCode::Denied => self.record(*kind, name.as_deref(), Outcome::Refused, None),
            code if kind.is_admins() => self.record(*kind, name.as_deref(), Outcome::Failed(code), None),
            _ => {}
        }
    }

    /// The peer goes and leaves this question open.
    pub(in crate::socket) fn record_left(&self, subject: &Subject) {
        if let Some((kind, name)) = subject
            && kind.is_admins()
        {
            self.record(*kind, name.as_deref(), Outcome::Unknown, None);
        }
    }

    fn record(&self, kind: Kind, name: Option<&str>, outcome: Outcome, fingerprint: Option<Fingerprint>) {
        let (audit, peer) = (&self.shared.context.audit, &*self.peer);
        if audit.wants(peer.uid, outcome, || self.shared.context.clock.boot()) {
            let unit = self.unit().as_ref().ok().map(|unit| unit.name.clone());
            let name = name.map(str::to_owned);
            audit.put(Record { uid: peer.uid, pid: peer.pid, unit, kind, name, outcome, fingerprint });
        }
    }
}
