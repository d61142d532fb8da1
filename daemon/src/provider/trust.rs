//! Which servers are believed to be who they say: the system's store, plus a profile's `ca_file`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokend_proto::ProfileName;

/// TLS sessions kept for a short handshake with a server that is spoken to again. rustls reserves the room for all of
/// them at once, and its own 256 are for clients of many servers: here there is a host or two for each configuration.
const SESSIONS: usize = 8;

/// Trust anchors by profile. The system's are read when first needed, so that making this costs no time, and
/// once, so that a reload is what brings new ones in.
pub(super) struct Trust {
    extra: HashMap<ProfileName, Vec<CertificateDer<'static>>>,
    /// Of profiles that add nothing; its parts are shared by all clients made of it.
    system: OnceLock<(Arc<RootCertStore>, ClientConfig)>,
}

impl Trust {
    pub(super) fn new(extra: impl IntoIterator<Item = (ProfileName, Vec<CertificateDer<'static>>)>) -> Self {
        Self { extra: extra.into_iter().collect(), system: OnceLock::new() }
    }

    /// Profiles with trust of their own.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &ProfileName> {
        self.extra.keys()
    }

    /// How to speak TLS for this profile.
    pub(super) fn tls(&self, profile: &ProfileName) -> ClientConfig {
        let (system, shared) = self.system.get_or_init(|| {
            let roots = Arc::new(system_store());
            (Arc::clone(&roots), trusting(roots))
        });
        match self.extra.get(profile) {
            None => shared.clone(),
            Some(extra) => {
                let mut roots = RootCertStore::clone(system);
                roots.add_parsable_certificates(extra.iter().cloned());
                trusting(Arc::new(roots))
            }
        }
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
