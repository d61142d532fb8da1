//! Which servers are believed to be who they say: the system's store, plus a profile's `ca_file`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokend_proto::ProfileName;

use super::system_store::{Roots, SystemStore};
use crate::config::CaFile;
use crate::core::time::BootTime;
use crate::os::detached::Undone;

/// TLS sessions kept for a short handshake with a server that is spoken to again. rustls reserves the room for all of
/// them at once, and its own 256 are for clients of many servers: here there is a host or two for each configuration.
const SESSIONS: usize = 8;

/// Trust anchors by profile. The system's are read when first needed, so that making this costs no time, and again at a
/// reload.
pub(super) struct Trust {
    groups: HashMap<ProfileName, TrustGroup>,
    /// By group: the first adds nothing to the system's.
    all: Vec<Trusted>,
    system: Arc<SystemStore>,
}

/// Profiles that trust the same authorities: what is made for one of them serves all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct TrustGroup(usize);

/// The authorities of a group beside the system's; the parts of the configuration are shared by all clients made of it.
#[derive(Default)]
struct Trusted {
    extra: Option<CaFile>,
    /// What was in that file when it could be read.
    read: OnceLock<Arc<[CertificateDer<'static>]>>,
    /// With the number of the system's that it was made with.
    tls: Mutex<Option<(u64, ClientConfig)>>,
}

impl Trust {
    pub(super) fn new(extra: impl IntoIterator<Item = (ProfileName, CaFile)>) -> Self {
        let system = SystemStore::of_this_process();
        system.read_again();
        let mut trust = Self { groups: HashMap::new(), all: vec![Trusted::default()], system };
        for (profile, extra) in extra {
            let extra = Some(extra);
            let known = trust.all.iter().position(|trusted| trusted.extra == extra);
            let group = known.unwrap_or_else(|| {
                trust.all.push(Trusted { extra, ..Trusted::default() });
                trust.all.len() - 1
            });
            trust.groups.insert(profile, TrustGroup(group));
        }
        trust
    }

    /// Whom this profile trusts.
    pub(super) fn group(&self, profile: &ProfileName) -> TrustGroup {
        self.groups.get(profile).copied().unwrap_or_default()
    }

    /// The system's authorities, for [`Trust::tls`]. Where they cannot be had, a group with authorities of its own has
    /// those.
    pub(super) async fn roots(&self, group: TrustGroup, now: BootTime) -> Result<Roots, Undone> {
        match self.system.roots(now).await {
            Err(_) if self.all[group.0].extra.is_some() => {
                Ok(Roots { store: Arc::new(RootCertStore::empty()), number: 0 })
            }
            result => result,
        }
    }

    /// The authorities of this group beside the system's, read from their file until that has worked once.
    pub(super) async fn authorities(&self, group: TrustGroup) -> Result<Arc<[CertificateDer<'static>]>, String> {
        let Trusted { extra, read, .. } = &self.all[group.0];
        let Some(file) = extra else { return Ok(Arc::default()) };
        if let Some(read) = read.get() {
            return Ok(Arc::clone(read));
        }
        let found = file.read_within_patience().await?.into();
        Ok(Arc::clone(read.get_or_init(|| found)))
    }

    /// A server was met that none of the authorities vouches for.
    pub(super) fn doubt(&self) {
        self.system.doubt();
    }

    /// How to speak TLS in this group.
    pub(super) fn tls(&self, group: TrustGroup, system: &Roots, extra: &[CertificateDer<'static>]) -> ClientConfig {
        let Trusted { tls, .. } = &self.all[group.0];
        let mut made = tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, tls)) = &*made
            && *number == system.number
        {
            return tls.clone();
        }
        let mut roots = Arc::clone(&system.store);
        if !extra.is_empty() {
            Arc::make_mut(&mut roots).add_parsable_certificates(extra.iter().cloned());
        }
        let tls = trusting(roots);
        *made = Some((system.number, tls.clone()));
        tls
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_that_trust_the_same_authorities_share_all_that_is_made_for_it() {
        let name = |name: &str| name.parse::<ProfileName>().unwrap();
        let named = [("a", "/one.pem"), ("b", "/two.pem"), ("c", "/one.pem")];
        let trust = Trust::new(named.map(|(profile, path)| (name(profile), CaFile::at(path.as_ref()))));
        let [a, b, c, none, nobody] = ["a", "b", "c", "none", "nobody"].map(|profile| trust.group(&name(profile)));
        assert_eq!(a, c);
        assert_eq!(none, nobody);
        assert!(a != b && a != none && b != none);
    }
}
