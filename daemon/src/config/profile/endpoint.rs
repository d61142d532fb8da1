//! Providers' addresses.

use tokend_proto::ProfileName;
use url::{Host, Url};

use crate::config::diagnostics::{Diagnostics, Spanned};
use crate::core::settings::Endpoint;

/// What a key that holds an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Role {
    /// The whole URL that is asked for tokens.
    TokenEndpoint,
    /// What the paths are appended to.
    Base,
}

/// An address that the configuration does not say.
pub(in crate::config) fn known(url: &str) -> Endpoint {
    let url = Url::parse(url).expect("the addresses in this program are URLs");
    endpoint(&url).expect("the addresses in this program have a host and a port")
}

/// An address that was typed. The URL is not repeated in diagnostics: a password may stand in it.
pub(in crate::config) fn typed(
    found: &Spanned<String>,
    role: Role,
    profile: &ProfileName,
    allow_plain_http: bool,
    diagnostics: &Diagnostics,
) -> Option<Endpoint> {
    let problem = match parse(&found.value, role, profile, allow_plain_http) {
        Ok(endpoint) => return Some(endpoint),
        Err(problem) => problem,
    };
    diagnostics.error(&found.place, problem);
    None
}

fn parse(text: &str, role: Role, profile: &ProfileName, allow_plain_http: bool) -> Result<Endpoint, String> {
    let expected = match role {
        Role::TokenEndpoint => "a whole URL such as https://sso.example.net/as/token.oauth2",
        Role::Base => "a URL such as https://gateway.example.net",
    };
    let url = Url::parse(text).map_err(|why| format!("is not a URL ({why}); expected {expected}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("has a user or a password in it; expected {expected}"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("has a '?' or a '#' in it; expected {expected}"));
    }
    match url.scheme() {
        "https" => {}
        "http" => plain_http(text, &url, profile, allow_plain_http)?,
        other => return Err(format!("has the scheme {other:?}; expected {expected}")),
    }
    let endpoint = endpoint(&url).ok_or_else(|| format!("has no usable host and port; expected {expected}"))?;
    if role == Role::TokenEndpoint && url.path() == "/" {
        return Err(format!("has no path; expected {expected}"));
    }
    if role == Role::Base && endpoint.url.ends_with("/token") {
        return Err(format!("ends with the path of a request, which tokend appends by itself; expected {expected}"));
    }
    Ok(endpoint)
}

/// Plain http would show the credentials to the network, so it may only go to this very machine: to an address, since a
/// name may resolve to anything, and only when that is asked for.
fn plain_http(text: &str, url: &Url, profile: &ProfileName, allowed: bool) -> Result<(), String> {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    // The parser also takes 0x7f.1 and 2130706433 for an address.
    let as_written = url.host_str().is_some_and(|host| {
        text.find("//").is_some_and(|slashes| text[slashes + 2..].to_ascii_lowercase().starts_with(host))
    });
    if !(is_loopback && as_written) {
        return Err(
            "is plain http, which would show the credentials to the network; expected https:// (plain http only \
                    goes to 127.0.0.0/8 or [::1] written as such, with allow_plain_http = true)"
                .to_owned(),
        );
    }
    if !allowed {
        return Err(format!(
            "is plain http; expected https://, or for tests on this machine allow_plain_http = true in [profiles.{profile}]"
        ));
    }
    Ok(())
}

fn endpoint(url: &Url) -> Option<Endpoint> {
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let port = url.port_or_known_default().filter(|port| *port != 0)?;
    let host = format!("{}://{host}:{port}", url.scheme()).into();
    Some(Endpoint { url: url.as_str().trim_end_matches('/').to_owned(), host })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str, allow_plain_http: bool) -> Result<Endpoint, String> {
        parse(text, Role::Base, &"x".parse().expect("a name"), allow_plain_http)
    }

    #[test]
    fn the_host_has_its_port_and_the_url_no_slash_at_its_end() {
        for (text, allow, url, host) in [
            ("https://gw.example.net/", false, "https://gw.example.net", "https://gw.example.net:443"),
            ("HTTPS://GW.example.net:443/a//", false, "https://gw.example.net/a", "https://gw.example.net:443"),
            ("https://gw.example.net:8443", false, "https://gw.example.net:8443", "https://gw.example.net:8443"),
            ("http://127.0.0.1:5000", true, "http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("http://127.9.9.9/x", true, "http://127.9.9.9/x", "http://127.9.9.9:80"),
            ("http://[::1]:5000/", true, "http://[::1]:5000", "http://[::1]:5000"),
        ] {
            let endpoint = base(text, allow).expect(text);
            assert_eq!((endpoint.url.as_str(), &*endpoint.host), (url, host));
        }
    }

    #[test]
    fn plain_http_leaves_the_machine_by_no_spelling() {
        for text in [
            "http://gw.example.net",
            "http://localhost:5000",
            "http://127.0.0.1.example.net",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://127.1",
            "http://0x7f000001",
            "http://2130706433",
            "http://[::ffff:127.0.0.1]",
            "http://[0:0:0:0:0:0:0:1]",
        ] {
            let problem = base(text, true).expect_err(text);
            assert!(problem.starts_with("is plain http, which would show"), "{text}: {problem}");
        }
    }

    #[test]
    fn what_has_no_business_in_an_address_is_refused_without_being_repeated() {
        for text in [
            "https://user:hunter2@gw.example.net",
            "https://hunter2@gw.example.net",
            "https://gw.example.net/?secret=hunter2",
            "https://gw.example.net/#hunter2",
            "hunter2",
            "//hunter2",
            "https://",
            "https://gw.example.net:0",
            "ftp://gw.example.net/hunter2",
            "unix:/run/hunter2",
        ] {
            let problem = base(text, true).expect_err(text);
            assert!(!problem.contains("hunter2") && problem.contains("; expected "), "{text}: {problem}");
        }
    }

    #[test]
    fn a_token_endpoint_is_whole_and_a_base_is_not() {
        let profile = "x".parse().expect("a name");
        assert!(parse("https://sso.example.net", Role::TokenEndpoint, &profile, false).is_err());
        assert!(parse("https://sso.example.net/as/token.oauth2", Role::TokenEndpoint, &profile, false).is_ok());
        assert!(base("https://gw.example.net/oauth2/token", false).is_err());
    }
}
