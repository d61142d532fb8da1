//! From a request to its reply, or to a question for the core.

mod answers;
mod audit;
pub(super) mod listed;
mod name;
pub(super) mod pages;
pub(super) mod pending;
mod subscription;
mod watch;

use std::time::Duration;

use tokend_proto::{
    ErrorReply, Millis, NameRights, NameStatus, Peer, ProfileName, Reply, Request, SecretStr, Tenant, TokenName,
    WorkspaceId, limits,
};

use self::listed::Listed;
use self::name::Asked;
use self::pending::{Expects, Then};
use super::buffers::Output;
use super::errors;
use super::session::Session;
use crate::access::policy::Access;
use crate::audit::Kind;
use crate::core::input::Question;
use crate::core::time::Boot;

/// What the core is given at least to look a workspace name up in the list it has: a peer that does not want to
/// wait means for the provider.
const LOOK_UP_TIME: Duration = Duration::from_millis(250);

/// For requests that do not say how long they wait: a listing of many pages, at the provider's pace.
const RESOLVE_TIME: Duration = Duration::from_secs(30);

impl Session {
    /// Handles one request; adds at most one frame.
    pub(in crate::socket) fn request(&mut self, now: Boot, request_id: u64, request: Request<'_>, out: &mut Output) {
        let subject = audit::of_request(&request);
        if !matches!(request, Request::Get { .. } | Request::Ping) {
            out.charge();
        }
        let handled = match request {
            Request::Get { name, min_ttl, wait } => self.get(now, request_id, name, min_ttl, wait, out),
            Request::Watch { name } => self.about(now, request_id, name, Then::Watch, out),
            Request::Unwatch { watch } => {
                self.unwatch(watch);
                self.reply(out, request_id, &Reply::Unwatched);
                Ok(())
            }
            Request::Ping => {
                self.reply(out, request_id, &Reply::Pong { version: env!("CARGO_PKG_VERSION").into() });
                Ok(())
            }
            Request::Reject { name, fingerprint, min_ttl } => {
                let then = Then::Reject { fingerprint, min_ttl: min_ttl.into() };
                self.about(now, request_id, name, then, out)
            }
            Request::Refresh { name } => self.about(now, request_id, name, Then::Refresh, out),
            Request::Import { name, refresh_token } => self.import(request_id, name, refresh_token),
            Request::Status { name: Some(name), after: _ } => self.about(now, request_id, name, Then::Status, out),
            Request::Status { name: None, after } => self.status(request_id, after),
            Request::Tenants { profile, after } => self.tenants(request_id, profile, after),
            Request::Reload => self.reload(request_id),
            Request::WhoAmI => {
                let access = self.shared.context.access.load();
                self.reply(out, request_id, &Reply::Peer(self.describe_peer(&access)));
                Ok(())
            }
            Request::Explain { name } => self.about(now, request_id, name, Then::Explain, out),
            Request::Rights { after } => self.rights_of_peer(request_id, after),
        };
        if let Err(error) = handled {
            self.record_error(subject, &error);
            self.refuse(out, request_id, error);
        }
    }

    /// The hot path: a canonical name that is on the board costs no allocation and, for the name that this
    /// connection read last, no look-up.
    fn get(
        &mut self,
        now: Boot,
        request_id: u64,
        asked: &str,
        min_ttl: Millis,
        wait: Millis,
        out: &mut Output,
    ) -> Result<(), ErrorReply> {
        let min_ttl = Duration::from(min_ttl);
        let rules = &self.shared.context.access;
        let edition = rules.edition();
        if let Some((allowed_by, slot)) = &self.allowed
            && *allowed_by == edition
            && slot.text() == asked
            && let Some(fingerprint) = out.serve(slot, now, min_ttl, request_id)
        {
            self.record_served(Kind::Get, asked, fingerprint);
            return Ok(());
        }
        if let Some(slot) = self.shared.context.board.slot(asked) {
            let access = rules.load();
            let peer = self.peer(&access);
            // For most peers there is no need to take the name apart.
            let may_read = |name| access.may_read(peer, &name);
            if !access.may_read_everything(peer) && !name::canonical(asked).is_some_and(may_read) {
                out.charge();
                return Err(errors::may_not_read(asked));
            }
            let served = out.serve(&slot, now, min_ttl, request_id);
            self.allowed = Some((edition, slot));
            if let Some(fingerprint) = served {
                self.record_served(Kind::Get, asked, fingerprint);
                return Ok(());
            }
        }
        out.charge();
        let wait = Duration::from(wait).min(limits::MAX_WAIT);
        self.about(now, request_id, asked, Then::Get { min_ttl, until: now + wait }, out)
    }

    /// Finds out which name is meant, then does with it what is wanted.
    fn about(
        &mut self,
        now: Boot,
        request_id: u64,
        asked: &str,
        then: Then,
        out: &mut Output,
    ) -> Result<(), ErrorReply> {
        match name::parse(&self.shared.context.board, asked).map_err(|why| errors::name(asked, why))? {
            Asked::Known(name) => self.act(now, request_id, asked, name, then, out),
            Asked::Workspace { profile, workspace_name } => {
                let access = self.shared.context.access.load();
                if !access.may_read_some_tenant(self.peer(&access), &profile) {
                    return Err(refusal_for(then, asked));
                }
                let until = match then {
                    Then::Get { until, .. } => until.max(now + LOOK_UP_TIME),
                    Then::Reject { .. } | Then::Watch | Then::Refresh | Then::Status | Then::Explain => {
                        now + RESOLVE_TIME
                    }
                };
                let question = Question::Resolve { profile: profile.clone(), workspace_name };
                self.ask(request_id, question, Expects::Resolved { asked: asked.into(), profile, then, until })
            }
        }
    }

    /// Does what is wanted of a name, if the rules allow it.
    pub(crate) fn act(
        &mut self,
        now: Boot,
        request_id: u64,
        asked: &str,
        name: TokenName,
        then: Then,
        out: &mut Output,
    ) -> Result<(), ErrorReply> {
        let access = self.shared.context.access.load_full();
        let allowed = match then {
            Then::Refresh => access.may_admin(self.peer(&access), &name),
            Then::Get { .. } | Then::Watch | Then::Reject { .. } | Then::Status | Then::Explain => {
                access.may_read(self.peer(&access), &name)
            }
        };
        if !allowed {
            return Err(refusal_for(then, asked));
        }
        match then {
            Then::Get { min_ttl, until } => {
                if let Some(slot) = self.shared.context.board.slot(&name.to_string())
                    && let Some(fingerprint) = out.serve(&slot, now, min_ttl, request_id)
                {
                    self.record_served(Kind::Get, slot.text(), fingerprint);
                    return Ok(());
                }
                let question = Question::Get { name: name.clone(), min_ttl, wait: until.since(now) };
                self.ask(request_id, question, Expects::Token { kind: Kind::Get, name, min_ttl })
            }
            Then::Watch => self.watch(request_id, name, access),
            Then::Reject { fingerprint, min_ttl } => {
                let question = Question::Reject { name: name.clone(), fingerprint, min_ttl };
                self.ask(request_id, question, Expects::Token { kind: Kind::Reject, name, min_ttl })
            }
            Then::Refresh => {
                self.ask_as_admin(request_id, Question::Refresh { name: name.clone() }, Expects::Renewed { name })
            }
            Then::Explain => {
                self.ask(request_id, Question::Explain { name: name.clone() }, Expects::Explained { name })
            }
            Then::Status => {
                let question = Question::StatusOf { name: name.clone() };
                self.ask(request_id, question, Expects::StatusOf { asked: asked.into(), name })
            }
        }
    }

    fn import(&mut self, request_id: u64, asked: &str, refresh_token: SecretStr<'_>) -> Result<(), ErrorReply> {
        let profile: ProfileName = asked.parse().map_err(|why| errors::profile(asked, why))?;
        let access = self.shared.context.access.load();
        if !access.may_admin(self.peer(&access), &TokenName::from(profile.clone())) {
            return Err(errors::may_not_admin(asked));
        }
        let refresh_token = refresh_token.to_secret();
        let length = refresh_token.expose().len();
        if !(1..=limits::MAX_REFRESH_TOKEN).contains(&length) {
            return Err(errors::refresh_token(length));
        }
        let question = Question::Import { profile: profile.clone(), refresh_token };
        self.ask_as_admin(request_id, question, Expects::Imported { profile })
    }

    fn status(&mut self, request_id: u64, after: Option<&str>) -> Result<(), ErrorReply> {
        let listed = self.listed(after.map(after_name).transpose()?, pages::NAMES)?;
        self.ask_status(request_id, listed.after(), listed)
    }

    fn rights_of_peer(&mut self, request_id: u64, after: Option<&str>) -> Result<(), ErrorReply> {
        let listed = self.listed(after.map(after_name).transpose()?, pages::NAMES)?;
        self.ask_rights(request_id, listed.after(), listed)
    }

    fn tenants(&mut self, request_id: u64, asked: &str, after: Option<&str>) -> Result<(), ErrorReply> {
        let profile: ProfileName = asked.parse().map_err(|why| errors::profile(asked, why))?;
        let access = self.shared.context.access.load();
        if !access.may_read_some_tenant(self.peer(&access), &profile) {
            return Err(errors::may_not_read(asked));
        }
        let id = |text: &str| text.parse().map_err(|_| errors::after(text, "a tenant id"));
        let listed = self.listed(after.map(id).transpose()?, pages::TENANTS)?;
        self.ask_tenants(request_id, profile, listed.after(), listed)
    }

    /// Asks for what comes after this name, for a page of status.
    pub(crate) fn ask_status(
        &mut self,
        request_id: u64,
        after: Option<TokenName>,
        listed: Listed<NameStatus, TokenName>,
    ) -> Result<(), ErrorReply> {
        let page = listed.page(after, self.peer(listed.access()));
        self.ask(request_id, Question::Status { page }, Expects::Status(listed))
    }

    pub(crate) fn ask_rights(
        &mut self,
        request_id: u64,
        after: Option<TokenName>,
        listed: Listed<NameRights, TokenName>,
    ) -> Result<(), ErrorReply> {
        let page = listed.page(after, self.peer(listed.access()));
        self.ask(request_id, Question::Rights { page }, Expects::Rights(listed))
    }

    pub(crate) fn ask_tenants(
        &mut self,
        request_id: u64,
        profile: ProfileName,
        after: Option<WorkspaceId>,
        listed: Listed<Tenant, WorkspaceId>,
    ) -> Result<(), ErrorReply> {
        let page = listed.page(after, self.peer(listed.access()));
        let question = Question::Tenants { profile: profile.clone(), page };
        self.ask(request_id, question, Expects::Tenants { profile, listed })
    }

    fn reload(&mut self, request_id: u64) -> Result<(), ErrorReply> {
        if !self.shared.context.access.load().is_superuser(&self.peer) {
            return Err(errors::may_not_reload());
        }
        self.unit();
        self.ask_reload(request_id)
    }

    /// As [`Session::ask`], and with the unit for the record, which is written even if the peer is gone by then.
    fn ask_as_admin(&mut self, request_id: u64, question: Question, expects: Expects) -> Result<(), ErrorReply> {
        self.unit();
        self.ask(request_id, question, expects)
    }

    /// A page that begins after this, of so many entries.
    fn listed<T, K: Clone>(&self, after: Option<K>, room: usize) -> Result<Listed<T, K>, ErrorReply> {
        let permit = self.place.list().map_err(errors::too_many_lists)?;
        Ok(Listed::new(after, room, self.shared.context.access.load_full(), permit))
    }

    pub(crate) fn describe_peer(&self, access: &Access) -> Peer {
        // Also where no rule wants to know it.
        let unit = self.unit().as_ref().ok().map(|unit| unit.name.clone());
        let peer = &*self.peer;
        Peer {
            uid: peer.uid,
            gid: peer.gid,
            groups: peer.groups.clone(),
            pid: peer.pid,
            unit,
            superuser: access.is_superuser(peer),
            may_read: access.readable_patterns(peer),
            may_admin: access.admin_patterns(peer),
        }
    }
}

/// What a page of names starts after.
fn after_name(text: &str) -> Result<TokenName, ErrorReply> {
    name::canonical(text).ok_or_else(|| errors::after(text, "a token name"))
}

/// The same words whether or not the name exists.
fn refusal_for(then: Then, asked: &str) -> ErrorReply {
    match then {
        Then::Refresh => errors::may_not_admin(asked),
        Then::Get { .. } | Then::Watch | Then::Reject { .. } | Then::Status | Then::Explain => {
            errors::may_not_read(asked)
        }
    }
}
