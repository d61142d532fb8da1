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
    /// The file's content. At least one certificate is in it, and all of them can be used.
    pub pem: Arc<[u8]>,
}

const RIGHT: &str = "the absolute path of a PEM file with at least one certificate of an authority";

/// Reads the file.
pub(super) fn read(found: &Found<String>, findings: &Findings) -> Option<CaFile> {
    let path = Path::new(&found.value);
    let pem = if path.is_absolute() { load(path) } else { Err("is not an absolute path".to_owned()) };
    match pem.and_then(|pem| check(&pem).map(|()| pem)) {
        Ok(pem) => Some(CaFile { path: path.to_owned(), pem: pem.into() }),
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
fn check(pem: &[u8]) -> Result<(), String> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        count += 1;
        certificate
            .ok()
            .and_then(|certificate| RootCertStore::empty().add(certificate).ok())
            .ok_or_else(|| format!("certificate number {count} of the file is damaged"))?;
    }
    if count == 0 { Err("there is no certificate in the file".to_owned()) } else { Ok(()) }
}
