//! The commands that show how things are.

use tokend_proto::{
    ChainStatus, ErrorCode, Fingerprint, Health, NameRights, NameStatus, Peer, Reloaded, Renewed, Reply, Request,
    Rights, Secret, Stamp, StatusPage, Tenant, TenantsPage, Unsupported,
};

use crate::harness::Test;
use crate::name_status::name_status;
use crate::peer::{error, token};

const AT: Stamp = Stamp { boot_ms: 1, unix_ms: 1_700_000_000_000 };

fn name(name: &str, health: Health) -> NameStatus {
    NameStatus { expires_at: Some(AT), ..name_status(name, health) }
}

fn lost() -> NameStatus {
    NameStatus {
        label: Some("Acme\tCorp".into()),
        kind: "classic".into(),
        expires_at: None,
        fingerprint: Some(Fingerprint::of(&Secret::from("abc"))),
        last_error: Some("refused".into()),
        action: Some("import a new one".into()),
        chain: Some(ChainStatus {
            state: "lost".into(),
            rotated_at: Some(AT),
            ends_at: None,
            why: Some("spent".into()),
        }),
        ..name("legacy", Health::ChainLost)
    }
}

/// Two pages.
fn status(request: Request<'_>) -> Reply {
    let (names, more) = match request {
        Request::Status { name: None, after: None } => (vec![name("campus", Health::Good)], true),
        Request::Status { name: None, after: Some("campus") } => (vec![lost()], false),
        _ => panic!("{request:?}"),
    };
    Reply::Status(StatusPage { version: "9.9.9".into(), notes: vec!["unit rules never match".into()], names, more })
}

#[test]
fn status_in_a_pipe_is_a_line_for_each_name_of_all_pages() {
    Test::new("status")
        .peer(status)
        .stdout(concat!(
            "campus\tcentral\tgood\t2023-11-14T22:13:20Z\t-\t-\t-\t-\t-\n",
            "legacy\tclassic\tchain_lost\t-\t-\tAcme\\tCorp\tlost\trefused\timport a new one\n",
        ))
        .stderr("tokenctl: unit rules never match\n")
        .run();
}

#[test]
fn status_in_json_has_every_field() {
    Test::new("status --output json")
        .peer(status)
        .stdout(concat!(
            r#"{"version":"9.9.9","notes":["unit rules never match"],"names":["#,
            r#"{"name":"campus","label":null,"kind":"central","health":"good","fingerprint":null,"#,
            r#""expires_at":"2023-11-14T22:13:20Z","next_at":null,"last_error":null,"action":null,"chain":null},"#,
            r#"{"name":"legacy","label":"Acme\tCorp","kind":"classic","health":"chain_lost","#,
            r#""fingerprint":"ba7816bf8f01cfea414140de5dae2223","expires_at":null,"next_at":null,"#,
            r#""last_error":"refused","action":"import a new one","chain":{"state":"lost","#,
            r#""rotated_at":"2023-11-14T22:13:20Z","ends_at":null,"why":"spent"}}]}"#,
            "\n"
        ))
        .run();
}

#[test]
fn pages_that_go_round_in_circles_end() {
    Test::new("status")
        .peer(|_| {
            let names = vec![name("campus", Health::Good)];
            Reply::Status(StatusPage { version: "9".into(), notes: vec![], names, more: true })
        })
        .stderr("tokenctl: tokend does not follow the protocol: the pages of the list never end\n")
        .status(1)
        .run();
}

#[test]
fn tenants_are_listed_by_id() {
    let peer = |request: Request<'_>| {
        let Request::Tenants { profile: "msp", after: None } = request else { panic!("{request:?}") };
        let tenants = vec![Tenant { id: "00ff".into(), workspace_name: "Acme\x1b Corp".into() }];
        Reply::Tenants(TenantsPage { tenants, more: false })
    };
    Test::new("tenants msp").peer(peer).stdout("00ff\tAcme\\u{1b} Corp\n").run();
    let json = "{\"tenants\":[{\"id\":\"00ff\",\"workspace_name\":\"Acme\\u001b Corp\"}]}\n";
    Test::new("tenants msp --output json").peer(peer).stdout(json).run();
}

fn who() -> Peer {
    Peer {
        uid: 1000,
        gid: 100,
        groups: vec![100, 101],
        pid: 7,
        unit: None,
        superuser: false,
        may_read: vec!["campus".into(), "msp/*".into()],
        may_admin: vec![],
    }
}

/// Two pages.
fn rights(request: Request<'_>) -> Reply {
    let acme = "msp/497f6eca62764993bfeb53cbbbba6f08";
    let (name, more) = match request {
        Request::Rights { after: None } => (NameRights { name: "campus".into(), label: None, admin: true }, true),
        Request::Rights { after: Some("campus") } => {
            (NameRights { name: acme.into(), label: Some("Acme\tCorp".into()), admin: false }, false)
        }
        _ => panic!("{request:?}"),
    };
    let peer = Peer { unit: Some("x.service".into()), ..who() };
    Reply::Rights(Rights { peer, slices: vec!["system.slice".into()], no_unit: None, names: vec![name], more })
}

#[test]
fn whoami_shows_who_one_is_and_what_one_may_have() {
    let lines = concat!(
        "uid\t1000\ngid\t100\ngroups\t100 101\npid\t7\nunit\tx.service\nslices\tsystem.slice\nno_unit\t-\n",
        "superuser\tno\nmay_read\tcampus msp/*\nmay_admin\t-\n",
        "name\tcampus\tadmin\t-\nname\tmsp/497f6eca62764993bfeb53cbbbba6f08\tread\tAcme\\tCorp\n",
    );
    Test::new("whoami").peer(rights).stdout(lines).run();
    let json = concat!(
        r#"{"uid":1000,"gid":100,"groups":[100,101],"pid":7,"unit":"x.service","slices":["system.slice"],"no_unit":null,"#,
        r#""superuser":false,"may_read":["campus","msp/*"],"may_admin":[],"#,
        r#""names":[{"name":"campus","label":null,"admin":true},"#,
        r#"{"name":"msp/497f6eca62764993bfeb53cbbbba6f08","label":"Acme\tCorp","admin":false}]}"#,
        "\n"
    );
    Test::new("whoami --output json").peer(rights).stdout(json).run();
}

#[test]
fn whoami_says_why_there_is_no_unit() {
    let peer = |_: Request<'_>| {
        let no_unit = Some("the process runs in no systemd unit".into());
        Reply::Rights(Rights { peer: who(), slices: vec![], no_unit, names: vec![], more: false })
    };
    let lines = concat!(
        "uid\t1000\ngid\t100\ngroups\t100 101\npid\t7\nunit\t-\nslices\t-\nno_unit\tthe process runs in no systemd \
         unit\n",
        "superuser\tno\nmay_read\tcampus msp/*\nmay_admin\t-\n",
    );
    Test::new("whoami").peer(peer).stdout(lines).run();
}

#[test]
fn whoami_makes_do_with_what_an_older_daemon_says() {
    let peer = |request: Request<'_>| match request {
        Request::Rights { .. } => {
            Reply::Unsupported(Unsupported { versions: vec![1], message: "unknown request number 9".into() })
        }
        Request::WhoAmI => Reply::Peer(who()),
        _ => panic!("{request:?}"),
    };
    let json = concat!(
        r#"{"uid":1000,"gid":100,"groups":[100,101],"pid":7,"unit":null,"slices":[],"no_unit":null,"superuser":false,"#,
        r#""may_read":["campus","msp/*"],"may_admin":[],"names":null}"#,
        "\n"
    );
    let note = "this tokend is older than tokenctl and does not say which names you may have";
    Test::new("whoami --output json").peer(peer).stdout(json).stderr(&format!("{{\"warning\":\"{note}\"}}\n")).run();
}

#[test]
fn refresh_reload_and_ping_tell_what_has_happened() {
    let fingerprint = Fingerprint::of(&Secret::from("abc"));
    let renewed = move |_: Request<'_>| Reply::Renewed(Renewed { fingerprint, expires_at: AT, refresh_at: AT });
    Test::new("refresh campus")
        .peer(renewed)
        .stdout("campus\tba7816bf8f01cfea414140de5dae2223\t2023-11-14T22:13:20Z\n")
        .run();
    let reloaded = |_: Request<'_>| Reply::Reloaded(Reloaded { warnings: vec!["no user netops".into()] });
    Test::new("reload")
        .peer(reloaded)
        .stdout("the new configuration is in force\n")
        .stderr("tokenctl: no user netops\n")
        .run();
    let json = "{\"changes\":[],\"warnings\":[\"no user netops\"]}\n";
    Test::new("reload --output json").peer(reloaded).stdout(json).run();
    let changed = |_: Request<'_>| {
        let changes = vec!["profiles that are new: lab".into(), "the access rules are changed".into()];
        Reply::Reloaded(Reloaded::new(changes, vec!["no user netops".into()]))
    };
    Test::new("reload")
        .peer(changed)
        .stdout("the new configuration is in force\nprofiles that are new: lab\nthe access rules are changed\n")
        .stderr("tokenctl: no user netops\n")
        .run();
    let json = "{\"changes\":[\"profiles that are new: lab\",\"the access rules are changed\"],\"warnings\":[\"no user \
                netops\"]}\n";
    Test::new("reload --output json").peer(changed).stdout(json).run();
    let unchanged = |_: Request<'_>| Reply::Reloaded(Reloaded::new(Vec::new(), Vec::new()));
    Test::new("reload").peer(unchanged).stdout("the new configuration is in force\nnothing has changed\n").run();
    Test::new("reload --output json").peer(unchanged).stdout("{\"changes\":[],\"warnings\":[]}\n").run();
    let pong = |_: Request<'_>| Reply::Pong { version: "0.1.0".into() };
    Test::new("ping").peer(pong).stdout("tokend 0.1.0\n").run();
    Test::new("ping --output json").peer(pong).stdout("{\"version\":\"0.1.0\"}\n").run();
}

#[test]
fn wait_without_names_waits_for_those_that_are_not_ready() {
    let peer = |request: Request<'_>| match request {
        Request::Status { name: None, after: None } => {
            let names = vec![name("a", Health::Good), name("b", Health::Failing), name("c", Health::Unavailable)];
            Reply::Status(StatusPage { version: "9".into(), notes: vec![], names, more: false })
        }
        Request::Get { name: "c", .. } => token("t"),
        _ => panic!("{request:?}"),
    };
    Test::new("wait").peer(peer).run();
    Test::new("wait --output json").peer(peer).stdout("{\"ready\":[\"a\",\"b\",\"c\"]}\n").run();
}

#[test]
fn wait_ends_with_the_failure_that_waiting_helps_least_and_names_all() {
    Test::new("wait a b c d")
        .peer(|request| match request {
            Request::Get { name: "a", .. } => token("t"),
            Request::Get { name: "b", .. } => error(ErrorCode::Unavailable, "provider is down", None),
            Request::Get { name: "c", .. } => error(ErrorCode::ChainLost, "chain is lost", None),
            _ => error(ErrorCode::Unavailable, "later", None),
        })
        .stderr("tokenctl: b: provider is down; c: chain is lost; d: later\n")
        .status(7)
        .run();
}

#[test]
fn wait_for_a_daemon_that_never_comes_is_status_3() {
    Test::new("wait --wait 1s campus")
        .stderr("tokenctl: campus: cannot connect to tokend at {socket}: No such file or directory (os error 2)\n")
        .status(3)
        .run();
}

#[test]
fn wait_with_nothing_to_wait_for_is_no_success() {
    Test::new("wait")
        .peer(|_| Reply::Status(StatusPage { version: "9".into(), notes: vec![], names: vec![], more: false }))
        .stderr("tokenctl: there is no name that you may read\n")
        .status(5)
        .run();
}
