//! The whole of a [`Provider`] against a server on loopback.

mod endings;
mod environment;
mod faults;
mod login;
mod responder;
mod secrecy;
mod tls;
mod wire;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Secret, WorkspaceId};

use super::{Provider, ResolvedSecrets, Timing};
use crate::config::CaFile;
use crate::core::provider::{Answer, Failure, Grant, PairResponse, RefreshToken, SecretVersion, TokenResponse};
use crate::core::settings::{ClientCredentials, Endpoint, Kind, Login, ParamStyle, Profile, Tenants};

/// Long enough for a busy machine, and what no test waits for unless it fails.
const PATIENT: Timing = Timing {
    connect: Duration::from_secs(10),
    whole: Duration::from_secs(20),
    grace: Duration::from_secs(10),
    login_pause: Duration::from_millis(1),
    login_steps: Duration::from_secs(60),
};

const WORKSPACE: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
const TENANT: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

const TOKEN: &str = r#"{"access_token":"a1","token_type":"Bearer","expires_in":899}"#;
const PAIR: &str = r#"{"refresh_token":"r2","token_type":"bearer","access_token":"a2","expires_in":7200}"#;

fn provider(timing: Timing) -> Provider {
    Provider::with_timing([], timing)
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint { url: url.to_owned(), host: url.into() }
}

fn profile(kind: Kind) -> Profile {
    Profile { name: "p".parse().unwrap(), client_id: "my id".to_owned(), kind }
}

fn central(url: &str) -> Profile {
    profile(Kind::ClientCredentials(ClientCredentials::central(endpoint(url))))
}

fn glp(url: &str) -> Profile {
    let workspace = WORKSPACE.parse().unwrap();
    profile(Kind::Glp { base_url: endpoint(url), workspace, tenants: Some(Tenants::default()) })
}

fn classic(url: &str, param_style: ParamStyle) -> Profile {
    let login = Some(Login { username: "o\"brien".to_owned(), customer_id: "c1".to_owned() });
    profile(Kind::Classic { gateway: endpoint(url), before: Duration::from_secs(600), param_style, login })
}

fn client_credentials() -> Grant {
    Grant::ClientCredentials { secret: SecretVersion(1) }
}

fn exchange() -> Grant {
    Grant::Exchange { tenant: tenant(), subject: Secret::from("msp+token") }
}

fn tenant() -> WorkspaceId {
    TENANT.parse().unwrap()
}

fn listing(offset: u64) -> Grant {
    Grant::ListTenants { token: Secret::from("msp+token"), offset }
}

fn refresh() -> Grant {
    Grant::Refresh { secret: SecretVersion(1), refresh_token: Secret::from("r1&=") }
}

fn log_in() -> Grant {
    Grant::Login { secret: SecretVersion(1), password: SecretVersion(2) }
}

async fn ask(provider: &Provider, profile: &Profile, grant: &Grant) -> Answer {
    let (client_secret, password) = (Secret::from("s/1 +"), Secret::from("pass\\word"));
    let secrets = ResolvedSecrets { client_secret: Some(&client_secret), password: Some(&password) };
    provider.send(profile, grant, secrets).await
}

#[track_caller]
fn token(answer: Answer) -> TokenResponse {
    match answer {
        Answer::Token(token) => token,
        other => panic!("no token: {other:?}"),
    }
}

/// The two tokens of a pair.
#[track_caller]
fn pair(answer: Answer) -> (Secret, Secret) {
    match answer {
        Answer::Pair(PairResponse { access: Some(access), refresh_token: RefreshToken::New(refresh), .. }) => {
            (access.access_token, refresh)
        }
        other => panic!("no pair: {other:?}"),
    }
}

#[track_caller]
fn failure(answer: Answer) -> Failure {
    match answer {
        Answer::Failed(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

/// Runs an ignored test of this folder in a process and an environment of its own, and gives back what it printed.
async fn alone(test: &str, environment: &[(&str, &str)]) -> String {
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("provider::tests::{test}"), "--ignored", "--nocapture"])
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    text
}

/// Certificates for one test.
struct Authority {
    folder: tempfile::TempDir,
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), certificate.pem()).unwrap();
        Self { folder, certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Is there as long as `self`.
    fn ca_file(&self) -> CaFile {
        CaFile::at(&self.folder.path().join("authority.pem"))
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A server's side, with a certificate for this host.
    fn server(&self, host: &str) -> rustls::ServerConfig {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap()
    }
}
