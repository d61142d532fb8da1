//! Which servers are believed to be who they say: the system's store, plus a profile's `ca_file`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokend_proto::ProfileName;

/// Why a [`Provider`](super::Provider) cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProviderSetupError {
    /// Not one PEM block of a certificate.
    #[error("the ca_file of profile {0} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate(ProfileName),
    /// One that is broken or cannot be a trust anchor.
    #[error("certificate {number} in the ca_file of profile {profile} cannot be read; it has to be X.509 in PEM form")]
    BadCertificate {
        /// Whose file.
        profile: ProfileName,
        /// Counted from 1.
        number: usize,
    },
}

/// Trust anchors by profile. The system's are read when first needed, so that making this costs no time, and
/// once, so that a reload is what brings new ones in.
pub(super) struct Trust {
    extra: HashMap<ProfileName, Vec<CertificateDer<'static>>>,
    system: OnceLock<RootCertStore>,
}

impl Trust {
    pub(super) fn new(files: impl IntoIterator<Item = (ProfileName, Vec<u8>)>) -> Result<Self, ProviderSetupError> {
        let mut extra = HashMap::new();
        for (profile, pem) in files {
            let certificates = anchors(&profile, &pem)?;
            extra.insert(profile, certificates);
        }
        Ok(Self { extra, system: OnceLock::new() })
    }

    /// Profiles with trust of their own.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &ProfileName> {
        self.extra.keys()
    }

    /// How to speak TLS for this profile. The crypto provider is named here and nowhere installed for the
    /// whole process.
    pub(super) fn tls(&self, profile: &ProfileName) -> ClientConfig {
        let mut roots = self.system.get_or_init(system_store).clone();
        roots.add_parsable_certificates(self.extra.get(profile).into_iter().flatten().cloned());
        let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        tls
    }
}

fn anchors(profile: &ProfileName, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ProviderSetupError> {
    let mut proof = RootCertStore::empty();
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let bad = || ProviderSetupError::BadCertificate { profile: profile.clone(), number: index + 1 };
        let certificate = certificate.map_err(|_| bad())?;
        proof.add(certificate.clone()).map_err(|_| bad())?;
        certificates.push(certificate);
    }
    if certificates.is_empty() { Err(ProviderSetupError::NoCertificate(profile.clone())) } else { Ok(certificates) }
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

    fn of(pem: &str) -> Result<usize, ProviderSetupError> {
        let profile: ProfileName = "legacy".parse().unwrap();
        Trust::new([(profile.clone(), pem.as_bytes().to_vec())]).map(|trust| trust.extra[&profile].len())
    }

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(["gateway.example.net".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn every_certificate_of_a_bundle_is_taken() {
        let bundle = format!("# our own authorities\n{}\n{}", certificate(), certificate());
        assert_eq!(of(&bundle), Ok(2));
    }

    #[test]
    fn a_file_without_certificates_is_named_with_its_profile() {
        for empty in ["", "no certificate here\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            let error = of(empty).unwrap_err();
            assert_eq!(error, ProviderSetupError::NoCertificate("legacy".parse().unwrap()));
            assert!(error.to_string().contains("profile legacy"), "{error}");
        }
    }

    #[test]
    fn a_broken_certificate_is_named_by_its_number() {
        let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let not_base64 = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        for broken in [not_der, not_base64] {
            let error = of(&format!("{}{broken}", certificate())).unwrap_err();
            assert_eq!(
                error,
                ProviderSetupError::BadCertificate { profile: "legacy".parse().unwrap(), number: 2 },
                "{broken}"
            );
        }
    }
}
