//! What is right becomes values.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tokend_proto::TenantRef;

use super::*;
use crate::access::policy::PeerIdentity;
use crate::core::settings::{ClientCredentials, Endpoint, Kind, Login, ParamStyle, Tenants};

fn name(text: &str) -> ProfileName {
    text.parse().expect("a name")
}

fn endpoint(url: &str, host: &str) -> Endpoint {
    Endpoint { url: url.to_owned(), host: host.into() }
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let machine = whole_machine();
    let config = machine.load(EVERYTHING).expect("it is right");
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(
        config.server,
        Server {
            socket: "/run/tokend/tokend.sock".into(),
            group: SocketGroup::Named("automation".to_owned()),
            state_dir: "/var/lib/tokend".into(),
            max_connections: 100,
            max_connections_per_uid: 10,
        }
    );
    let settings = &config.settings;
    assert_eq!((settings.refresh_at.get(), settings.jitter.get()), (0.5, 0.1));
    assert_eq!(settings.max_requests_per_second, NonZeroU32::new(7).expect("not zero"));
    assert_eq!(config.audit, AuditSettings { reads: true });
    assert_eq!(config.state_key, Some(SecretSource::File { path: machine.folder.path().join("state.key") }));

    let campus = &settings.profiles[&name("campus")];
    assert_eq!((campus.name.as_str(), campus.client_id.as_str()), ("campus", "campus-id"));
    let token_endpoint = endpoint("http://127.0.0.1:5000/as/token.oauth2", "http://127.0.0.1:5000");
    assert_eq!(campus.kind, Kind::ClientCredentials(ClientCredentials::central(token_endpoint)));

    let acme = TenantRef::Name("Acme Corp".into());
    let ones = TenantRef::Id("1".repeat(32).parse().expect("an id"));
    assert_eq!(
        settings.profiles[&name("msp")].kind,
        Kind::Glp {
            base_url: endpoint("https://global.api.greenlake.hpe.com", "https://global.api.greenlake.hpe.com:443"),
            workspace: "497f6eca62764993bfeb53cbbbba6f08".parse().expect("an id"),
            tenants: Some(Tenants { warm: vec![acme, ones] }),
        }
    );
    let gateway = "https://eu-apigw.central.arubanetworks.com";
    assert_eq!(
        settings.profiles[&name("legacy")].kind,
        Kind::Classic {
            gateway: endpoint(gateway, &format!("{gateway}:443")),
            before: Duration::from_secs(1200),
            param_style: ParamStyle::Query,
            login: Some(Login { username: "api@example.net".to_owned(), customer_id: "0123".to_owned() }),
        }
    );
}

#[test]
fn each_style_of_parameters_is_taken() {
    for (word, style) in [("form", ParamStyle::Form), ("query", ParamStyle::Query), ("json", ParamStyle::Json)] {
        let config = whole_machine()
            .load(&format!("{LEGACY}cluster = \"EU-1\"\nparam_style = \"{word}\"\n"))
            .expect("it is right");
        let Kind::Classic { param_style, .. } = &config.settings.profiles[&name("legacy")].kind else {
            panic!("it is classic")
        };
        assert_eq!(*param_style, style);
    }
}

#[test]
fn secrets_and_authorities_of_a_profile_are_for_the_shell() {
    let machine = whole_machine();
    let config = machine.load(EVERYTHING).expect("it is right");
    assert_eq!(
        config.profiles[&name("campus")].secrets.client,
        [
            SecretSource::Credential { name: "campus".to_owned() },
            SecretSource::Env { variable: "LEGACY_SECRET".to_owned() }
        ]
    );
    assert_eq!(
        config.profiles[&name("legacy")].secrets.password,
        Some(SecretSource::Command {
            program: PathBuf::from("/usr/local/bin/fetch-password"),
            arguments: vec!["central".to_owned()]
        })
    );
    let ca_file = config.profiles[&name("msp")].ca_file.clone().expect("it has one");
    assert_eq!(ca_file.path(), machine.folder.path().join("authority.pem"));
    assert_eq!(ca_file.read().expect("it is right").len(), 1);
    assert!(config.profiles.keys().eq(config.settings.profiles.keys()));
}

#[test]
fn names_in_rules_have_become_numbers() {
    let access = whole_machine().load(EVERYTHING).expect("it is right").access();
    let peer = |uid, gid| PeerIdentity { uid, gid, ..PeerIdentity::default() };
    for (peer, readable, admin) in [
        (peer(1001, 1), &["campus", "msp/*"][..], &[][..]),
        (peer(1234, 1), &["campus", "msp/*"], &[]),
        (peer(5, 77), &["campus", "msp/*"], &[]),
        (peer(5, 2001), &["campus", "msp/*", "legacy"], &["legacy"]),
        (peer(5, 5), &[], &[]),
    ] {
        assert_eq!(access.readable_patterns(&peer), readable, "{peer:?}");
        assert_eq!(access.admin_patterns(&peer), admin, "{peer:?}");
    }
}

#[test]
fn every_key_that_can_be_left_out_has_its_default() {
    let machine = Machine::new();
    let text = format!("{CAMPUS}{LEGACY}base_url = 'https://apigw-central.example.net'");
    let config = machine.load(&text).expect("it is right");
    assert_eq!(
        config.server,
        Server {
            socket: "/run/tokend/tokend.sock".into(),
            group: SocketGroup::Usual,
            state_dir: "/var/lib/private/tokend".into(),
            max_connections: 4096,
            max_connections_per_uid: 256,
        }
    );
    let settings = &config.settings;
    assert_eq!((settings.refresh_at.get(), settings.jitter.get()), (0.66, 0.07));
    assert_eq!(settings.max_requests_per_second.get(), 5);
    let token_endpoint = settings.profiles[&name("campus")].endpoint();
    assert_eq!(token_endpoint.url, "https://sso.common.cloud.hpe.com/as/token.oauth2");
    assert_eq!(&*token_endpoint.host, "https://sso.common.cloud.hpe.com:443");
    let Kind::Classic { before, param_style, login, .. } = &settings.profiles[&name("legacy")].kind else {
        panic!("it is classic")
    };
    assert_eq!((*before, *param_style, login), (Duration::from_secs(600), ParamStyle::Form, &None));
    assert_eq!((&config.state_key, &*config.warnings), (&None, &[][..]));
    assert!(config.access().may_read(&PeerIdentity { uid: 5, ..PeerIdentity::default() }, &name("campus").into()));
    let outside = Machine::with(&[("LEGACY_SECRET", "hunter2")]).load(CAMPUS).expect("it is right");
    assert_eq!(outside.server.state_dir, PathBuf::from("/var/lib/tokend"));
}

#[test]
fn two_profiles_may_share_a_client_because_each_is_a_chain_of_its_own() {
    let text = format!("{LEGACY}cluster = 'EU-1'{}cluster = 'EU-1'", LEGACY.replace("legacy", "legacy2"));
    assert_eq!(Machine::new().warnings(&text), Vec::<String>::new());
}

#[test]
fn lives_of_a_few_seconds_can_be_tested_with() {
    let config = Machine::new().load(&format!("{LEGACY}cluster = 'EU-1'\nbefore = '500ms'")).expect("it is right");
    let Kind::Classic { before, .. } = config.settings.profiles[&name("legacy")].kind else { panic!("it is classic") };
    assert_eq!(before, Duration::from_millis(500));
}

#[test]
fn what_is_odd_is_a_warning_with_its_place() {
    let table = [
        (
            "\n[server]\ngroup = 'nobody-has-it'".to_owned() + CAMPUS,
            "tokend.toml:3: server.group: the group \"nobody-has-it\" does not exist (yet); a socket that tokend makes is its \
             own user's alone until it is found, and it is looked up again each minute",
        ),
        (
            format!("{CAMPUS}[[access]]\nprofiles = ['campus']\nusers = ['netops',\n  'newcomer']"),
            "tokend.toml:9: access.users: the user \"newcomer\" does not exist (yet); the rule matches nobody by it until \
             it is found, and it is looked up again each minute",
        ),
        (
            format!("{CAMPUS}[[access]]\nprofiles = ['campus']\nusers = ['ldap']"),
            "tokend.toml:8: access.users: the user \"ldap\" could not be looked up (timed out); the rule matches nobody by \
             it until it is found, and it is looked up again each minute",
        ),
        (
            format!("{CAMPUS}[[access]]\nprofiles = ['campus']\ngroups = ['newcomers']"),
            "tokend.toml:8: access.groups: the group \"newcomers\" does not exist (yet); the rule matches nobody by it until \
             it is found, and it is looked up again each minute",
        ),
        (
            format!("{CAMPUS}[[access]]\nprofiles = ['campus', 'office']\nusers = [5]"),
            "tokend.toml:7: access.profiles: \"office\" stands for no profile of this file",
        ),
        (
            format!("{CAMPUS}[[access]]\nprofiles = ['campus/*']\nusers = [5]"),
            "tokend.toml:7: access.profiles: \"campus/*\" stands for tenants, and its profile has none; only a glp profile \
             with a section [profiles.NAME.tenants] has them",
        ),
        (
            format!("{MSP}tenants.warm = ['Acme Corp', 'Acme Corp']"),
            "tokend.toml:7: profiles.msp.tenants.warm: \"Acme Corp\" stands in it twice; once is enough",
        ),
        (
            String::new(),
            "tokend.toml: profiles: there are none, so there is nothing to do; expected a section [profiles.NAME] for each \
             set of client credentials (`tokend init` writes one)",
        ),
    ];
    let machine = Machine::new();
    for (text, warning) in table {
        assert_eq!(machine.warnings(&text), [warning], "{text}");
    }
}

#[test]
fn rules_by_units_that_cannot_be_known_here_are_a_warning() {
    let text = format!("{CAMPUS}[[access]]\nprofiles = ['campus']\nunits = ['x.service',\n  'y.slice']");
    let problems: [(fn() -> UnitLookup, _); 3] = [
        (|| UnitLookup::Works, None),
        (
            || UnitLookup::NoPeerPidfd,
            Some("this kernel does not say which process connected (SO_PEERPIDFD); expected Linux 6.5 or later"),
        ),
        (
            || UnitLookup::ProcHidden,
            Some(
                "/proc does not show other users' processes; expected a mount without hidepid, and ProtectProc=default in \
                 the unit",
            ),
        ),
    ];
    for (unit_lookup, problem) in problems {
        let mut machine = Machine::new();
        machine.environment.unit_lookup = unit_lookup;
        let expected: Vec<String> = problem
            .map(|problem| format!("tokend.toml:8: access.units: match nobody: {problem}"))
            .into_iter()
            .collect();
        assert_eq!(machine.warnings(&text), expected, "{:?}", unit_lookup());
        assert_eq!(machine.warnings(CAMPUS), Vec::<String>::new(), "without such rules it does not matter");
    }
}

#[test]
fn reads_are_recorded_only_where_that_is_said() {
    for (text, reads) in
        [("", false), ("[audit]", false), ("[audit]\nreads = false", false), ("[audit]\nreads = true", true)]
    {
        let config = Machine::new().load(&format!("{CAMPUS}{text}")).expect("it is right");
        assert_eq!(config.audit, AuditSettings { reads }, "{text}");
    }
}

#[test]
fn warm_tenants_that_the_limiter_cannot_renew_in_time_are_a_warning() {
    let with = |count: u32, rate: u32| {
        let warm: Vec<_> = (0..count).map(|id| format!("'{:032x}'", id + 2)).collect();
        let text = format!(
            "[refresh]\nat = 0.5\njitter = 0\n[providers]\nmax_requests_per_second = {rate}{MSP}tenants.warm = [{}]",
            warm.join(",")
        );
        Machine::new().warnings(&text)
    };
    assert_eq!(with(450, 1), Vec::<String>::new(), "450 requests in 450 s");
    assert_eq!(
        with(451, 1),
        ["tokend.toml:5: providers.max_requests_per_second: the 451 warm tenants at \
          https://global.api.greenlake.hpe.com:443 cannot be renewed in time: at 1 requests a second that takes 451 s, and \
          their tokens are renewed every 450 s; expected at least 2 a second, or fewer warm tenants"]
    );
    assert_eq!(with(451, 2), Vec::<String>::new());
}

#[test]
fn warm_tenants_of_all_profiles_at_a_host_count_together() {
    let warm = |from: u32| (from..from + 400).map(|id| format!("'{id:032x}'")).collect::<Vec<_>>().join(",");
    let text = format!(
        "[providers]\nmax_requests_per_second = 1{MSP}tenants.warm = [{}]{}tenants.warm = [{}]",
        warm(2),
        MSP.replace("profiles.msp", "profiles.msp2"),
        warm(1000)
    );
    let warnings = Machine::new().warnings(&text);
    assert!(warnings.len() == 1 && warnings[0].contains("the 800 warm tenants"), "{warnings:?}");
}
