//! What is asked and what comes back, while all is well.

use std::time::Duration;

use tokend_client::blocking::Client;
use tokend_client::{Error, ErrorCode, Secret, TokenOptions};
use tokend_proto::{
    ErrorReply, Flags, Header, Imported, Millis, Reply, Request, Tenant, TenantsPage, Unsupported, codec,
};

use crate::peer::{Peer, greeted, pong, token};
use crate::script::frame;

#[test]
fn wishes_reach_the_daemon_and_flags_the_caller_over_one_connection() {
    let mut peer = Peer::new();
    let client = peer.client();
    let options = TokenOptions { min_ttl: Duration::from_secs(90), wait: Some(Duration::ZERO) };
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        assert_eq!(asked.request(), Request::Get { name: "campus", min_ttl: Millis(90_000), wait: Millis(0) });
        connection.send(&codec::encode_reply(asked.id, Flags::FALLS_SHORT, &token("abc")).unwrap());
        // A complaint about the token keeps its wish.
        let asked = connection.next();
        let Request::Reject { name: "campus", min_ttl: Millis(90_000), .. } = asked.request() else {
            panic!("{:?}", asked.request())
        };
        connection.reply(asked.id, &token("def"));
    };
    let calls = || {
        let token = client.token_with("campus", options).unwrap();
        assert!(token.falls_short() && !token.renewing());
        client.reject(&token).unwrap()
    };
    let (token, ()) = peer.play(script, calls);
    assert_eq!((token.secret(), token.name()), ("def", "campus"));
    assert!(!peer.is_called());
}

#[test]
fn the_longest_answer_and_the_slowest_are_read_whole() {
    let mut peer = Peer::new();
    let client = peer.client();
    let long = "x".repeat(60_000);
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        connection.answer(&token(&long));
        let asked = connection.next();
        for byte in codec::encode_reply(asked.id, Flags::NONE, &token("abc")).unwrap() {
            connection.send(&[byte]);
        }
    };
    let calls = || [(); 2].map(|()| client.token("campus").unwrap().secret().to_owned());
    assert_eq!(peer.play(script, calls).0, [long.clone(), "abc".to_owned()]);
}

#[test]
fn the_daemons_refusal_keeps_its_code_words_and_seconds() {
    let mut peer = Peer::new();
    let client = peer.client();
    let retry_after = Some(Millis(1_500));
    let refusal = Reply::Error(ErrorReply { code: ErrorCode::Throttled, message: "too fast".into(), retry_after });
    let (result, ()) = peer.play(|peer| peer.accept().answer(&refusal), || client.token("campus"));
    let Error::Daemon(refusal) = result.unwrap_err() else { panic!() };
    assert_eq!(
        (refusal.code, refusal.retry_after, refusal.to_string()),
        (ErrorCode::Throttled, Some(Duration::from_millis(1_500)), "too fast".into())
    );
}

#[test]
fn another_version_is_told_and_the_connection_goes_on() {
    let mut peer = Peer::new();
    let client = peer.client();
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        connection.send(&frame(Header { version: 2, ..Header::new(asked.id) }, b"\xff of version 2"));
        connection.answer(&Reply::Unsupported(Unsupported { versions: vec![1, 7], message: "no Ping".into() }));
        connection.answer(&pong());
    };
    let calls = || {
        for expected in [vec![2], vec![1, 7]] {
            let error = client.ping().unwrap_err();
            assert!(matches!(&error, Error::Unsupported(why) if why.versions == expected), "{error:?}");
        }
        client.ping().unwrap()
    };
    assert_eq!(peer.play(script, calls).0, "1.2.3");
    assert!(!peer.is_called());
}

#[test]
fn a_list_is_followed_to_its_end() {
    let mut peer = Peer::new();
    let client = peer.client();
    let tenant = |id: &str| Tenant { id: id.into(), workspace_name: id.to_uppercase() };
    let page =
        |ids: &[&str], more| Reply::Tenants(TenantsPage { tenants: ids.iter().map(|id| tenant(id)).collect(), more });
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        connection.answer(&page(&["a", "b"], true));
        let asked = connection.next();
        assert_eq!(asked.request(), Request::Tenants { profile: "msp", after: Some("b") });
        connection.reply(asked.id, &page(&["c"], false));
        connection.answer(&page(&["a"], true));
        connection.answer(&page(&["a"], true));
    };
    let calls = || (client.tenants("msp").unwrap(), client.tenants("msp"));
    let ((whole, endless), ()) = peer.play(script, calls);
    assert_eq!(whole, [tenant("a"), tenant("b"), tenant("c")]);
    assert!(matches!(endless, Err(Error::Protocol(_))), "{endless:?}");
}

#[test]
fn what_can_be_no_name_is_refused_without_a_connection() {
    let peer = Peer::new();
    let client = peer.client();
    let secret = Secret::from("RT");
    assert!(matches!(client.token("a b"), Err(Error::InvalidName(_))));
    assert!(matches!(client.status(Some("a/")), Err(Error::InvalidName(_))));
    assert!(matches!(client.tenants("a/b"), Err(Error::InvalidName(_))));
    assert!(matches!(client.import("", &secret), Err(Error::InvalidName(_))));
    let long = Secret::new("x".repeat(70_000));
    assert!(matches!(client.import("legacy", &long), Err(Error::TooLong(_))));
    assert!(!peer.is_called());
}

#[test]
fn a_refresh_token_reaches_the_daemon_whole() {
    let mut peer = Peer::new();
    let client = peer.client();
    let secret = Secret::new("r".repeat(8 * 1024));
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        let Request::Import { name: "legacy", refresh_token } = asked.request() else { panic!() };
        assert_eq!(refresh_token.to_secret(), secret);
        connection.reply(asked.id, &Reply::Imported(Imported { changed: true, message: "new".into() }));
    };
    assert!(peer.play(script, || client.import("legacy", &secret)).0.unwrap().changed);
}

#[test]
fn a_call_that_waits_holds_up_no_other_thread() {
    let mut peer = Peer::new();
    let client = peer.client();
    let mut first = greeted(&client, &mut peer);
    let slow = std::thread::spawn({
        let client = client.clone();
        move || client.token("slow").unwrap().secret().to_owned()
    });
    let waits = first.next();
    let (version, _second) = peer.play(
        |peer| {
            let mut connection = peer.accept();
            connection.answer(&pong());
            connection
        },
        || client.ping(),
    );
    assert_eq!(version.unwrap(), "1.2.3");
    first.reply(waits.id, &token("late"));
    assert_eq!(slow.join().unwrap(), "late");
}

#[test]
fn connect_has_spoken_with_the_daemon() {
    let mut peer = Peer::new();
    let path = peer.path();
    let script = |peer: &mut Peer| {
        let mut connection = peer.accept();
        let asked = connection.next();
        assert_eq!(asked.request(), Request::Ping);
        connection.reply(asked.id, &pong());
    };
    assert!(peer.play(script, || Client::connect(path)).0.is_ok());
}
