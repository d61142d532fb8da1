//! Settings for the core's tests.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::settings::{ClientCredentials, Endpoint, Fraction, Kind, Login, ParamStyle, Profile, Settings, Tenants};

pub(super) fn settings(profiles: &[Profile]) -> Settings {
    Settings {
        profiles: profiles.iter().map(|p| (p.name.clone(), Arc::new(p.clone()))).collect(),
        refresh_at: Fraction::new(0.66).expect("a fraction"),
        jitter: Fraction::new(0.07).expect("a fraction"),
        max_requests_per_second: NonZeroU32::new(5).expect("not zero"),
    }
}

pub(super) fn central(name: &str) -> Profile {
    let endpoint = Endpoint { url: "https://sso.example.net/as/token.oauth2".into(), ..endpoint("sso") };
    profile(name, Kind::ClientCredentials(ClientCredentials::central(endpoint)))
}

pub(super) fn glp(name: &str, warm: &[&str]) -> Profile {
    let workspace = "00000000000000000000000000000001".parse().expect("an id");
    let warm = warm.iter().map(|t| t.parse().expect("a tenant")).collect();
    profile(name, Kind::Glp { base_url: endpoint("glp"), workspace, tenants: Some(Tenants { warm }) })
}

pub(super) fn classic(name: &str, login: bool) -> Profile {
    let login = login.then(|| Login { username: "operator".into(), customer_id: "42".into() });
    let before = Duration::from_secs(600);
    profile(name, Kind::Classic { gateway: endpoint("gateway"), before, param_style: ParamStyle::Form, login })
}

fn profile(name: &str, kind: Kind) -> Profile {
    Profile { name: name.parse().expect("a name"), client_id: format!("client-of-{name}"), kind }
}

fn endpoint(host: &str) -> Endpoint {
    let url = format!("https://{host}.example.net");
    Endpoint { host: format!("{url}:443").into(), url }
}
