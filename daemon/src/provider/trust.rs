//! Which servers are believed to be who they say: the system's store, plus a profile's `ca_file`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokend_proto::ProfileName;

use crate::config::CaFile;

/// TLS sessions kept for a short handshake with a server that is spoken to again. rustls reserves the room for all of
/// them at once, and its own 256 are for clients of many servers: here there is a host or two for each configuration.
const SESSIONS: usize = 8;

/// Trust anchors by profile. The system's are read when first needed, so that making this costs no time, and
/// once, so that a reload is what brings new ones in.
pub(super) struct Trust {
    circles: HashMap<ProfileName, Circle>,
    /// By circle: the first adds nothing to the system's.
    all: Vec<Trusted>,
    system: OnceLock<Arc<RootCertStore>>,
}

/// Profiles that trust the same `ca_file`: what is made for one of them serves all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Circle(usize);

/// The authorities of a circle beside the system's; the parts of the configuration are shared by all clients made of it.
#[derive(Default)]
struct Trusted {
    extra: Option<CaFile>,
    tls: OnceLock<ClientConfig>,
}

impl Trust {
    pub(super) fn new(extra: impl IntoIterator<Item = (ProfileName, CaFile)>) -> Self {
        let mut trust = Self { circles: HashMap::new(), all: vec![Trusted::default()], system: OnceLock::new() };
        for (profile, extra) in extra {
            let extra = Some(extra);
            let known = trust.all.iter().position(|trusted| trusted.extra == extra);
            let circle = known.unwrap_or_else(|| {
                trust.all.push(Trusted { extra, tls: OnceLock::new() });
                trust.all.len() - 1
            });
            trust.circles.insert(profile, Circle(circle));
        }
        trust
    }

    /// Whom this profile trusts.
    pub(super) fn circle(&self, profile: &ProfileName) -> Circle {
        self.circles.get(profile).copied().unwrap_or_default()
    }

    /// The authorities of this circle beside the system's, read from their file, which is waited for.
    pub(super) async fn authorities(&self, circle: Circle) -> Result<Vec<CertificateDer<'static>>, String> {
        match &self.all[circle.0].extra {
            None => Ok(Vec::new()),
            Some(file) => file.read_within_patience().await,
        }
    }

    /// How to speak TLS in this circle. Takes some milliseconds when the system's store is read for it.
    pub(super) fn tls(&self, circle: Circle, extra: &[CertificateDer<'static>]) -> ClientConfig {
        let tls = &self.all[circle.0].tls;
        let make = || {
            let system = self.system.get_or_init(|| Arc::new(system_store()));
            if extra.is_empty() {
                return trusting(Arc::clone(system));
            }
            let mut roots = RootCertStore::clone(system);
            roots.add_parsable_certificates(extra.iter().cloned());
            trusting(Arc::new(roots))
        };
        tls.get_or_init(make).clone()
    }
}

/// The crypto provider is named here and nowhere installed for the whole process.
fn trusting(roots: Arc<RootCertStore>) -> ClientConfig {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    tls.resumption = Resumption::in_memory_sessions(SESSIONS);
    tls
}

/// What cannot be read of it is logged and left out: the providers' authorities may well be in the rest.
fn system_store() -> RootCertStore {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "part of the system's certificate store cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (usable, unusable) = roots.add_parsable_certificates(loaded.certs);
    tracing::debug!(usable, unusable, "the system's certificate store is read");
    if roots.is_empty() {
        tracing::warn!("the system's certificate store is empty: only a ca_file can make a provider trusted");
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_that_trust_the_same_authorities_share_all_that_is_made_for_it() {
        let name = |name: &str| name.parse::<ProfileName>().unwrap();
        let named = [("a", "/one.pem"), ("b", "/two.pem"), ("c", "/one.pem")];
        let trust = Trust::new(named.map(|(profile, path)| (name(profile), CaFile::at(path.as_ref()))));
        let [a, b, c, none, nobody] = ["a", "b", "c", "none", "nobody"].map(|profile| trust.circle(&name(profile)));
        assert_eq!(a, c);
        assert_eq!(none, nobody);
        assert!(a != b && a != none && b != none);
    }
}
