//! `Import`: an admin brings a refresh token for a Classic chain.

use tokend_proto::{ErrorReply, ProfileName, Reply, SecretStr, TokenName, limits};

use super::call::Call;
use crate::audit::Kind;
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::socket::errors;
use crate::socket::session::{Pending, Session};

/// What the audit record calls it.
pub(super) const AUDIT: Kind = Kind::of_admin("import");

impl Session {
    pub(super) fn import(
        &mut self,
        call: &mut Call<'_>,
        asked: &str,
        refresh_token: SecretStr<'_>,
    ) -> Result<(), ErrorReply> {
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
        // For the record, which is written even if the peer is gone by then.
        self.unit();
        let name: Box<str> = profile.as_str().into();
        let pending = Pending::outcome(Some((AUDIT, Some(name.clone()))), move |session, call, outcome| {
            let Outcome::Imported(imported) = outcome else { return Err(errors::mismatched()) };
            session.record_done(AUDIT, Some(&name), None);
            session.reply(call, &Reply::Imported(imported));
            Ok(())
        });
        self.ask(call.request_id, Question::Import { profile, refresh_token }, pending)
    }
}
