//! Lists in pages: each fits into a frame, however long its entries are.

use tokend_proto::{ChainStatus, ErrorReply, Fingerprint, Flags, Health, Reply, Stamp, codec};

use super::*;
use crate::core::access::Rule;

fn peer() -> PeerIdentity {
    PeerIdentity::default()
}

fn everything() -> Access {
    Access::new(Vec::new(), 990)
}

/// Every field as long as it gets.
fn largest(name: String) -> NameStatus {
    let stamp = Some(Stamp { boot_ms: u64::MAX, unix_ms: i64::MIN });
    let text = Some("t".repeat(300));
    NameStatus {
        name,
        label: text.clone(),
        kind: "glp-tenant".into(),
        health: Health::ChainEmpty,
        fingerprint: Some(Fingerprint::from_bytes([0xff; 16])),
        expires_at: stamp,
        next_at: stamp,
        last_error: text.clone(),
        action: text.clone(),
        chain: Some(ChainStatus { state: "s".repeat(300), rotated_at: stamp, ends_at: stamp, why: text }),
    }
}

#[test]
fn a_page_of_the_largest_entries_fits_into_a_frame() {
    let all: Vec<_> = (0..500).map(|n| largest(format!("p{n}"))).collect();
    let notes = vec!["n".repeat(250); 100];
    let page = status(all, (&everything(), &peer()), None, None, &notes).unwrap();
    assert!(page.more && page.names.len() > 10 && page.notes.len() > 10);
    codec::encode_reply(1, Flags::NONE, &Reply::Status(page)).expect("it fits");
    // The estimate is never less than what an entry takes.
    let one = largest("p".into());
    let estimate = status_size(&one);
    let page = |names| StatusPage { version: String::new(), notes: Vec::new(), names, more: false };
    let encoded = |names| codec::encode_reply(1, Flags::NONE, &Reply::Status(page(names))).unwrap().len();
    assert!(encoded(vec![one]) - encoded(Vec::new()) <= estimate);
}

#[test]
fn a_page_of_tenants_fits_into_a_frame() {
    let all: Vec<_> = (0..1_000).map(|n| Tenant { id: format!("{n:032x}"), workspace_name: "w".repeat(256) }).collect();
    let mut seen = Vec::new();
    loop {
        let after = seen.last().map(|tenant: &Tenant| tenant.id.parse().unwrap());
        let page = tenants(all.clone(), (&everything(), &peer()), &"msp".parse().unwrap(), after);
        codec::encode_reply(1, Flags::NONE, &Reply::Tenants(page.clone())).expect("it fits");
        seen.extend(page.tenants);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn pages_do_not_depend_on_the_order_that_they_are_cut_from() {
    let names = ["msp/00000000000000000000000000000001", "msp-b", "msp", "a"].map(|name| largest(name.into()));
    let page = status(names.to_vec(), (&everything(), &peer()), None, None, &[]).unwrap();
    let order: Vec<_> = page.names.iter().map(|status| status.name.as_str()).collect();
    assert_eq!(order, ["a", "msp", "msp/00000000000000000000000000000001", "msp-b"]);
    let after = naming::canonical(order[2]);
    let page = status(names.to_vec(), (&everything(), &peer()), None, after.as_ref(), &[]).unwrap();
    assert_eq!(page.names.len(), 1);
}

#[test]
fn an_error_always_fits() {
    let error = ErrorReply { message: "m".repeat(400), ..super::super::refusal::unsendable() };
    codec::encode_reply(1, Flags::NONE, &Reply::Error(error)).expect("it fits");
}

#[test]
fn a_page_of_rights_fits_into_a_frame_whoever_the_peer_is() {
    let all: Vec<_> = (0..2_000).map(|n| largest(format!("p{n:04}"))).collect();
    let who = tokend_proto::Peer {
        uid: u32::MAX,
        gid: u32::MAX,
        groups: vec![u32::MAX; 4_000],
        pid: i32::MAX,
        unit: Some("u".repeat(255)),
        superuser: false,
        may_read: vec!["p".repeat(300); 50],
        may_admin: Vec::new(),
    };
    let whole = Rights { peer: who, slices: Vec::new(), no_unit: None, names: Vec::new(), more: false };
    let rules = vec![
        Rule { profiles: vec!["*".parse().unwrap()], users: vec![5], ..Rule::default() },
        Rule { profiles: vec!["p*7".parse().unwrap()], users: vec![5], admin: true, ..Rule::default() },
    ];
    let (access, peer) = (Access::new(rules, 990), PeerIdentity { uid: 5, ..PeerIdentity::default() });
    let mut seen: Vec<NameRights> = Vec::new();
    loop {
        let after = seen.last().and_then(|name| naming::canonical(&name.name));
        let page = rights(all.clone(), (&access, &peer), whole.clone(), after.as_ref());
        codec::encode_reply(1, Flags::NONE, &Reply::Rights(page.clone())).expect("it fits");
        seen.extend(page.names);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 2_000);
    assert!(seen.iter().all(|name| name.admin == name.name.ends_with('7')));
    assert!(rights(all, (&access, &PeerIdentity { uid: 6, ..peer }), whole, None).names.is_empty());
}
