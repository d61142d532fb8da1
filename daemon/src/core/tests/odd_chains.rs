//! What odd answers and the pauses after them leave of a chain: through reloads, imports, complaints, restarts.

use super::chains::{chain_on_disk, imported};
use super::*;

const PROFILE: &str = "legacy";

fn on_the_wire() -> Rig {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig
}

fn pair(access: Option<(&str, Option<i64>)>, refresh_token: RefreshToken) -> Answer {
    let access = access.map(|(text, expires_in)| TokenResponse {
        access_token: Secret::from(text),
        token_type: "Bearer".into(),
        expires_in,
        warnings: vec![],
    });
    Answer::Pair(PairResponse { access, refresh_token, warnings: vec![] })
}

fn new(token: &str) -> RefreshToken {
    RefreshToken::New(Secret::from(token))
}

fn refresh(rig: &mut Rig) -> WaiterId {
    rig.ask(Question::Refresh { name: token_name(PROFILE) })
}

#[test]
fn the_same_access_token_without_a_life_gets_no_younger() {
    let mut rig = on_the_wire();
    let left = rig.left(PROFILE);
    rig.answer(pair(Some(("access-1", Some(0))), new("r2")));
    assert!(rig.left(PROFILE) <= left, "{:?} > {left:?}", rig.left(PROFILE));
}

#[test]
fn nor_does_one_beside_a_refresh_token_that_cannot_be_read() {
    let mut rig = on_the_wire();
    let left = rig.left(PROFILE);
    rig.answer(pair(Some(("access-1", None)), RefreshToken::Unreadable));
    assert!(rig.left(PROFILE) <= left, "{:?} > {left:?}", rig.left(PROFILE));
}

#[test]
fn a_record_keeps_the_life_of_an_access_token_that_comes_again() {
    let mut rig = on_the_wire();
    rig.answer(pair(Some(("access-1", Some(0))), new("r2")));
    assert!(chain_on_disk(&rig).access.is_some());
}

#[test]
fn an_operator_may_ask_for_an_incomplete_chain_each_minute() {
    let mut rig = on_the_wire();
    rig.answer(pair(None, new("r2")));
    let n = rig.requests();
    refresh(&mut rig);
    assert_eq!(rig.requests(), n + 1, "first");
    rig.answer(pair(None, new("r3")));
    rig.pass(secs(61));
    refresh(&mut rig);
    assert_eq!(rig.requests(), n + 2, "second");
}

#[test]
fn a_complaint_of_a_peer_does_not_keep_an_operator_from_that() {
    let mut rig = on_the_wire();
    rig.answer(pair(Some(("access-2", Some(0))), new("r2")));
    rig.reject(PROFILE, "access-2");
    rig.pass(secs(61));
    let n = rig.requests();
    refresh(&mut rig);
    assert_eq!(rig.requests(), n + 1);
}

#[test]
fn a_reload_does_not_end_the_pause_of_an_incomplete_chain_for_good() {
    let mut rig = on_the_wire();
    rig.answer(pair(Some(("access-2", Some(0))), new("r2")));
    let n = rig.requests();
    rig.configure(&[fixture::classic(PROFILE, false)]);
    rig.pass(secs(3700));
    assert!(rig.requests() > n, "nothing was sent in an hour; {:?}", rig.status(PROFILE));
}

#[test]
fn nor_does_a_refused_import() {
    let mut rig = on_the_wire();
    rig.answer(pair(Some(("access-2", Some(0))), new("r2")));
    rig.import(PROFILE, "spent");
    rig.fail(FailureKind::InvalidGrant);
    let n = rig.requests();
    rig.pass(secs(3700));
    assert!(rig.requests() > n, "nothing was sent in an hour; {:?}", rig.status(PROFILE));
}

#[test]
fn many_reloads_do_not_rotate_an_incomplete_chain_many_times() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.answer(pair(None, new("r2")));
    let n = rig.requests();
    for _ in 0..100 {
        rig.configure(&[fixture::classic(PROFILE, false)]);
        while !rig.sent.is_empty() {
            let t = rig.tokens;
            rig.tokens += 1;
            rig.answer(pair(None, new(&format!("r-{t}"))));
        }
        rig.pass(Duration::from_millis(100));
    }
    assert!(rig.requests() - n <= 2);
}

#[test]
fn an_import_that_replaces_a_queued_one_is_durable_before_it_is_sent() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.import(PROFILE, "A");
    rig.answer(failed(FailureKind::RateLimited, Some(secs(30))));
    rig.pass(secs(1));
    rig.import(PROFILE, "A"); // due again: queued, its client is paused
    rig.import(PROFILE, "B");
    rig.pass(secs(31));
    let sent = refresh_token_of(&rig.sent[0]).to_owned();
    let stored = rig.disk.values().find_map(|(_, r)| match r {
        Record::Candidate(c) => Some(c.refresh_token.expose().to_owned()),
        _ => None,
    });
    assert_eq!(stored.as_deref(), Some(sent.as_str()));
}

#[test]
fn an_import_that_replaces_a_queued_one_survives_a_restart() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.import(PROFILE, "A");
    rig.answer(failed(FailureKind::RateLimited, Some(secs(600))));
    rig.pass(secs(1));
    rig.import(PROFILE, "A");
    rig.import(PROFILE, "B");
    rig.pass(secs(41));
    let rig = rig.restart(&[fixture::classic(PROFILE, false)], secs(1), false);
    assert_eq!(refresh_token_of(&rig.sent[0]), "B");
}

#[test]
fn an_importer_whose_token_was_replaced_hears_of_that() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    let a = rig.import(PROFILE, "A");
    rig.fail(FailureKind::Transient);
    rig.import(PROFILE, "B");
    rig.fail(FailureKind::InvalidGrant);
    rig.pass(secs(41));
    assert!(!rig.error(a).message.contains("is kept and goes on"));
}

#[test]
fn an_import_in_doubt_is_not_said_to_be_untried() {
    let mut rig = imported(false);
    rig.import(PROFILE, "A");
    rig.answer(pair(Some(("x", Some(7200))), RefreshToken::Unreadable));
    for n in &rig.notices {
        if n.message.contains("import") {}
    }
    assert!(!rig.notices.iter().any(|n| n.message.contains("not tried yet")));
}

#[test]
fn a_delivered_access_token_is_served_once_its_profile_is_back() {
    let mut rig = on_the_wire();
    rig.configure(&[]);
    rig.slow_disk = Some(vec![]);
    rig.grant(7200);
    rig.configure(&[fixture::classic(PROFILE, false)]);
    rig.flush();
    assert_eq!(rig.token_cache(PROFILE).map(|(t, _)| t), Some("access-2"));
}

#[test]
fn the_old_access_token_is_flagged_when_a_refresh_brought_none() {
    let mut rig = on_the_wire();
    rig.answer(pair(None, new("r2")));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-1", ReadMode::ServeRenewing)));
}

#[test]
fn a_chain_in_use_without_new_refresh_tokens_warns_three_times() {
    let mut rig = imported(false);
    for _ in 0..(14 * 12) {
        rig.pass(secs(6601));
        let n = rig.tokens + 1;
        rig.tokens = n;
        rig.answer(pair(Some((&format!("access-{n}"), Some(7200))), RefreshToken::Absent));
    }
    let warnings = rig.notices.iter().filter(|n| n.message.contains("no new refresh token has come for days")).count();
    assert!(warnings <= 3, "{warnings}");
}

#[test]
fn peers_of_an_empty_chain_are_answered_when_its_import_is_put_off() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, false)]);
    rig.import(PROFILE, "downloaded");
    rig.answer(failed(FailureKind::Transient, Some(secs(3600))));
    let waiter = rig.get(PROFILE);
    let late = rig.is_waiting(waiter);
    rig.pass(secs(11));
    assert!(!late);
}

#[test]
fn an_end_that_comes_sooner_is_in_the_record() {
    let mut rig = on_the_wire();
    rig.answer(pair(Some(("access-1", Some(100))), new("r2")));
    let before = rig.left(PROFILE);
    let rig = rig.restart(&[fixture::classic(PROFILE, false)], secs(1), false);
    assert!(rig.left(PROFILE) <= before, "{:?} {before:?}", rig.left(PROFILE));
}

#[test]
fn a_reload_does_not_cost_a_login_while_the_token_is_good() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, true)]);
    rig.answer(pair(Some(("x", Some(7200))), RefreshToken::Absent));
    rig.configure(&[fixture::classic(PROFILE, true)]);
    rig.pass(secs(2000));
    assert!(rig.sent.is_empty(), "a second login after {:?}", rig.log.iter().map(|(at, _)| at.0).collect::<Vec<_>>());
}

#[test]
fn a_restart_does_not_flag_a_token_that_came_without_a_refresh_token() {
    let mut rig = on_the_wire();
    rig.answer(pair(Some(("access-2", Some(7200))), RefreshToken::Absent));
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
    let rig = rig.restart(&[fixture::classic(PROFILE, false)], secs(1), false);
    assert_eq!(rig.token_cache(PROFILE), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn an_access_token_of_a_login_that_died_on_its_way_is_not_published() {
    let mut rig = Rig::new(&[fixture::classic(PROFILE, true)]);
    rig.pass(secs(40));
    rig.answer(pair(Some(("late", Some(30))), RefreshToken::Absent));
    assert_eq!(rig.token_cache(PROFILE), None);
}

#[test]
fn a_slow_answer_with_the_same_access_token_is_no_reason_to_refresh_at_once() {
    let mut rig = on_the_wire();
    rig.fail(FailureKind::Unknown);
    while rig.left(PROFILE) > secs(40) {
        rig.pass(secs(1));
        while !rig.sent.is_empty() && rig.left(PROFILE) > secs(40) {
            rig.fail(FailureKind::Unknown);
        }
    }
    while rig.sent.is_empty() {
        rig.pass(secs(1));
    }
    let requests = rig.requests();
    rig.pass(secs(5));
    rig.answer(pair(Some(("access-1", Some(4))), new("r2")));
    let left = rig.left(PROFILE);
    rig.pass(left - secs(1));
    assert_eq!(rig.requests(), requests, "it lives for {left:?}, as the first answer said");
}
