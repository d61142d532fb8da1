use tokend_proto::{ChainStatus, ErrorReply, Fingerprint, Flags, Health, Reply, Stamp, codec};

use super::*;

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
