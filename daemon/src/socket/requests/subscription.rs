//! One watch of a connection: what its peer has been told.

use std::sync::Arc;
use std::task::Waker;

use tokend_proto::{Fingerprint, TokenName};

use crate::access::policy::Access;
use crate::core::id::WaiterId;
use crate::core::time::BootTime;
use crate::socket::admission::Permit;
use crate::socket::buffers::Output;
use crate::token_cache::{Delivered, Report, Subscription, TokenCache};

/// A name, and what of it the peer knows. It is never behind by more than what the token cache has now: nothing is
/// queued.
pub(in crate::socket) struct Watching {
    waiter: WaiterId,
    /// As the peer numbers it.
    pub(in crate::socket) request_id: u64,
    pub(in crate::socket) name: TokenName,
    /// The rules that allowed it.
    pub(in crate::socket) allowed: Arc<Access>,
    subscription: Subscription,
    /// The token cache's number of what was looked at last; `None` until the first look.
    seen: Option<u64>,
    report: Option<Arc<Report>>,
    token: Option<Delivered>,
    _permit: Permit,
}

/// What was told in one go.
pub(in crate::socket) enum News {
    Nothing,
    /// There is no room left: to be gone on with.
    More,
    /// The first token of this watch.
    FirstToken(Fingerprint),
}

impl Watching {
    pub(in crate::socket) fn new(
        waiter: WaiterId,
        request_id: u64,
        name: TokenName,
        allowed: Arc<Access>,
        subscription: Subscription,
        permit: Permit,
    ) -> Self {
        Self { waiter, request_id, name, allowed, subscription, seen: None, report: None, token: None, _permit: permit }
    }

    pub(in crate::socket) fn waiter(&self) -> WaiterId {
        self.waiter
    }

    /// Adds whatever is new, as long as there is room.
    pub(in crate::socket) fn tell(
        &mut self,
        token_cache: &TokenCache,
        now: BootTime,
        waker: &Waker,
        out: &mut Output,
    ) -> News {
        if self.seen.is_none() {
            self.subscription.wake(waker);
        }
        // Before what it numbers is looked at: what comes in between is looked at twice, not left out.
        let version = self.subscription.version();
        if self.seen == Some(version) {
            return News::Nothing;
        }
        // From now on there is a waker, whether or not there is room.
        self.seen.get_or_insert(version.wrapping_sub(1));
        if out.is_enough() {
            return News::More;
        }
        let mut news = News::Nothing;
        if let Some(slot) = token_cache.slot(self.subscription.text())
            && let Some(told) = slot.tell(now, self.token.as_ref(), self.request_id, out.frame())
        {
            if self.token.is_none() {
                news = News::FirstToken(told.fingerprint());
            }
            self.token = Some(told);
        }
        let report = self.subscription.report();
        if let Some(report) = report
            && !self.report.as_ref().is_some_and(|before| Arc::ptr_eq(before, &report))
        {
            if out.is_enough() {
                return news;
            }
            report.append_to(out.frame(), self.request_id);
            self.report = Some(report);
        }
        self.seen = Some(version);
        news
    }
}
