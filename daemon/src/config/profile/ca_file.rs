//! A profile's own certificate authorities: which file, and what it holds when it is read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::diagnostics::{Diagnostics, Spanned};
use crate::os::detached;

/// Longest file accepted, in bytes: a system's whole store is a quarter of it.
const MAX_CA_FILE: u64 = 1024 * 1024;

/// For how long a file that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Certificates that are trusted in addition to the system's. They are read when they are needed, and again as long as
/// they cannot be: a file that is not as it should be costs the requests of its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaFile {
    path: PathBuf,
}

const EXPECTED: &str = "the absolute path of a PEM file with at least one certificate of an authority";

impl CaFile {
    /// At `path`, which is absolute.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it where the call is made, which may hang: at least one certificate, and each can be a trust anchor.
    ///
    /// # Errors
    /// What is wrong with the file, and what is expected.
    pub fn read(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        load(&self.path).and_then(|pem| parse(&pem)).map_err(|problem| self.expected(&problem))
    }

    /// Reads it on a thread that may hang.
    ///
    /// # Errors
    /// As [`CaFile::read`], or that the file does not answer.
    pub async fn read_within_patience(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let file = self.clone();
        let read = detached::within(&format!("ca_file {}", self.path.display()), PATIENCE, move || file.read()).await;
        read.unwrap_or_else(|undone| Err(self.unread(undone)))
    }

    /// What is said where it was not read at all.
    pub(in crate::config) fn unread(&self, undone: detached::Undone) -> String {
        self.expected(&format!("cannot be read: {undone}"))
    }

    fn expected(&self, problem: &str) -> String {
        format!("{} {problem}; expected {EXPECTED}", self.path.display())
    }
}

/// The file that is meant. It is not looked at here.
pub(in crate::config) fn named(found: Spanned<String>, diagnostics: &Diagnostics) -> Option<Spanned<CaFile>> {
    let Spanned { value: path, place } = found;
    if !Path::new(&path).is_absolute() || path.contains('\0') {
        diagnostics.error(&place, format!("is not an absolute path; expected {EXPECTED}"));
        return None;
    }
    Some(Spanned { value: CaFile { path: path.into() }, place })
}

fn load(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {}", error.kind());
    // A pipe would be waited for.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut pem = Vec::new();
    File::open(path).map_err(cannot)?.take(MAX_CA_FILE + 1).read_to_end(&mut pem).map_err(cannot)?;
    if u64::try_from(pem.len()).is_ok_and(|length| length > MAX_CA_FILE) {
        return Err(format!("is longer than {} KiB", MAX_CA_FILE / 1024));
    }
    Ok(pem)
}

/// A certificate that cannot be used now would fail every connection later.
fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let usable = |(index, certificate): (usize, Result<CertificateDer<'static>, _>)| {
        certificate
            .ok()
            .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok())
            .ok_or_else(|| format!("is damaged: its certificate number {} cannot be used", index + 1))
    };
    let authorities: Vec<_> = CertificateDer::pem_slice_iter(pem).enumerate().map(usable).collect::<Result<_, _>>()?;
    if authorities.is_empty() { Err("has no certificate in it".to_owned()) } else { Ok(authorities) }
}
