//! What an administrator does in the web interface.

use std::collections::VecDeque;

use serde::Serialize;
use tokend_proto::Fingerprint;

use super::provider::fingerprint;
use super::state::{ChainId, Client, ClientKind, User, Workspace};
use super::{Now, Provider};

/// Secrets of one client that are taken beside the first.
const MORE_SECRETS: usize = 16;

/// An OAuth client's id and secret. Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Credentials {
    /// What names the client.
    pub client_id: String,
    /// What proves it.
    pub client_secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What "Download Token" gives: the start of a chain. Its `Debug` does not show the tokens.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the provider's")]
pub struct DownloadToken {
    pub access_token: String,
    pub appname: String,
    pub authenticated_userid: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: u64,
    pub credential_id: String,
    /// Seconds.
    pub expires_in: u64,
    /// The chain, for [`Provider::revoke`].
    pub id: ChainId,
    pub refresh_token: String,
    pub scope: String,
    pub token_type: String,
}

impl std::fmt::Debug for DownloadToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DownloadToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An operator named something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// Neither an API client nor a Classic application has this id.
    #[error("there is no client {0:?}")]
    NoClient(String),
    /// Chains belong to applications of the Classic gateway.
    #[error("client {0:?} is not a Classic application")]
    NotClassic(String),
    /// No workspace has this id, which is 32 hex digits without hyphens.
    #[error("there is no workspace {0:?}")]
    NoWorkspace(String),
    /// The workspace has no such tenant.
    #[error("there is no tenant {0:?}")]
    NoTenant(String),
    /// The chain never was, was revoked, or has died.
    #[error("there is no chain {0}")]
    NoChain(ChainId),
}

impl Provider {
    /// A new workspace without tenants: its id, 32 hex digits.
    pub fn add_workspace(&mut self) -> String {
        let id = self.mint.hex();
        self.state.workspaces.insert(id.clone(), Workspace { tenants: Vec::new() });
        id
    }

    /// A new tenant of a workspace, which is an MSP workspace thereby: its id, 32 hex digits. Names may repeat.
    pub fn add_tenant(&mut self, workspace: &str, name: &str) -> Result<String, OperatorError> {
        let id = self.mint.hex();
        self.workspace(workspace)?.tenants.push((id.clone(), name.to_owned()));
        Ok(id)
    }

    /// Removes a tenant from a workspace; its tokens die with it.
    pub fn remove_tenant(&mut self, workspace: &str, tenant: &str) -> Result<(), OperatorError> {
        let tenants = &mut self.workspace(workspace)?.tenants;
        let at = tenants.iter().position(|(id, _)| id == tenant);
        tenants.remove(at.ok_or_else(|| OperatorError::NoTenant(tenant.to_owned()))?);
        let scope = super::state::Scope::Tenant(tenant.to_owned());
        self.state.tokens.retain(|_, token| token.scope != scope);
        Ok(())
    }

    fn workspace(&mut self, id: &str) -> Result<&mut Workspace, OperatorError> {
        self.state.workspaces.get_mut(id).ok_or_else(|| OperatorError::NoWorkspace(id.to_owned()))
    }

    /// A new personal API client: `central` tokens at SSO, and `glp` tokens of its workspace if it is given one.
    pub fn add_api_client(&mut self, workspace: Option<&str>) -> Credentials {
        self.add_client(ClientKind::Api { workspace: workspace.map(str::to_owned) })
    }

    /// A new application of the Classic gateway, without a chain.
    pub fn add_classic_client(&mut self) -> Credentials {
        self.add_client(ClientKind::Classic)
    }

    fn add_client(&mut self, kind: ClientKind) -> Credentials {
        let credentials =
            Credentials { client_id: self.mint.alphanumeric(32), client_secret: self.mint.alphanumeric(32) };
        let secret = credentials.client_secret.clone();
        let more_secrets = VecDeque::new();
        let client = Client { secret, more_secrets, kind, logins: VecDeque::new(), last_login_token: None };
        self.state.clients.insert(credentials.client_id.clone(), client);
        credentials
    }

    /// The client may prove itself with this secret, too, as with one of a vault that gives another at each reading.
    /// The last sixteen of these are taken, until the credentials are reset.
    pub fn add_secret(&mut self, client_id: &str, secret: &str) -> Result<(), OperatorError> {
        let secrets = &mut self.client(client_id)?.more_secrets;
        secrets.push_back(secret.to_owned());
        if secrets.len() > MORE_SECRETS {
            secrets.pop_front();
        }
        Ok(())
    }

    fn client(&mut self, id: &str) -> Result<&mut Client, OperatorError> {
        self.state.clients.get_mut(id).ok_or_else(|| OperatorError::NoClient(id.to_owned()))
    }

    /// A user who may log in to Classic, or a new password for one.
    pub fn set_user(&mut self, name: &str, password: &str, customer_id: &str) {
        let user = User { password: password.to_owned(), customer_id: customer_id.to_owned() };
        self.state.users.insert(name.to_owned(), user);
    }

    /// Creates a token in the web interface. Each one is a chain of its own, and the login quota does not count it.
    pub fn download_token(&mut self, now: Now, client_id: &str) -> Result<DownloadToken, OperatorError> {
        match self.state.clients.get(client_id) {
            None => return Err(OperatorError::NoClient(client_id.to_owned())),
            Some(client) if client.kind != ClientKind::Classic => {
                return Err(OperatorError::NotClassic(client_id.to_owned()));
            }
            Some(_) => {}
        }
        let user = "operator@example.net";
        let id = self.start_chain(now, client_id.to_owned(), user.to_owned());
        let chain = &self.state.chains[&id];
        Ok(DownloadToken {
            access_token: chain.access.clone(),
            appname: "nms".to_owned(),
            authenticated_userid: user.to_owned(),
            created_at: now,
            credential_id: client_id.to_owned(),
            expires_in: self.lives.classic,
            id,
            refresh_token: chain.refresh.clone(),
            scope: "all".to_owned(),
            token_type: "bearer".to_owned(),
        })
    }

    /// The chains of a client that still can be refreshed, or could when last looked at; oldest first.
    #[must_use]
    pub fn chains(&self, client_id: &str) -> Vec<ChainId> {
        self.state.chains.iter().filter(|(_, chain)| chain.client_id == client_id).map(|(id, _)| *id).collect()
    }

    /// Revokes a chain: neither of its tokens works any more.
    pub fn revoke(&mut self, chain: ChainId) -> Result<(), OperatorError> {
        let gone = self.state.chains.remove(&chain).ok_or(OperatorError::NoChain(chain))?;
        self.state.tokens.remove(&gone.access);
        self.state.refresh_tokens.retain(|_, token| token.chain != chain);
        Ok(())
    }

    /// Kills every access token of a client and nothing else: credentials and refresh tokens live on. Says how many.
    pub fn kill_access_tokens(&mut self, client_id: &str) -> usize {
        self.state.tokens.retain(|_, token| token.client_id != client_id)
    }

    /// Kills one access token of any kind; false when there is none of that fingerprint.
    pub fn kill_access_token(&mut self, which: Fingerprint) -> bool {
        self.state.tokens.retain(|text, _| fingerprint(text) != which) > 0
    }

    /// Gives a client a new secret; every token minted with the old one is invalid, refresh tokens included.
    pub fn reset_credentials(&mut self, client_id: &str) -> Result<Credentials, OperatorError> {
        let secret = self.mint.alphanumeric(32);
        let client = self.client(client_id)?;
        client.secret.clone_from(&secret);
        client.more_secrets.clear();
        self.kill_access_tokens(client_id);
        for chain in self.chains(client_id) {
            self.revoke(chain)?;
        }
        self.state.codes.retain(|_, code| code.client_id != client_id);
        self.state.sessions.retain(|_, session| session.client_id != client_id);
        Ok(Credentials { client_id: client_id.to_owned(), client_secret: secret })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Population, Request};
    use super::*;

    #[test]
    fn a_download_token_has_the_documented_fields_and_created_at_in_milliseconds() {
        let (mut provider, world) = Population::settle(2);
        let token = provider.download_token(1_700_000_000_123, &world.classic.client_id).unwrap();
        let value = serde_json::to_value(&token).unwrap();
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "access_token",
                "appname",
                "authenticated_userid",
                "created_at",
                "credential_id",
                "expires_in",
                "id",
                "refresh_token",
                "scope",
                "token_type"
            ]
        );
        assert_eq!((token.created_at, token.expires_in), (1_700_000_000_123, 7200));
    }

    #[test]
    fn killing_access_tokens_leaves_the_refresh_token_alive() {
        let (mut provider, world) = Population::settle(2);
        let token = provider.download_token(0, &world.classic.client_id).unwrap();
        assert!(provider.kill_access_token(fingerprint(&token.access_token)));
        assert!(!provider.kill_access_token(fingerprint(&token.access_token)));
        let request = Request::get("/monitoring/v1/devices").bearer(&token.access_token);
        assert_eq!(provider.handle(0, &request).reply().unwrap().status, 401);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token.refresh_token.as_str())];
        let request =
            Request::form("/oauth2/token", &fields).basic(&world.classic.client_id, &world.classic.client_secret);
        assert_eq!(provider.handle(0, &request).reply().unwrap().status, 200);
        assert_eq!(provider.kill_access_tokens(&world.classic.client_id), 1);
    }

    #[test]
    fn a_removed_tenant_is_listed_and_exchanged_no_more() {
        let (mut provider, world) = Population::settle(2);
        provider.remove_tenant(&world.workspace, &world.tenants[0].0).unwrap();
        assert_eq!(
            provider.remove_tenant(&world.workspace, &world.tenants[0].0),
            Err(OperatorError::NoTenant(world.tenants[0].0.clone()))
        );
        let left: Vec<_> = provider.state.workspaces[&world.workspace].tenants.clone();
        assert_eq!(left, world.tenants[1..]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let (mut provider, world) = Population::settle(2);
        let error = provider.download_token(0, &world.central.client_id).unwrap_err();
        assert_eq!(error, OperatorError::NotClassic(world.central.client_id.clone()));
        assert_eq!(provider.revoke(77), Err(OperatorError::NoChain(77)));
        assert_eq!(provider.reset_credentials("x"), Err(OperatorError::NoClient("x".to_owned())));
    }
}
