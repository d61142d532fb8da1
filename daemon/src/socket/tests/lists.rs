//! Status and tenants: filtered, in pages.

use tokend_proto::{ErrorCode, Health, NameStatus, Reply, Request, StatusPage, Tenant};

use super::harness::{Daemon, Peer, rule};
use super::name_status::name_status;
use crate::core::effect::Outcome;
use crate::core::input::Question;

pub(super) fn status(name: &str) -> NameStatus {
    name_status(name, Health::Good)
}

fn page(daemon: &mut Daemon, peer: &mut Peer, after: Option<&str>, all: &[NameStatus]) -> StatusPage {
    peer.send(1, &Request::Status { name: None, after });
    let (_, question, reply) = daemon.question();
    assert!(matches!(question, Question::Status));
    reply.send(Outcome::Status(all.to_vec()));
    match peer.reply_to(1) {
        Reply::Status(page) => page,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pages_of_status_hold_every_name_once_and_in_order() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    let all: Vec<_> = (0..2_000).map(|n| status(&format!("profile-{n:04}"))).collect();
    let (mut seen, mut pages, mut after) = (Vec::new(), 0, None::<String>);
    loop {
        let page = page(&mut daemon, &mut peer, after.as_deref(), &all);
        assert_eq!((page.version.as_str(), &page.notes[..]), (env!("CARGO_PKG_VERSION"), &["a note".to_owned()][..]));
        pages += 1;
        seen.extend(page.names);
        if !page.more {
            break;
        }
        after = Some(seen.last().unwrap().name.clone());
    }
    assert_eq!(seen, all);
    assert!(pages > 1);
}

#[test]
fn status_shows_only_readable_names() {
    let mut daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["campus"], 1_000)]);
    let mut peer = daemon.connect_as(1_000);
    let all = [status("campus"), status("legacy")];
    let names = page(&mut daemon, &mut peer, None, &all).names;
    assert_eq!(names, [status("campus")]);
}

#[test]
fn the_status_of_one_name_is_that_name_or_an_error() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    for (name, known) in [("campus", true), ("nothing", false)] {
        peer.send(1, &Request::Status { name: Some(name), after: None });
        daemon.question().2.send(Outcome::Status(vec![status("campus"), status("legacy")]));
        match peer.reply_to(1) {
            Reply::Status(page) => assert!(known && page.names == [status("campus")] && !page.more),
            Reply::Error(error) => assert!(!known && error.code == ErrorCode::NoSuchName),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn tenants_are_filtered_and_go_on_after_an_id() {
    let mut daemon = Daemon::start();
    let ids: Vec<String> = (0..3).map(|n| format!("{n:032x}")).collect();
    daemon.set_rules(vec![rule(&[&format!("msp/{}", ids[0]), &format!("msp/{}", ids[2])], 1_000)]);
    let mut peer = daemon.connect_as(1_000);
    let all: Vec<_> =
        ids.iter().map(|id| Tenant { id: id.clone(), workspace_name: format!("Workspace {id}") }).collect();
    for (after, expected) in [(None, vec![&all[0], &all[2]]), (Some(ids[0].as_str()), vec![&all[2]])] {
        peer.send(1, &Request::Tenants { profile: "msp", after });
        let (_, question, reply) = daemon.question();
        assert!(matches!(question, Question::Tenants { profile } if profile.as_str() == "msp"));
        reply.send(Outcome::Tenants(all.clone()));
        match peer.reply_to(1) {
            Reply::Tenants(page) => assert!(page.tenants.iter().eq(expected) && !page.more),
            other => panic!("{other:?}"),
        }
    }
}
