//! Rules by the unit of a peer, and when it is looked up.

use std::time::Duration;

use tokend_proto::{ErrorCode, NameRights, Reply, Request, TokenName};

use super::harness::{Daemon, get, rule, token_name};
use super::lists::whole;
use crate::access::policy::Rule;
use crate::access::unit::{NoUnit, PeerUnit};
use crate::core::query::{Query, View};
use crate::core::report::page::Reader;

const HOUR: Duration = Duration::from_secs(3_600);

fn for_unit(profiles: &[&str], unit: &str) -> Rule {
    Rule { users: Vec::new(), units: vec![unit.parse().unwrap()], ..rule(profiles, 0) }
}

fn exporter() -> Result<PeerUnit, NoUnit> {
    Ok(PeerUnit {
        name: "exporter@campus.service".into(),
        slices: vec!["system.slice".into(), "automation.slice".into()],
    })
}

#[test]
fn a_rule_lets_its_units_read_and_nobody_else() {
    let daemon = Daemon::start();
    daemon.publish("campus", "t", HOUR);
    daemon.set_unit(Some(exporter()));
    let mut peer = daemon.connect_as(1_000);
    daemon.set_unit(Some(Err(NoUnit::NotInOne)));
    let mut other = daemon.connect_as(1_000);
    for unit in ["exporter@campus.service", "exporter@.service", "automation.slice"] {
        daemon.set_rules(vec![for_unit(&["campus"], unit)]);
        for _ in 0..2 {
            peer.send(1, &get("campus"));
            peer.token(1);
        }
        assert_eq!(other.refused(&get("campus")), ErrorCode::Denied, "{unit}");
    }
    daemon.set_rules(vec![for_unit(&["campus"], "exporter.service")]);
    assert_eq!(peer.refused(&get("campus")), ErrorCode::Denied);
}

#[test]
fn whoami_looks_the_unit_up_where_no_rule_asks_for_it() {
    let daemon = Daemon::start();
    daemon.audit.set_reads(false);
    daemon.publish("campus", "t", HOUR);
    daemon.set_rules(vec![rule(&["campus"], 1_000)]);
    // Nobody was told of the unit: a look-up asks the kernel about this very process, which has one or has none.
    let real = PeerUnit::from_cgroups(&std::fs::read_to_string("/proc/self/cgroup").unwrap());
    let mut peer = daemon.connect_as(1_000);
    peer.send(1, &get("campus"));
    peer.token(1);
    match peer.ask(&Request::WhoAmI) {
        Reply::Peer(peer) => assert_eq!(peer.unit, real.ok().map(|unit| unit.name)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rights_are_who_one_is_and_what_one_may_have() {
    let mut daemon = Daemon::start();
    let admin = Rule { admin: true, ..rule(&["legacy"], 1_000) };
    daemon.set_rules(vec![for_unit(&["campus", "msp/*"], "exporter@.service"), admin]);
    let acme = "msp/497f6eca62764993bfeb53cbbbba6f08";
    let cases = [(exporter(), vec!["campus", "legacy", acme]), (Err(NoUnit::Ended), vec!["legacy"])];
    for (unit, expected) in cases {
        daemon.set_unit(Some(unit.clone()));
        let mut peer = daemon.connect_as(1_000);
        peer.send(1, &Request::Rights { after: None });
        let (query, reply) = daemon.query();
        let Query::Rights { page } = query else { panic!("{query:?}") };
        let Reader { access, peer: who } = page.reader;
        let readable = ["campus", "legacy", "msp", acme, "other"].map(token_name);
        let readable = readable.iter().filter(|name| access.may_read(&who, name));
        let entry =
            |name: &TokenName| NameRights { name: name.to_string(), label: None, admin: access.may_admin(&who, name) };
        reply.send_view(Ok(View::Rights(whole(readable.map(entry).collect()))));
        let Reply::Rights(rights) = peer.reply_to(1) else { panic!("no rights") };
        let names: Vec<&str> = rights.names.iter().map(|name| name.name.as_str()).collect();
        assert_eq!((names, rights.more), (expected, false));
        assert_eq!(rights.peer.unit, unit.as_ref().ok().map(|unit| unit.name.clone()));
        assert_eq!(rights.no_unit, unit.as_ref().err().map(ToString::to_string));
        assert_eq!(rights.slices, unit.map(|unit| unit.slices).unwrap_or_default());
        assert!(rights.names.contains(&NameRights { name: "legacy".into(), label: None, admin: true }));
        assert_eq!(rights.peer.may_admin, ["legacy"]);
    }
    let mut peer = daemon.connect();
    assert_eq!(peer.refused(&Request::Rights { after: Some("msp/Acme") }), ErrorCode::InvalidArgument);
}
