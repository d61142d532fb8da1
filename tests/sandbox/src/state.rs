//! What the provider remembers: who may ask, and what it has issued.

use std::collections::{BTreeMap, VecDeque};

use super::Now;

/// Below this many entries a table is not swept of what has expired.
const SWEEP_FROM: usize = 256;

/// Names a Classic chain; the web interface calls it the token's id.
pub type ChainId = u64;

/// Everything that outlives one request, but settings, faults and the log.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) clients: BTreeMap<String, Client>,
    pub(super) workspaces: BTreeMap<String, Workspace>,
    /// Those who can log in to Classic, by name.
    pub(super) users: BTreeMap<String, User>,
    pub(super) tokens: Tokens,
    pub(super) chains: BTreeMap<ChainId, Chain>,
    /// Refresh tokens, the live ones and those spent a moment ago.
    pub(super) refresh_tokens: Sweeping<RefreshToken>,
    pub(super) sessions: Sweeping<Session>,
    pub(super) codes: Sweeping<Code>,
    pub(super) last_chain: ChainId,
}

/// An OAuth client.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) secret: String,
    /// More secrets that are taken, oldest first.
    pub(super) more_secrets: VecDeque<String>,
    pub(super) kind: ClientKind,
    /// When somebody tried to log in with it, within the quota's window.
    pub(super) logins: VecDeque<Now>,
    /// When a login last gave a token.
    pub(super) last_login_token: Option<Now>,
}

impl Client {
    pub(super) fn takes(&self, secret: &str) -> bool {
        self.secret == secret || self.more_secrets.iter().any(|other| other == secret)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum ClientKind {
    /// A personal API client: `central` tokens, and `glp` tokens of its workspace if it has one.
    Api { workspace: Option<String> },
    /// An application of the Classic API gateway.
    Classic,
}

#[derive(Clone)]
pub(super) struct Workspace {
    /// Tenants in the order in which they are listed: id and name. None at all: not an MSP workspace.
    pub(super) tenants: Vec<(String, String)>,
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) password: String,
    pub(super) customer_id: String,
}

/// The cookies of one login.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) csrf: String,
    pub(super) client_id: String,
    pub(super) user: String,
}

/// An authorization code.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) user: String,
}

/// One sequence of Classic tokens.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) client_id: String,
    pub(super) user: String,
    pub(super) access: String,
    pub(super) refresh: String,
}

#[derive(Clone)]
pub(super) struct RefreshToken {
    pub(super) chain: ChainId,
    /// Rotated away, and only kept for a race.
    pub(super) spent: bool,
}

/// What an access token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    Central,
    Workspace(String),
    Tenant(String),
    Classic,
    /// Another vendor's.
    Other,
}

#[derive(Clone)]
pub(super) struct AccessToken {
    pub(super) scope: Scope,
    pub(super) client_id: String,
}

/// The access tokens that have not expired.
#[derive(Clone, Default)]
pub(super) struct Tokens {
    table: Sweeping<AccessToken>,
}

impl Tokens {
    pub(super) fn insert(&mut self, now: Now, text: String, expires_at: Now, token: AccessToken) {
        self.table.insert(now, text, expires_at, token);
    }

    pub(super) fn live(&self, now: Now, text: &str) -> Option<&AccessToken> {
        self.table.live(now, text)
    }

    /// The client that a token was minted for, also when it has expired since.
    pub(super) fn owner(&self, text: &str) -> Option<&str> {
        self.table.get(text).map(|token| token.client_id.as_str())
    }

    pub(super) fn expires_at(&self, text: &str) -> Option<Now> {
        self.table.entries.get(text).map(|(until, _)| *until)
    }

    /// The last to expire of those that live and match, and when it does.
    pub(super) fn latest(&self, now: Now, matches: impl Fn(&AccessToken) -> bool) -> Option<(&str, Now)> {
        let live = self.table.entries.iter().filter(|(_, (until, token))| now < *until && matches(token));
        live.map(|(text, (until, _))| (text.as_str(), *until)).max_by_key(|(_, until)| *until)
    }

    pub(super) fn remove(&mut self, text: &str) -> bool {
        self.table.remove(text).is_some()
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&str, &AccessToken) -> bool) -> usize {
        self.table.retain(keep)
    }
}

/// A table whose entries expire, strictly; it is swept whenever it has doubled.
#[derive(Clone)]
pub(super) struct Sweeping<T> {
    entries: BTreeMap<String, (Now, T)>,
    sweep_at: usize,
}

impl<T> Default for Sweeping<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), sweep_at: SWEEP_FROM }
    }
}

impl<T> Sweeping<T> {
    pub(super) fn insert(&mut self, now: Now, key: String, expires_at: Now, value: T) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, (until, _)| now < *until);
            self.sweep_at = SWEEP_FROM.max(self.entries.len() * 2);
        }
        self.entries.insert(key, (expires_at, value));
    }

    /// An entry before its expiry; at that very millisecond it is gone.
    pub(super) fn live(&self, now: Now, key: &str) -> Option<&T> {
        self.entries.get(key).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    fn get(&self, key: &str) -> Option<&T> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<T> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    /// Says how many went.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str, &T) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|key, (_, value)| keep(key, value));
        before - self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_does_not_grow_with_what_has_expired() {
        let mut table = Sweeping::default();
        for now in 0..100_000 {
            table.insert(now, now.to_string(), now + 10, ());
        }
        assert!(table.entries.len() <= SWEEP_FROM, "{}", table.entries.len());
        assert!(table.live(99_999, "99999").is_some());
    }
}
