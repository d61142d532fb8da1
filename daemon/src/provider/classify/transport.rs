//! No answer at all: was the request on its way already?

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::RequestKind;
use crate::core::provider::{Failure, FailureKind};

/// What a request means that brought no status and headers. What was not on its way yet was surely not sent; and also
/// on a connection that is used again, a fault of connecting comes before anything is sent.
pub(in crate::provider) fn transport(asked: RequestKind, error: &reqwest::Error, on_its_way: bool) -> Failure {
    if error.is_builder() {
        no_answer(asked, &TransportError::NotSent("the configured URL is not one to send a request to".to_owned()))
    } else if error.is_connect() || !on_its_way {
        no_answer(asked, &TransportError::NotSent(not_connected(error)))
    } else {
        no_answer(asked, &TransportError::Broken)
    }
}

/// What a request means whose time was over before there were status and headers.
pub(in crate::provider) fn out_of_time(asked: RequestKind, on_its_way: bool) -> Failure {
    let why =
        if on_its_way { TransportError::TimedOut } else { TransportError::NotSent("no connection in time".to_owned()) };
    no_answer(asked, &why)
}

/// How it came that there is no answer.
pub(in crate::provider) enum TransportError {
    /// Nothing was on its way, and why.
    NotSent(String),
    /// It may have arrived.
    TimedOut,
    /// It may have arrived.
    Broken,
}

/// What it means that there is no answer.
pub(in crate::provider) fn no_answer(asked: RequestKind, why: &TransportError) -> Failure {
    let (kind, message) = match why {
        TransportError::NotSent(why) => (FailureKind::Transient, format!("{asked} was not sent: {why}")),
        TransportError::TimedOut => (asked.unknown(), format!("{asked}: the answer did not come in time")),
        TransportError::Broken => (asked.unknown(), format!("{asked}: the connection broke before the answer")),
    };
    Failure { kind, retry_after: None, message }
}

/// Why there is no connection. Nothing of a request was on the way then, so nothing of one can be in here.
fn not_connected(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no connection in time".to_owned();
    }
    if error.is_dns() {
        let no_address = causes(error).last().map(|why| format!(": {why}")).unwrap_or_default();
        return format!("the host name of the provider, or of the proxy to it, cannot be resolved{no_address}");
    }
    let mut innermost = None;
    for error in causes(error) {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return no_tls(tls);
        }
        match error.downcast_ref::<io::Error>() {
            Some(io) if io.get_ref().is_some() => {}
            Some(io) => return format!("no connection: {}", io.kind()),
            None => innermost = Some(error),
        }
    }
    // A proxy that does not want to, for one. The libraries' fixed words.
    innermost.map_or_else(|| "no connection".to_owned(), |error| format!("no connection: {error}"))
}

/// Whether the server showed a certificate of an authority that is not known.
pub(in crate::provider) fn is_of_unknown_authority(error: &reqwest::Error) -> bool {
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    causes(error).any(|cause| cause.downcast_ref::<rustls::Error>() == Some(&unknown))
}

fn causes(error: &dyn Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| cause(*error))
}

/// An io::Error leaves what it wraps out of its chain.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Certificates in words of our own: those of the library name what the server presents.
fn no_tls(error: &rustls::Error) -> String {
    let why = match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer => {
                "its certificate comes from no authority that this system or the profile's ca_file trusts"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host"
            }
            CertificateError::Revoked => "its certificate is revoked",
            _ => "its certificate is not valid",
        },
        rustls::Error::AlertReceived(alert) => return format!("the server refuses TLS: alert {alert:?}"),
        rustls::Error::PeerIncompatible(_) => "it speaks no version of TLS or no cipher suite that we do",
        rustls::Error::InvalidMessage(_) => "it does not speak TLS",
        _ => "the TLS handshake failed",
    };
    format!("the server cannot be trusted: {why}")
}
