//! Lists in pages: each fits into a frame, however long its entries are.

use tokend_proto::{ChainStatus, ErrorReply, Fingerprint, Flags, Health, Reply, Stamp, codec};

use super::*;

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
    let all: Vec<_> = (0..100).map(|n| largest(format!("p{n}"))).collect();
    let notes = vec!["n".repeat(250); 100];
    let page = status(all, true, &notes);
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
fn entries_of_any_length_are_cut_to_what_fits_into_a_frame() {
    let long = NameStatus { last_error: Some("t".repeat(5_000)), ..largest("p".into()) };
    let page = status(vec![long; 100], false, &[]);
    assert!(page.more && page.names.len() > 5 && page.names.len() < 100);
    codec::encode_reply(1, Flags::NONE, &Reply::Status(page)).expect("it fits");
    let too_long = NameStatus { last_error: Some("t".repeat(ROOM)), ..largest("p".into()) };
    assert_eq!(status(vec![too_long], false, &[]).names.len(), 1, "one is always tried");
    assert_eq!(status(Vec::new(), false, &[]).names.len(), 0);
}

#[test]
fn a_page_of_tenants_fits_into_a_frame() {
    let all: Vec<_> = (0..100).map(|n| Tenant { id: format!("{n:032x}"), workspace_name: "w".repeat(256) }).collect();
    let page = tenants(all, false);
    assert_eq!((page.tenants.len(), page.more), (100, false));
    codec::encode_reply(1, Flags::NONE, &Reply::Tenants(page)).expect("it fits");
}

#[test]
fn an_error_always_fits() {
    let error = ErrorReply { message: "m".repeat(400), ..crate::socket::errors::unsendable() };
    codec::encode_reply(1, Flags::NONE, &Reply::Error(error)).expect("it fits");
}

#[test]
fn a_page_of_rights_fits_into_a_frame_for_any_peer() {
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
    let name = |n| NameRights { name: format!("p{n:04}"), label: Some("l".repeat(256)), admin: true };
    let page = rights((0..100).map(name).collect(), false, whole);
    assert!(page.names.len() > 10 && page.more);
    codec::encode_reply(1, Flags::NONE, &Reply::Rights(page)).expect("it fits");
}
