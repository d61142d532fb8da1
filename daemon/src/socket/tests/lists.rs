//! Status and tenants: in pages, each put together from what the core finds.

use tokend_proto::{ErrorCode, Health, NameStatus, Reply, Request, Tenant, TokenName};

use super::harness::{Daemon, rule, token_name};
use super::name_status::name_status;
use crate::core::effect::Outcome;
use crate::core::input::Question;
use crate::core::query::{Query, View};
use crate::core::report::page::{Page, Part, Reader, Rest};
use crate::socket::requests::pages::{NAMES, TENANTS};

pub(super) fn status(name: &str) -> NameStatus {
    name_status(name, Health::Good)
}

/// All that there is.
pub(super) fn whole<T, K>(entries: Vec<T>) -> Part<T, K> {
    Part { entries, rest: Rest::Nothing }
}

/// The question for a page of status, answered.
fn answer(daemon: &mut Daemon, part: Part<NameStatus, TokenName>) -> Page<TokenName> {
    match daemon.query() {
        (Query::Status { page }, reply) => {
            reply.send_view(Ok(View::Status(part)));
            *page
        }
        (other, _) => panic!("{other:?}"),
    }
}

fn names(count: usize) -> Vec<NameStatus> {
    (0..count).map(|n| status(&format!("profile-{n:04}"))).collect()
}

#[test]
fn a_page_of_status_is_what_the_core_finds_with_what_the_socket_knows() {
    let mut daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["campus"], 1_000)]);
    let mut peer = daemon.connect_as(1_000);
    for (rest, more) in [(Rest::Nothing, false), (Rest::More, true)] {
        peer.send(1, &Request::Status { name: None, after: Some("a") });
        let page = answer(&mut daemon, Part { entries: names(NAMES), rest });
        assert_eq!((page.after, page.room), (Some(token_name("a")), NAMES));
        let Reader { access, peer: who } = page.reader;
        assert!(access.may_read(&who, &token_name("campus")) && !access.may_read(&who, &token_name("legacy")));
        match peer.reply_to(1) {
            Reply::Status(page) => {
                assert_eq!((page.names, page.more), (names(NAMES), more));
                assert_eq!((page.version.as_str(), page.notes), (env!("CARGO_PKG_VERSION"), vec!["a note".to_owned()]));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_page_that_is_not_full_is_gone_on_with() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &Request::Status { name: None, after: None });
    let all = names(NAMES);
    let at = |name: &str| Rest::After(token_name(name));
    answer(&mut daemon, Part { entries: all[..1].to_vec(), rest: at("m") });
    let page = answer(&mut daemon, Part { entries: Vec::new(), rest: at("n") });
    assert_eq!((page.after, page.room), (Some(token_name("m")), NAMES - 1));
    answer(&mut daemon, Part { entries: all[1..].to_vec(), rest: at("o") });
    let page = answer(&mut daemon, whole(Vec::new()));
    assert_eq!((page.after, page.room), (Some(token_name("o")), 0), "whether there are more has to be found out");
    match peer.reply_to(1) {
        Reply::Status(page) => assert!(page.names == all && !page.more),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_begins_again_when_other_rules_come_into_force() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect_as(1_000);
    peer.send(1, &Request::Status { name: None, after: Some("a") });
    answer(&mut daemon, Part { entries: vec![status("legacy")], rest: Rest::After(token_name("m")) });
    let (_, reply) = daemon.query();
    daemon.set_rules(vec![rule(&["campus"], 1_000)]);
    reply.send_view(Ok(View::Status(whole(vec![status("mine")]))));
    let page = answer(&mut daemon, whole(vec![status("campus")]));
    assert_eq!((page.after, page.room), (Some(token_name("a")), NAMES));
    assert!(!page.reader.access.may_read(&page.reader.peer, &token_name("legacy")));
    match peer.reply_to(1) {
        Reply::Status(page) => assert_eq!(page.names, [status("campus")]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_status_of_one_name_is_that_name_or_an_error() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    for (name, found) in [("campus", vec![status("campus")]), ("nothing", Vec::new())] {
        peer.send(1, &Request::Status { name: Some(name), after: None });
        let (query, reply) = daemon.query();
        assert!(matches!(query, Query::StatusOf { name: asked } if asked == token_name(name)));
        reply.send_view(Ok(View::Status(whole(found.clone()))));
        match peer.reply_to(1) {
            Reply::Status(page) => assert!(!found.is_empty() && page.names == found && !page.more),
            Reply::Error(error) => assert!(found.is_empty() && error.code == ErrorCode::NoSuchName),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn tenants_go_on_after_an_id() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    let id = format!("{:032x}", 7);
    peer.send(1, &Request::Tenants { profile: "msp", after: Some(&id) });
    let (_, question, reply) = daemon.question();
    match question {
        Question::Tenants { profile, page } => {
            assert_eq!((profile.as_str(), page.after, page.room), ("msp", Some(id.parse().unwrap()), TENANTS));
        }
        other => panic!("{other:?}"),
    }
    let tenant = Tenant { id: format!("{:032x}", 8), workspace_name: "Eight".into() };
    reply.send(Outcome::Tenants(whole(vec![tenant.clone()])));
    match peer.reply_to(1) {
        Reply::Tenants(page) => assert!(page.tenants == [tenant] && !page.more),
        other => panic!("{other:?}"),
    }
}
