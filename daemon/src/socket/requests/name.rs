//! From a name as a peer spells it to the one that tokens are kept under.

use std::sync::Arc;

use tokend_proto::{ErrorReply, NameError, ProfileName, TenantRef, TokenName, TokenRef};

use crate::socket::errors;
use crate::token_cache::TokenCache;

/// What a peer means.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::socket) enum Asked {
    /// This token.
    Known(TokenName),
    /// The tenant with this workspace name, which the directory does not have: the core may find it.
    Workspace { profile: ProfileName, workspace_name: Arc<str> },
}

/// Reads a name in any spelling: hyphens in an id, upper case, a workspace name.
pub(in crate::socket) fn parse(token_cache: &TokenCache, text: &str) -> Result<Asked, NameError> {
    let TokenRef { profile, tenant } = text.parse()?;
    Ok(match tenant {
        None => Asked::Known(TokenName { profile, tenant: None }),
        Some(TenantRef::Id(id)) => Asked::Known(TokenName { profile, tenant: Some(id) }),
        Some(TenantRef::Name(workspace_name)) => match token_cache.tenant(&profile, &workspace_name) {
            Some(id) => Asked::Known(TokenName { profile, tenant: Some(id) }),
            None => Asked::Workspace { profile, workspace_name },
        },
    })
}

/// A name that the daemon itself has printed.
pub(in crate::socket) fn canonical(text: &str) -> Option<TokenName> {
    text.parse::<TokenRef>().ok()?.canonical()
}

/// What a page of names starts after.
pub(super) fn after_name(text: &str) -> Result<TokenName, ErrorReply> {
    canonical(text).ok_or_else(|| errors::after(text, "a token name"))
}

#[cfg(test)]
mod tests {
    use tokend_proto::WorkspaceId;

    use super::*;

    #[test]
    fn every_spelling_of_a_tenant_leads_to_one_name() {
        let token_cache = TokenCache::new();
        let profile: ProfileName = "msp".parse().unwrap();
        let id: WorkspaceId = "497f6eca62764993bfeb53cbbbba6f08".parse().unwrap();
        token_cache.set_directory(&profile, vec![("Acme / Sons".into(), id)]);
        let known = Ok(Asked::Known(TokenName { profile: profile.clone(), tenant: Some(id) }));
        assert_eq!(parse(&token_cache, "msp/497f6eca62764993bfeb53cbbbba6f08"), known);
        assert_eq!(parse(&token_cache, "msp/497F6ECA-6276-4993-BFEB-53CBBBBA6F08"), known);
        assert_eq!(parse(&token_cache, "msp/Acme / Sons"), known);
        let unknown = Asked::Workspace { profile, workspace_name: "Acme".into() };
        assert_eq!(parse(&token_cache, "msp/Acme"), Ok(unknown));
        assert_eq!(parse(&token_cache, "msp/"), Err(NameError::Tenant));
    }
}
