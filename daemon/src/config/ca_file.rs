//! A profile's own certificate authorities.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::findings::{Findings, Found};

/// Longest file accepted, in bytes: a system's whole store is a quarter of it.
const MAX_CA_FILE: u64 = 1024 * 1024;

/// Certificates that are trusted in addition to the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaFile {
    /// Where they were read from.
    pub path: PathBuf,
    /// At least one, and each can be a trust anchor.
    pub authorities: Arc<[CertificateDer<'static>]>,
}

const RIGHT: &str = "the absolute path of a PEM file with at least one certificate of an authority";

/// Reads the file.
pub(super) fn read(found: &Found<String>, findings: &Findings) -> Option<CaFile> {
    let path = Path::new(&found.value);
    let pem = if path.is_absolute() { load(path) } else { Err("is not an absolute path".to_owned()) };
    match pem.and_then(|pem| parse(&pem)) {
        Ok(authorities) => Some(CaFile { path: path.to_owned(), authorities: authorities.into() }),
        Err(problem) => {
            findings.error(&found.place, format!("{problem}; right is {RIGHT}"));
            None
        }
    }
}

fn load(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {}", path.display(), error.kind());
    // A pipe would be waited for.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let mut pem = Vec::new();
    File::open(path).map_err(cannot)?.take(MAX_CA_FILE + 1).read_to_end(&mut pem).map_err(cannot)?;
    if u64::try_from(pem.len()).is_ok_and(|length| length > MAX_CA_FILE) {
        return Err(format!("{} is longer than {} KiB", path.display(), MAX_CA_FILE / 1024));
    }
    Ok(pem)
}

/// A certificate that cannot be used now would fail every connection later.
fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let usable = |(index, certificate): (usize, Result<CertificateDer<'static>, _>)| {
        certificate
            .ok()
            .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok())
            .ok_or_else(|| format!("certificate number {} of the file is damaged", index + 1))
    };
    let authorities: Vec<_> = CertificateDer::pem_slice_iter(pem).enumerate().map(usable).collect::<Result<_, _>>()?;
    if authorities.is_empty() { Err("there is no certificate in the file".to_owned()) } else { Ok(authorities) }
}
