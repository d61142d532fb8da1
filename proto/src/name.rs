//! Names of profiles, tenants and tokens. A parsed name is always valid.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::limits::MAX_NAME;

/// Why text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a profile name.
    #[error("a profile name is 1 to 64 letters, digits, '.', '_' or '-', of which the first is a letter or a digit")]
    Profile,
    /// Not a workspace id.
    #[error("a workspace id is 32 hex digits, with or without hyphens")]
    Workspace,
    /// Nothing after the slash, or too much.
    #[error("what follows the '/' of a token name is a workspace id or a workspace name of at most 256 bytes")]
    Tenant,
}

/// The name of one entry of the configuration: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileName(Arc<str>);

impl ProfileName {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_valid(text: &str) -> bool {
        let bytes = text.as_bytes();
        (1..=64).contains(&bytes.len())
            && bytes[0].is_ascii_alphanumeric()
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }
}

impl FromStr for ProfileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if Self::is_valid(text) { Ok(Self(text.into())) } else { Err(NameError::Profile) }
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A GreenLake workspace, that is, a tenant: 128 bits, written as 32 hex digits. Parsing drops hyphens.
///
/// It holds bytes and not a number, which would be aligned: this makes a name with an id in it a sixth smaller, and
/// there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId([u8; 16]);

impl WorkspaceId {
    /// The 128 bits, most significant byte first.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// An id from its 128 bits.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl FromStr for WorkspaceId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut id: u128 = 0;
        let mut digits = 0;
        for character in text.chars().filter(|&c| c != '-') {
            let digit = character.to_digit(16).ok_or(NameError::Workspace)?;
            digits += 1;
            if digits > 32 {
                return Err(NameError::Workspace);
            }
            id = id << 4 | u128::from(digit);
        }
        if digits == 32 { Ok(Self(id.to_be_bytes())) } else { Err(NameError::Workspace) }
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = self.0.map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        f.write_str(std::str::from_utf8(digits.as_flattened()).unwrap_or_default())
    }
}

/// The canonical name of a token: `PROFILE` or `PROFILE/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenName {
    /// The profile, whose credentials get the token.
    pub profile: ProfileName,
    /// The tenant; `None` for the profile's own token.
    pub tenant: Option<WorkspaceId>,
}

impl From<ProfileName> for TokenName {
    fn from(profile: ProfileName) -> Self {
        Self { profile, tenant: None }
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            None => f.write_str(self.profile.as_str()),
            Some(tenant) => {
                f.write_str(self.profile.as_str())?;
                f.write_str("/")?;
                tenant.fmt(f)
            }
        }
    }
}

/// A tenant as a person names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TenantRef {
    /// By its id. Text that can be an id is an id: it wins over a name.
    Id(WorkspaceId),
    /// By its workspace name, which the daemon looks up in the provider's list.
    Name(Arc<str>),
}

impl FromStr for TenantRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.is_empty() || text.len() > 256 => Err(NameError::Tenant),
            Err(_) => Ok(Self::Name(text.into())),
        }
    }
}

impl fmt::Display for TenantRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A token's name as a peer writes it: its tenant may be a workspace name, which the daemon has to resolve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenRef {
    /// The profile, whose credentials get the token.
    pub profile: ProfileName,
    /// The tenant; `None` for the profile's own token.
    pub tenant: Option<TenantRef>,
}

impl TokenRef {
    /// The canonical name; `None` if a workspace name has to be resolved first.
    #[must_use]
    pub fn canonical(&self) -> Option<TokenName> {
        let tenant = match &self.tenant {
            None => None,
            Some(TenantRef::Id(id)) => Some(*id),
            Some(TenantRef::Name(_)) => return None,
        };
        Some(TokenName { profile: self.profile.clone(), tenant })
    }
}

impl FromStr for TokenRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_NAME {
            return Err(NameError::Tenant);
        }
        match text.split_once('/') {
            None => Ok(Self { profile: text.parse()?, tenant: None }),
            Some((profile, tenant)) => Ok(Self { profile: profile.parse()?, tenant: Some(tenant.parse()?) }),
        }
    }
}

impl fmt::Display for TokenRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            None => self.profile.fmt(f),
            Some(tenant) => write!(f, "{}/{tenant}", self.profile),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_names_hold_to_their_alphabet() {
        for good in ["a", "campus", "0", "a.b_c-d", &"x".repeat(64)] {
            assert!(good.parse::<ProfileName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "_a", "a b", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(bad.parse::<ProfileName>(), Err(NameError::Profile), "{bad}");
        }
    }

    #[test]
    fn hyphens_of_a_workspace_id_are_dropped() {
        let id: WorkspaceId = "497f6eca-6276-4993-bfeb-53cbbbba6f08".parse().expect("an id");
        assert_eq!(id.to_string(), "497f6eca62764993bfeb53cbbbba6f08");
        assert_eq!("497F6ECA62764993BFEB53CBBBBA6F08".parse(), Ok(id));
        for bad in ["", "-", "497f6eca62764993bfeb53cbbbba6f0", "497f6eca62764993bfeb53cbbbba6f080", "g97f"] {
            assert_eq!(bad.parse::<WorkspaceId>(), Err(NameError::Workspace), "{bad}");
        }
    }

    #[test]
    fn an_id_wins_over_a_name() {
        let by_id: TokenRef = "msp/497f6eca-6276-4993-bfeb-53cbbbba6f08".parse().expect("a name");
        assert_eq!(by_id.canonical().expect("an id").to_string(), "msp/497f6eca62764993bfeb53cbbbba6f08");
        let by_name: TokenRef = "msp/Acme / Sons".parse().expect("a name");
        assert_eq!(by_name.tenant, Some(TenantRef::Name("Acme / Sons".into())));
        assert_eq!(by_name.canonical(), None);
        assert_eq!("msp/".parse::<TokenRef>(), Err(NameError::Tenant));
        assert_eq!("/x".parse::<TokenRef>(), Err(NameError::Profile));
    }
}
