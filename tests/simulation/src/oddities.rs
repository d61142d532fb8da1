//! How the provider turns odd for a while: answers that are right and strange, words of others in its place, and
//! habits that are not documented.

use super::engine::Simulation;
use super::faults::Trouble;
use super::machine::SECOND;
use super::world::World;
use sandbox::{DeadSubject, Endpoint, Fault, FaultRule, Odd, OffsetCounts, Quirks, RefusedBody, Saying, Times};

use Endpoint::{
    Authorize, CentralToken, ClassicCode, ClassicRefresh, Login, MspTenants, TenantExchange, WorkspaceToken,
};

/// Everywhere.
const ANY: &[Endpoint] = &[];

/// What is said where, always in the place of a request that was not carried out.
#[rustfmt::skip]
const SAID: [(Saying, &[Endpoint]); 16] = [
    (Saying::ForbiddenPage, ANY),
    (Saying::ForbiddenText, ANY),
    (Saying::UnauthorizedPage, ANY),
    (Saying::UnauthorizedText, ANY),
    (Saying::UnauthorizedEmpty, ANY),
    (Saying::CaptivePortal, ANY),
    (Saying::ErrorWithOk, ANY),
    (Saying::InvalidClient, &[CentralToken, WorkspaceToken, TenantExchange, ClassicRefresh, ClassicCode]),
    (Saying::UnauthorizedClient, &[CentralToken, WorkspaceToken]),
    (Saying::InvalidScope, &[CentralToken, WorkspaceToken]),
    (Saying::InvalidToken, &[TenantExchange, MspTenants]),
    (Saying::ExpiredJwt, &[TenantExchange, MspTenants]),
    (Saying::BadWorkspace, &[WorkspaceToken, TenantExchange, MspTenants]),
    (Saying::NoWorkspace, &[WorkspaceToken, TenantExchange, MspTenants]),
    (Saying::WrongCustomer, &[Authorize]),
    (Saying::UnsupportedMediaType, &[ClassicRefresh, ClassicCode]),
];

/// Oddities that make sense at one endpoint alone.
const AT_ONE: [(Odd, Endpoint); 9] = [
    (Odd::NoCookies, Login),
    (Odd::TotalTooLarge, MspTenants),
    (Odd::TotalAbsent, MspTenants),
    (Odd::TotalAsText, MspTenants),
    (Odd::EmptyPage, MspTenants),
    (Odd::RefreshAbsent, ClassicRefresh),
    (Odd::RefreshNull, ClassicRefresh),
    (Odd::RefreshEmpty, ClassicRefresh),
    (Odd::RefreshNumber, ClassicRefresh),
];

/// Oddities after which the daemon can only go by the documented life of a token.
const WITHOUT_LIFE: [Odd; 4] = [Odd::ExpiresEmpty, Odd::ExpiresSoon, Odd::ExpiresNull, Odd::ExpiresAbsent];

impl Simulation {
    /// The provider's answers are right, and odd.
    pub(super) fn odd_answers(&mut self) -> (&'static str, Trouble) {
        let all: Vec<Odd> = Odd::all().collect();
        let mut odd = *self.rng.pick(&all).expect("some");
        if WITHOUT_LIFE.contains(&odd) && !self.world.usual_lives {
            odd = Odd::ExpiresWithFraction; // what is documented would be a lie
        }
        let mut rule = FaultRule::new(Fault::Odd(odd));
        if let Some((_, endpoint)) = AT_ONE.iter().find(|(one, _)| *one == odd) {
            rule = rule.at(*endpoint);
            // A provider that leaves the refresh token out mostly means that the old one stays.
            if *endpoint == ClassicRefresh && self.rng.chance(0.7) {
                self.change_quirks(|quirks| quirks.reuse_refresh_token = true);
            }
        } else if self.rng.chance(0.4) {
            rule = rule.at(self.some_endpoint());
        }
        rule.times = self.some_times();
        ("odd answers", Trouble::Odd(self.world.provider.add_fault(rule)))
    }

    /// Something speaks in the provider's place, or the provider says what is not so.
    pub(super) fn words_of_others(&mut self) -> (&'static str, Trouble) {
        let (saying, endpoints) = *self.rng.pick(&SAID).expect("some");
        let mut rule = FaultRule::new(Fault::Says(saying));
        if endpoints.is_empty() {
            if self.rng.chance(0.6) {
                rule = rule.at(self.some_endpoint());
            }
        } else if self.rng.chance(0.5) {
            rule = rule.at(*self.rng.pick(endpoints).expect("some"));
        } else {
            rule = endpoints.iter().fold(rule, |rule, endpoint| rule.at(*endpoint));
        }
        rule.times = match self.rng.between(0, 3) {
            0 | 1 => Times::Count(1),
            _ => self.some_times(),
        };
        ("words of others", Trouble::Rule(self.world.provider.add_fault(rule)))
    }

    /// The provider has another habit for a while.
    pub(super) fn odd_habits(&mut self) -> (&'static str, Trouble) {
        let what = self.rng.between(0, 8);
        let (either, long) = (self.rng.chance(0.5), self.rng.between(8000, 20_000) as usize);
        let small = self.rng.between(1, 9) as usize;
        self.change_quirks(|quirks| match what {
            0 => quirks.same_token = true,
            1 => (quirks.reuse_refresh_token, quirks.same_token) = (true, either),
            2 => quirks.colon_in_tokens = true,
            3 => (quirks.token_length, quirks.classic_token_length) = (long, long),
            4 => quirks.offset_counts = if either { OffsetCounts::Pages } else { OffsetCounts::Nothing },
            5 => quirks.largest_page = small,
            6 => (quirks.refused_body, quirks.refused_status) = (RefusedBody::Form, if either { 415 } else { 400 }),
            7 => quirks.dead_subject = if either { DeadSubject::InvalidClient } else { DeadSubject::InvalidToken },
            _ => quirks.old_access_survives = either,
        });
        // The same token again hurts most where it is refused.
        if what == 0 && either {
            let refused = FaultRule::new(Fault::Says(Saying::InvalidToken)).at(TenantExchange).at(MspTenants);
            return ("odd habits", Trouble::Odd(self.world.provider.add_fault(refused.forever())));
        }
        ("odd habits", Trouble::Quirks)
    }

    fn change_quirks(&mut self, change: impl FnOnce(&mut Quirks)) {
        let mut quirks = self.world.provider.quirks();
        change(&mut quirks);
        self.world.provider.set_quirks(quirks);
    }

    pub(super) fn some_endpoint(&mut self) -> Endpoint {
        let endpoints =
            [CentralToken, WorkspaceToken, TenantExchange, MspTenants, ClassicRefresh, ClassicCode, Login, Authorize];
        *self.rng.pick(&endpoints).expect("some")
    }

    pub(super) fn some_times(&mut self) -> Times {
        match self.rng.between(0, 2) {
            0 => Times::Forever,
            1 => Times::Count(self.rng.between(1, 6) as u32),
            _ => Times::Chance(self.rng.roll()),
        }
    }

    /// A gateway gives up and says so, before the request was carried out or after: nobody knows which.
    pub(super) fn given_up(&mut self) -> (Fault, bool) {
        let after = self.rng.chance(0.6);
        let retry_after = self.rng.chance(0.5).then(|| self.rng.between(1, 90).to_string());
        let fault = match self.rng.between(0, 2) {
            0 => Fault::Says(Saying::RequestTimeout),
            1 => Fault::Says(Saying::ClientClosed),
            _ => Fault::Status { status: 503, retry_after },
        };
        (fault, after)
    }

    /// An answer that comes too late for anybody to wait for.
    pub(super) fn late(&mut self) -> Fault {
        Fault::Delay(self.rng.between(SECOND, 45 * SECOND))
    }
}

impl World {
    /// The provider is as it usually is.
    pub(super) fn usual_habits(&mut self) {
        self.provider.set_quirks(self.quirks);
    }
}
