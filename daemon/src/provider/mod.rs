//! The identity providers, over HTTP: one file per grant, and one place ([`classify`]) that says what an answer
//! means.
//!
//! Not here: when to ask, how often, and what to do about a failure. That is [`crate::core`]'s.

mod body;
mod charset;
mod classify;
mod client_credentials;
mod coding;
mod deadline;
mod exchange;
mod form;
mod gate;
mod http;
mod interpret;
mod login;
mod loose;
mod refresh;
mod reply;
mod request;
mod resolver;
mod system_store;
mod tenants;
mod timing;
mod token_response;
mod trust;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokend_proto::{ProfileName, Secret};

use crate::config::{CaFile, Config, ProfileExtras};
use crate::core::provider::{Answer, Failure, FailureKind, Grant};
use crate::core::settings::{Kind, Profile};
pub use crate::provider::classify::RequestKind;
use crate::provider::http::Http;
pub use crate::provider::interpret::{Parsed, RawResponse, Text, interpret};
pub use crate::provider::resolver::MAX_LOOK_UPS;
use crate::provider::timing::Timing;
use crate::provider::trust::Trust;

/// Carries requests to the providers and brings back answers. Never changes; a reload makes a new one.
pub struct Provider {
    http: Http,
}

/// The texts of the secrets that a [`Grant`] names by version, as far as they could be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResolvedSecrets<'a> {
    /// Of the profile.
    pub client_secret: Option<&'a Secret>,
    /// Of its login.
    pub password: Option<&'a Secret>,
}

impl Provider {
    /// For a configuration: what is in a profile's `ca_file` is trusted in addition to the system's authorities, and
    /// connections are kept where that does not take too many descriptors. Costs no time: clients are made, and files
    /// are read, when they are first needed.
    pub fn for_config(config: &Config) -> Self {
        // Profiles with a certificate of their own have connections of their own.
        let of_profile = |(name, extras): (&ProfileName, &ProfileExtras)| {
            let host = config.settings.profiles.get(name).map(|profile| Arc::clone(&profile.endpoint().host));
            (host, extras.ca_file.as_ref().map(|ca_file| ca_file.path().to_owned()))
        };
        let hosts: BTreeSet<_> = config.profiles.iter().map(of_profile).collect();
        let ca_files =
            config.profiles.iter().filter_map(|(name, extras)| Some((name.clone(), extras.ca_file.clone()?)));
        let provider = Self::with_timing(ca_files, Timing::PRODUCTION);
        Self { http: provider.http.keeping_connections_to(hosts.len()) }
    }

    fn with_timing(ca_files: impl IntoIterator<Item = (ProfileName, CaFile)>, timing: Timing) -> Self {
        Self { http: Http::new(timing, Trust::new(ca_files)) }
    }

    /// Asks once (a login: its three steps, once) and never fails: whatever happens is an answer, after at most
    /// some 30 seconds, a login three times that. A [`Grant::Refresh`] or [`Grant::Login`] must run to its end: one
    /// that is dropped half-way may have spent a token that nobody then knows of.
    pub async fn send(&self, profile: &Profile, grant: &Grant, secrets: ResolvedSecrets<'_>) -> Answer {
        let answer = self.ask(profile, grant, secrets).await.unwrap_or_else(Answer::Failed);
        let outcome = match &answer {
            Answer::Token(_) => "a token",
            Answer::Pair(_) => "a pair of tokens",
            Answer::Tenants(_) => "a page of tenants",
            Answer::Failed(failure) => &failure.message,
        };
        tracing::debug!(profile = %profile.name, host = %profile.endpoint().host, outcome, "asked a provider");
        answer
    }

    async fn ask(&self, profile: &Profile, grant: &Grant, secrets: ResolvedSecrets<'_>) -> Result<Answer, Failure> {
        let http = &self.http;
        match (grant, &profile.kind) {
            (Grant::ClientCredentials { .. }, Kind::ClientCredentials(asked)) => {
                let secret = client_secret(RequestKind::ClientCredentials, secrets)?;
                client_credentials::token(http, profile, asked, secret).await.map(Answer::Token)
            }
            (Grant::ClientCredentials { .. }, Kind::Glp { base_url, workspace, .. }) => {
                let secret = client_secret(RequestKind::ClientCredentials, secrets)?;
                client_credentials::workspace(http, profile, base_url, *workspace, secret).await.map(Answer::Token)
            }
            (Grant::Exchange { tenant, subject }, Kind::Glp { base_url, .. }) => {
                exchange::token(http, profile, base_url, *tenant, subject).await.map(Answer::Token)
            }
            (Grant::ListTenants { token, offset }, Kind::Glp { base_url, .. }) => {
                tenants::page(http, profile, base_url, token, *offset).await.map(Answer::Tenants)
            }
            (Grant::Refresh { refresh_token, .. }, Kind::Classic { gateway, param_style, .. }) => {
                let secret = client_secret(RequestKind::Refresh, secrets)?;
                refresh::token(http, profile, (gateway, *param_style), secret, refresh_token).await.map(Answer::Pair)
            }
            (Grant::Login { .. }, Kind::Classic { gateway, param_style, login: Some(login), .. }) => {
                let secret = client_secret(RequestKind::LoginUser, secrets)?;
                let password = available(RequestKind::LoginUser, secrets.password, "the password could not be read")?;
                login::token(http, profile, (gateway, *param_style), login, secret, password).await.map(Answer::Pair)
            }
            (grant, _) => Err(not_of_this_kind(grant)),
        }
    }
}

fn client_secret(asked: RequestKind, secrets: ResolvedSecrets<'_>) -> Result<&Secret, Failure> {
    available(asked, secrets.client_secret, "the client secret could not be read")
}

fn available<'a>(asked: RequestKind, secret: Option<&'a Secret>, missing: &str) -> Result<&'a Secret, Failure> {
    secret.ok_or_else(|| classify::not_sent(asked, FailureKind::SecretUnavailable, missing))
}

/// Only a mistake of ours, or a reload that changed a profile's kind under a request, gets here.
fn not_of_this_kind(grant: &Grant) -> Failure {
    let asked = match grant {
        Grant::ClientCredentials { .. } => RequestKind::ClientCredentials,
        Grant::Exchange { .. } => RequestKind::Exchange,
        Grant::ListTenants { .. } => RequestKind::ListTenants,
        Grant::Refresh { .. } => RequestKind::Refresh,
        Grant::Login { .. } => RequestKind::LoginUser,
    };
    classify::not_sent(asked, FailureKind::Transient, "the profile is of a kind that has no such request")
}

#[cfg(test)]
mod tests;
