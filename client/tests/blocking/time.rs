//! Nothing is waited for without end.

use std::time::Duration;

use tokend_client::{Error, TokenOptions};

use crate::peer::{Peer, greeted, token};

#[test]
fn a_daemon_that_does_not_answer_is_given_up_after_the_wait_and_its_late_answer_goes_nowhere() {
    let mut peer = Peer::new();
    let client = peer.client();
    let mut connection = greeted(&client, &mut peer);
    let options = TokenOptions { wait: Some(Duration::ZERO), ..TokenOptions::default() };
    let script = move |peer: &mut Peer| {
        let asked = connection.next();
        // Bytes that come keep nobody waiting for longer.
        connection.send(&[0, 0]);
        assert_eq!(asked.id, 2);
        connection.closed();
        peer.accept().answer(&token("abc"));
    };
    let calls = || {
        let error = client.token_with("campus", options).unwrap_err();
        assert!(matches!(error, Error::Timeout(_)) && error.is_retryable(), "{error:?}");
        client.token("campus").unwrap()
    };
    assert_eq!(peer.play(script, calls).0.secret(), "abc");
}
