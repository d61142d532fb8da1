//! From a request to its reply, or to a question for the core: a file for each request, with all that the socket knows
//! of it. How a request is added stands in CONTRIBUTING.md.
//!
//! [`Session::request`] calls the file of a request. What the core answers comes to the closure that the file has left
//! ([`super::session::Pending`]).

mod about;
mod audit;
pub(super) mod call;
mod explain;
mod get;
mod import;
pub(super) mod listed;
mod name;
pub(super) mod pages;
pub(super) mod pending;
mod refresh;
mod reject;
mod reload;
mod rights;
mod status;
mod subscription;
mod tenants;
mod watch;

use tokend_proto::{ErrorReply, Reply, Request};

use self::about::AboutName;
use self::call::Call;
use self::explain::Explain;
use self::get::Get;
use self::listed::Listed;
use self::pending::Open;
use self::refresh::Refresh;
use self::reject::Reject;
use self::status::Status;
use self::watch::Watch;
use super::buffers::Output;
use super::errors;
use super::message::Answer;
use super::session::{Answered, Session};
use crate::core::time::BootTime;

impl Session {
    /// Handles one request; adds at most one frame.
    pub(in crate::socket) fn request(
        &mut self,
        now: BootTime,
        request_id: u64,
        request: Request<'_>,
        out: &mut Output,
    ) {
        if !matches!(request, Request::Get { .. } | Request::Ping) {
            out.charge();
        }
        let call = &mut Call { now, request_id, out };
        // What the audit record calls it, and what came of it. Without a kind a request is never recorded: everybody
        // may ask for it.
        let (kind, name, handled) = match request {
            Request::Get { name, min_ttl, wait } => (Some(Get::AUDIT), Some(name), self.get(call, name, min_ttl, wait)),
            Request::Reject { name, fingerprint, min_ttl } => (
                Some(Reject::AUDIT),
                Some(name),
                self.about(call, name, Reject { fingerprint, min_ttl: min_ttl.into() }),
            ),
            Request::Watch { name } => (Some(Watch::AUDIT), Some(name), self.about(call, name, Watch)),
            Request::Unwatch { watch } => (None, None, self.unwatch(call, watch)),
            Request::Refresh { name } => (Some(Refresh::AUDIT), Some(name), self.about(call, name, Refresh)),
            Request::Import { name, refresh_token } => {
                (Some(import::AUDIT), Some(name), self.import(call, name, refresh_token))
            }
            Request::Status { name: Some(name), after: _ } => {
                (Some(Status::AUDIT), Some(name), self.about(call, name, Status))
            }
            Request::Status { name: None, after } => (None, None, self.status(call, after)),
            Request::Explain { name } => (Some(Explain::AUDIT), Some(name), self.about(call, name, Explain)),
            Request::Tenants { profile, after } => {
                (Some(tenants::AUDIT), Some(profile), self.tenants(call, profile, after))
            }
            Request::Rights { after } => (None, None, self.rights(call, after)),
            Request::WhoAmI => (None, None, self.whoami(call)),
            Request::Reload => (Some(reload::AUDIT), None, self.reload(call)),
            Request::Ping => (None, None, self.ping(call)),
        };
        if let Err(error) = handled {
            self.refuse(call, &kind.map(|kind| (kind, name.map(Into::into))), error);
        }
    }

    fn ping(&self, call: &mut Call<'_>) -> Result<(), ErrorReply> {
        self.reply(call, &Reply::Pong { version: env!("CARGO_PKG_VERSION").into() });
        Ok(())
    }

    /// Turns one answer into a reply, or into the next question.
    pub(in crate::socket) fn answered(&mut self, open: Open<Answered>, answer: Answer, out: &mut Output) {
        let Open { request_id, subject, permit, then, .. } = open;
        drop(permit);
        out.charge();
        // Not the moment that this turn began: the answer may be younger.
        let now = self.shared.context.clock.boot();
        let call = &mut Call { now, request_id, out };
        if let Err(error) = then(self, call, answer) {
            self.refuse(call, &subject, error);
        }
    }

    /// A page that begins after this, of so many entries.
    fn listed<T, K: Clone>(&self, after: Option<K>, room: usize) -> Result<Listed<T, K>, ErrorReply> {
        let permit = self.place.list().map_err(errors::too_many_lists)?;
        Ok(Listed::new(after, room, self.shared.context.access.load_full(), permit))
    }
}
