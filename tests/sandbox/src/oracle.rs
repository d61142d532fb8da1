//! What only the provider knows: for a test's or a simulation's assertions, without a request or a log entry.

use super::{Now, Provider};

impl Provider {
    /// Writes down, from now on, every token, code, cookie and client that is made, so that a test can look for them
    /// where they must not be. At most 10,000.
    pub fn keep_ledger(&mut self) {
        self.mint.keep_ledger();
    }

    /// What was written down, oldest first.
    #[must_use]
    pub fn ledger(&self) -> &[String] {
        self.mint.ledger()
    }

    /// Whether any API would take this access token.
    #[must_use]
    pub fn accepts(&self, now: Now, access_token: &str) -> bool {
        self.state.tokens.live(now, access_token).is_some()
    }

    /// When an access token expires or did, unless it was revoked or is long forgotten.
    #[must_use]
    pub fn expires_at(&self, access_token: &str) -> Option<Now> {
        self.state.tokens.expires_at(access_token)
    }

    /// The refresh token that was issued with this access token, if that is the newest of its chain.
    #[must_use]
    pub fn refresh_token_beside(&self, access_token: &str) -> Option<String> {
        let chain = self.state.chains.values().find(|chain| chain.access == access_token);
        chain.map(|chain| chain.refresh.clone())
    }

    /// Whether a refresh token is the newest of its chain and has not died of age.
    #[must_use]
    pub fn can_refresh(&self, now: Now, refresh_token: &str) -> bool {
        self.state.refresh_tokens.live(now, refresh_token).is_some_and(|token| !token.spent)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Population, Request};

    #[test]
    fn a_ledger_holds_all_that_is_issued_since_it_is_kept() {
        let (mut provider, world) = Population::settle(1);
        assert!(provider.ledger().is_empty());
        provider.keep_ledger();
        let token = provider.download_token(0, &world.classic.client_id).unwrap();
        assert_eq!(provider.ledger(), [token.access_token, token.refresh_token]);
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", world.central.client_id.as_str()),
            ("client_secret", world.central.client_secret.as_str()),
        ];
        let reply = provider.handle(1, &Request::form("/as/token.oauth2", &fields)).reply().unwrap();
        assert_eq!(provider.ledger()[2..], [reply.text("access_token")]);
    }

    #[test]
    fn the_oracle_agrees_with_the_endpoints_and_leaves_no_trace() {
        let (mut provider, world) = Population::settle(1);
        let token = provider.download_token(0, &world.classic.client_id).unwrap();
        assert_eq!(provider.expires_at(&token.access_token), Some(7_200_000));
        assert!(provider.accepts(7_199_999, &token.access_token) && !provider.accepts(7_200_000, &token.access_token));
        assert!(provider.can_refresh(1, &token.refresh_token));
        assert_eq!(provider.refresh_token_beside(&token.access_token).as_ref(), Some(&token.refresh_token));
        assert_eq!(provider.log().seen(), 0);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token.refresh_token.as_str())];
        let request =
            Request::form("/oauth2/token", &fields).basic(&world.classic.client_id, &world.classic.client_secret);
        let pair = provider.handle(1, &request).reply().unwrap();
        assert_eq!(provider.refresh_token_beside(&token.access_token), None);
        assert!(!provider.can_refresh(1, &token.refresh_token) && !provider.accepts(1, &token.access_token));
        assert!(provider.can_refresh(1, &pair.text("refresh_token")));
        assert!(provider.accepts(1, &pair.text("access_token")));
    }
}
