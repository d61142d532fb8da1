//! Whether a pair was delivered, by what the provider sent and what it takes, not by the daemon's own reader of
//! answers.

use tokend::core::provider::{Answer, RefreshToken};
use tokend_proto::Secret;

use super::engine::Simulation;
use super::network::FlightId;
use sandbox::Ending;

const MEMBER: &[u8] = b"\"refresh_token\"";

/// The one refresh token that stands in an answer as it comes over the wire, if all of that answer comes.
pub(super) fn offered(ending: &Ending) -> Option<Secret> {
    let (response, came) = match ending {
        Ending::Truncated(response, came) => (response, *came),
        _ => (ending.response()?, usize::MAX),
    };
    let whole = came >= response.body.trim_ascii_end().len();
    if response.status != 200 || !whole {
        return None;
    }
    let texts: Vec<&[u8]> = after(&response.body, MEMBER).filter_map(string).collect();
    let first = *texts.first()?;
    let text = str::from_utf8(first).ok().filter(|_| texts.iter().all(|text| *text == first))?;
    Some(Secret::new(text.to_owned()))
}

/// What follows each occurrence of `member`.
fn after<'a>(body: &'a [u8], member: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    body.windows(member.len())
        .enumerate()
        .filter(move |(_, part)| *part == member)
        .map(move |(at, _)| &body[at + member.len()..])
}

/// The string that a member's value begins with.
fn string(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    Some(&text[..end])
}

impl Simulation {
    /// A refresh token that was delivered, and that the provider takes, is what the core has to hear of.
    pub(super) fn judge_delivery(&mut self, id: FlightId, answer: &Answer) {
        let Some(offered) = self.network.flights.get_mut(&id).and_then(|flight| flight.offered.take()) else { return };
        if !self.world.provider.can_refresh(self.at, offered.expose()) {
            return;
        }
        self.invariants.has_judged("pair-delivered");
        let length = offered.expose().len();
        let heard = matches!(answer, Answer::Pair(pair) if pair.refresh_token == RefreshToken::New(offered));
        if !heard {
            let said = match answer {
                Answer::Failed(failure) => format!("{:?}: {}", failure.kind, failure.message),
                Answer::Pair(_) => "a pair without it".to_owned(),
                Answer::Token(_) | Answer::Tenants(_) => "another answer".to_owned(),
            };
            let what =
                format!("a refresh token of {length} bytes that works was delivered, and the core heard: {said}");
            self.invariants.fail("pair-delivered", what);
        }
    }

    /// Whether a tenant is kept fresh by the configuration in force.
    pub(super) fn is_warm(&self, name: &tokend_proto::TokenName) -> bool {
        use tokend::core::settings::Kind;
        let profile = self.daemon.as_ref().and_then(|daemon| daemon.applied.profiles.get(&name.profile));
        let warm = |profile: &std::sync::Arc<tokend::core::settings::Profile>| match &profile.kind {
            Kind::Glp { tenants: Some(tenants), .. } => {
                name.tenant.is_some_and(|id| tenants.warm.contains(&tokend_proto::TenantRef::Id(id)))
            }
            _ => false,
        };
        profile.is_some_and(warm)
    }
}
