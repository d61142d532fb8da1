//! Requests about one name, which may have to be found first: a peer may give the name of a tenant's workspace, and the
//! core may have to fetch the list of tenants for it.

use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, ProfileName, TokenName};

use super::call::Call;
use super::name::{self, Asked};
use crate::audit::Kind;
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::core::time::BootTime;
use crate::socket::errors;
use crate::socket::message::Answer;
use crate::socket::session::{Pending, Session};

/// For requests that do not say how long they wait: a listing of many pages, at the provider's pace.
const RESOLVE_TIME: Duration = Duration::from_secs(30);

/// A request about one name. An admin's needs the right to administer it, all others the right to read it.
pub(super) trait AboutName: Copy + Send + 'static {
    /// What the audit record calls it.
    const AUDIT: Kind;

    /// Until when the name may be looked for.
    fn until(self, now: BootTime) -> BootTime {
        now + RESOLVE_TIME
    }

    /// Does what is wanted. The rules allow it; `asked` is the name as the peer spelt it.
    ///
    /// # Errors
    /// As the peer gets it.
    fn serve(self, session: &mut Session, call: &mut Call<'_>, asked: &str, name: TokenName) -> Result<(), ErrorReply>;
}

impl Session {
    /// Finds out which name is meant, then does with it what is wanted.
    pub(super) fn about<R: AboutName>(
        &mut self,
        call: &mut Call<'_>,
        asked: &str,
        request: R,
    ) -> Result<(), ErrorReply> {
        match name::parse(&self.shared.context.token_cache, asked).map_err(|why| errors::name(asked, why))? {
            Asked::Known(name) => self.serve_allowed(call, asked, name, request),
            Asked::Workspace { profile, workspace_name } => {
                let access = self.shared.context.access.load();
                if !access.may_read_some_tenant(self.peer(&access), &profile) {
                    return Err(refusal::<R>(asked));
                }
                let overdue = (request.until(call.now), errors::not_resolved(&profile));
                let question = Question::Resolve { profile: profile.clone(), workspace_name };
                let asked: Box<str> = asked.into();
                let subject = Some((R::AUDIT, Some(asked.clone())));
                let pending = Pending::new(subject, move |session, call, answer| match answer {
                    Answer::Outcome(Outcome::Resolved(name)) => session.serve_allowed(call, &asked, name, request),
                    Answer::Outcome(Outcome::Error(error)) => Err(session.conceal(error, &profile, &asked)),
                    _ => Err(errors::mismatched()),
                });
                self.ask(call.request_id, question, Pending { overdue: Some(overdue), ..pending })
            }
        }
    }

    fn serve_allowed<R: AboutName>(
        &mut self,
        call: &mut Call<'_>,
        asked: &str,
        name: TokenName,
        request: R,
    ) -> Result<(), ErrorReply> {
        let access = self.shared.context.access.load_full();
        let allowed = match R::AUDIT.is_admins() {
            true => access.may_admin(self.peer(&access), &name),
            false => access.may_read(self.peer(&access), &name),
        };
        if !allowed {
            return Err(refusal::<R>(asked));
        }
        if R::AUDIT.is_admins() {
            // For the record, which is written even if the peer is gone by then.
            self.unit();
        }
        request.serve(self, call, asked, name)
    }

    /// A peer that may not read every tenant does not learn whether a workspace name exists or how often.
    fn conceal(&self, error: ErrorReply, profile: &ProfileName, asked: &str) -> ErrorReply {
        let access = self.shared.context.access.load();
        match error.code {
            _ if access.may_read_every_tenant(self.peer(&access), profile) => error,
            ErrorCode::NoSuchName | ErrorCode::InvalidArgument => errors::may_not_read(asked),
            _ => error,
        }
    }

    /// The rules may have changed while a question was open.
    ///
    /// # Errors
    /// They do not let the peer read it any more.
    pub(super) fn may_still_read(&self, name: &TokenName, asked: &str) -> Result<(), ErrorReply> {
        let access = self.shared.context.access.load();
        if access.may_read(self.peer(&access), name) { Ok(()) } else { Err(errors::may_not_read(asked)) }
    }
}

/// The same words whether or not the name exists.
fn refusal<R: AboutName>(asked: &str) -> ErrorReply {
    if R::AUDIT.is_admins() { errors::may_not_admin(asked) } else { errors::may_not_read(asked) }
}
