//! Who may read which name. Filled from `[[access]]` by `crate::config`.
//!
//! Not here: who a peer is (the socket asks the kernel), which unit its cgroup means (`unit`), users' and groups'
//! names (the configuration has made numbers of them), and workspace names (a tenant is its id before a rule is asked).

use std::cell::OnceCell;
use std::fmt;

use tokend_proto::{ProfileName, TokenName};

use super::unit::{NoUnit, PeerUnit, UnitRule};

/// A local process on the socket, as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerIdentity {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Process.
    pub pid: i32,
    /// The systemd unit it runs in, or why that is not known. Empty until somebody has looked it up, which is worth
    /// it only where [`Access::asks_for_units`]; until then no rule matches by it.
    pub unit: OnceCell<Result<PeerUnit, NoUnit>>,
}

impl PeerIdentity {
    fn known_unit(&self) -> Option<&PeerUnit> {
        self.unit.get()?.as_ref().ok()
    }
}

/// All rules, and who stands above them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    rules: Vec<Rule>,
    daemon_uid: u32,
    asks_for_units: bool,
}

/// What some peers may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// Which names.
    pub profiles: Vec<Pattern>,
    /// Users it is for.
    pub users: Vec<u32>,
    /// Groups it is for.
    pub groups: Vec<u32>,
    /// systemd units it is for.
    pub units: Vec<UnitRule>,
    /// Whether these peers may also refresh these names and import chains for them.
    pub admin: bool,
}

impl Access {
    /// `daemon_uid` may do everything, and so may root. Without a rule, each user that may open the socket may read.
    #[must_use]
    pub fn new(rules: Vec<Rule>, daemon_uid: u32) -> Self {
        let asks_for_units = rules.iter().any(|rule| !rule.units.is_empty());
        Self { rules, daemon_uid, asks_for_units }
    }

    /// Root, or the daemon's own user: may do everything, and alone may reload.
    #[must_use]
    pub fn is_superuser(&self, peer: &PeerIdentity) -> bool {
        peer.uid == 0 || peer.uid == self.daemon_uid
    }

    /// Whether the answers depend on the peer's unit.
    #[must_use]
    pub fn asks_for_units(&self) -> bool {
        self.asks_for_units
    }

    /// Whether the peer may have this name's token and see how it is doing.
    #[must_use]
    pub fn may_read(&self, peer: &PeerIdentity, name: &TokenName) -> bool {
        self.may_read_everything(peer) || self.patterns(peer).any(|pattern| pattern.matches(name))
    }

    /// Whether there is no name that the peer may not read: there are no rules, or they do not bind it.
    #[must_use]
    pub fn may_read_everything(&self, peer: &PeerIdentity) -> bool {
        self.rules.is_empty() || self.is_superuser(peer)
    }

    /// Whether the peer may refresh this name, or import a chain for it.
    #[must_use]
    pub fn may_admin(&self, peer: &PeerIdentity, name: &TokenName) -> bool {
        self.is_superuser(peer) || self.admin_of(peer).any(|pattern| pattern.matches(name))
    }

    /// Whether there could be a tenant of this profile that the peer may read. To be asked before a workspace
    /// name is looked up: a peer without one is denied whether or not the name exists.
    #[must_use]
    pub fn may_read_some_tenant(&self, peer: &PeerIdentity, profile: &ProfileName) -> bool {
        self.may_read_everything(peer) || self.patterns(peer).any(|pattern| pattern.matches_some_tenant(profile))
    }

    /// Whether the peer may read every tenant of this profile. Only such a peer may be told that a workspace
    /// name does not exist; to the others it is denied, as one that they may not read is.
    #[must_use]
    pub fn may_read_every_tenant(&self, peer: &PeerIdentity, profile: &ProfileName) -> bool {
        self.may_read_everything(peer) || self.patterns(peer).any(|pattern| pattern.matches_every_tenant(profile))
    }

    /// The names that the peer may read, to ask about very many of them.
    #[must_use]
    pub fn readable<'a>(&'a self, peer: &'a PeerIdentity) -> Names<'a> {
        if self.may_read_everything(peer) { Names(None) } else { Names(Some(self.patterns(peer).collect())) }
    }

    /// The names that the peer may refresh and import, to ask about very many of them.
    #[must_use]
    pub fn administered<'a>(&'a self, peer: &'a PeerIdentity) -> Names<'a> {
        if self.is_superuser(peer) { Names(None) } else { Names(Some(self.admin_of(peer).collect())) }
    }

    /// Patterns of the names that the peer may read, each once, in the order of the rules.
    #[must_use]
    pub fn readable_patterns(&self, peer: &PeerIdentity) -> Vec<String> {
        if self.may_read_everything(peer) { everything() } else { each_once(self.patterns(peer)) }
    }

    /// Patterns of the names that the peer may refresh and import, each once, in the order of the rules.
    #[must_use]
    pub fn admin_patterns(&self, peer: &PeerIdentity) -> Vec<String> {
        if self.is_superuser(peer) { everything() } else { each_once(self.admin_of(peer)) }
    }

    fn patterns(&self, peer: &PeerIdentity) -> impl Iterator<Item = &Pattern> {
        self.rules.iter().filter(|rule| rule.is_for(peer)).flat_map(|rule| &rule.profiles)
    }

    fn admin_of(&self, peer: &PeerIdentity) -> impl Iterator<Item = &Pattern> {
        self.rules.iter().filter(|rule| rule.admin && rule.is_for(peer)).flat_map(|rule| &rule.profiles)
    }
}

/// Names that a peer may do something with: all, or those of some patterns.
#[derive(Debug, Clone)]
pub struct Names<'a>(Option<Vec<&'a Pattern>>);

impl Names<'_> {
    /// Whether this name is one of them.
    #[must_use]
    pub fn includes(&self, name: &TokenName) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(name)))
    }
}

impl Rule {
    /// Whether any of its users, groups or units is the peer's.
    fn is_for(&self, peer: &PeerIdentity) -> bool {
        self.users.contains(&peer.uid)
            || self.groups.iter().any(|group| *group == peer.gid || peer.groups.contains(group))
            || peer.known_unit().is_some_and(|unit| self.units.iter().any(|rule| rule.matches(unit)))
    }
}

fn everything() -> Vec<String> {
    vec!["*".to_owned(), "*/*".to_owned()]
}

fn each_once<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Vec<String> {
    let mut texts = Vec::new();
    for text in patterns.map(ToString::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// A pattern of token names: `*` stands for any characters but `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    profile: String,
    /// Without hyphens, in lower case; `None` for the profile's own token.
    tenant: Option<String>,
}

/// Why text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternError {
    /// The part before the `/` can be no profile's name.
    Profile,
    /// The part after the `/` is not made of hex digits, hyphens and `*`: most likely a workspace name.
    WorkspaceName,
    /// The part after the `/` can be no workspace id: too short without `*`, or too long.
    WorkspaceId,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Profile => {
                "is not a pattern of token names; expected PROFILE, PROFILE/* and PROFILE/ID, where * stands for any \
                 characters but '/'"
            }
            Self::WorkspaceName => {
                "names a tenant by its workspace name, which the provider's customers can change; use its id \
                 (`tokenctl tenants PROFILE` lists them), or * for all"
            }
            Self::WorkspaceId => {
                "names a tenant by something that is no workspace id: that is 32 hex digits, or * for all"
            }
        })
    }
}

impl std::error::Error for PatternError {}

/// Digits of a workspace id.
const ID_DIGITS: usize = 32;

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (profile, tenant) = match text.split_once('/') {
            None => (text, None),
            Some((profile, tenant)) => (profile, Some(tenant)),
        };
        let in_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*');
        if !profile.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*') || !profile.chars().all(in_a_name) {
            return Err(PatternError::Profile);
        }
        Ok(Self { profile: profile.to_owned(), tenant: tenant.map(tenant_pattern).transpose()? })
    }
}

fn tenant_pattern(text: &str) -> Result<String, PatternError> {
    if !text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '-' | '*')) {
        return Err(PatternError::WorkspaceName);
    }
    let pattern: String = text.chars().filter(|&c| c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let digits = pattern.chars().filter(|&c| c != '*').count();
    let possible = if pattern.contains('*') { digits <= ID_DIGITS } else { digits == ID_DIGITS };
    if possible { Ok(pattern) } else { Err(PatternError::WorkspaceId) }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            None => f.write_str(&self.profile),
            Some(tenant) => write!(f, "{}/{tenant}", self.profile),
        }
    }
}

impl Pattern {
    /// Whether it stands for this name.
    #[must_use]
    pub fn matches(&self, name: &TokenName) -> bool {
        self.matches_profile(&name.profile)
            && match (&self.tenant, &name.tenant) {
                (None, None) => true,
                (Some(pattern), Some(id)) => glob(pattern, &id.to_string()),
                _ => false,
            }
    }

    /// Whether its first part stands for this profile. What follows does not matter.
    #[must_use]
    pub fn matches_profile(&self, profile: &ProfileName) -> bool {
        glob(&self.profile, profile.as_str())
    }

    /// Whether it is a pattern of tenants rather than of profiles.
    #[must_use]
    pub fn is_of_tenants(&self) -> bool {
        self.tenant.is_some()
    }

    fn matches_some_tenant(&self, profile: &ProfileName) -> bool {
        self.is_of_tenants() && self.matches_profile(profile)
    }

    fn matches_every_tenant(&self, profile: &ProfileName) -> bool {
        let of_every = |tenant: &String| tenant.chars().all(|c| c == '*');
        self.tenant.as_ref().is_some_and(of_every) && self.matches_profile(profile)
    }
}

/// Whether `text` is `pattern` with something, or nothing, for each `*`. Time is at most the product of both
/// lengths: only the last `*` is ever tried again.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            last_star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, taken)) = last_star {
            last_star = Some((star, taken + 1));
            p = star + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
