//! Why a name is as it is.

use tokend_proto::{Explanation, Health};

use super::*;

impl Rig {
    fn explain(&mut self, name: &str) -> Explanation {
        match self.core.query(self.now, &Query::Explain { name: token_name(name) }) {
            Ok(View::Explanation(explanation)) => *explanation,
            other => panic!("no explanation: {other:?}"),
        }
    }
}

#[track_caller]
fn says(explanation: &Explanation, words: &str) {
    assert!(explanation.next.contains(words), "{}", explanation.next);
}

#[test]
fn a_name_says_when_it_is_renewed_and_why_then() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    says(&rig.explain("campus"), "on its way");
    rig.grant(7200);
    let explanation = rig.explain("campus");
    let (issued, refresh) = (explanation.issued_at.expect("a token"), explanation.refresh_at.expect("a token"));
    let seconds = (refresh.boot_ms - issued.boot_ms).div_ceil(1_000);
    says(&explanation, &format!("renewed in {seconds} s, after "));
    assert_eq!(explanation.status.health, Health::Good);
    assert_eq!((explanation.failures, explanation.forced_again_at, explanation.logins), (0, None, None));

    rig.watch_for_explain("campus");
    rig.reject("campus", "access-1");
    let explanation = rig.explain("campus");
    assert_eq!((explanation.waiting, explanation.watching), (1, 1));
    assert!(explanation.forced_again_at.is_some());
    rig.fail(FailureKind::Transient);
    let explanation = rig.explain("campus");
    says(&explanation, "tried again in 1 s; 1 attempts have failed");
    assert_eq!(explanation.failures, 1);
}

#[test]
fn refused_credentials_say_when_they_are_tried_again() {
    let mut rig = Rig::new(&[fixture::central("campus")]);
    rig.fail(FailureKind::InvalidClient);
    let explanation = rig.explain("campus");
    assert_eq!(explanation.status.health, Health::Rejected);
    says(&explanation, "refuses the credentials: it is asked again in ");
}

#[test]
fn a_chain_says_how_old_it_is_and_what_is_left_of_its_logins() {
    let mut rig = Rig::new(&[fixture::classic("legacy", false)]);
    let explanation = rig.explain("legacy");
    says(&explanation, "until somebody imports");
    assert_eq!((explanation.chain_age, explanation.logins), (None, None));
    rig.import("legacy", "RT");
    rig.grant(7200);
    rig.pass(secs(100));
    let explanation = rig.explain("legacy");
    assert_eq!(explanation.chain_age.map(Duration::from), Some(secs(100)));
    says(&explanation, "600 s before it expires and not earlier");

    let mut rig = Rig::new(&[fixture::classic("branch", true)]);
    says(&rig.explain("branch"), "a login, which is on its way");
    rig.grant(7200);
    let logins = rig.explain("branch").logins.expect("it has a login");
    assert_eq!(logins.attempts_left, 2);
    assert!(logins.next_at.is_some(), "one token in half an hour");
    rig.pass(secs(31 * 60));
    let logins = rig.explain("branch").logins.expect("it has a login");
    assert_eq!((logins.attempts_left, logins.next_at), (3, None));
}

#[test]
fn a_name_that_is_not_there_cannot_be_explained() {
    let rig = Rig::new(&[fixture::central("campus")]);
    let found = rig.core.query(rig.now, &Query::Explain { name: token_name("nobody") });
    assert_eq!(found.expect_err("nobody").code, ErrorCode::NoSuchName);
}

impl Rig {
    fn watch_for_explain(&mut self, name: &str) {
        self.ask(Question::Watch { name: token_name(name) });
    }
}
