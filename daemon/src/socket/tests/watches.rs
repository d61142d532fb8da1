//! Watches: what a peer gets, how often, and how they end.

use std::time::Duration;

use tokend_proto::{ErrorCode, Flags, Health, HealthReport, Reply, Request, limits};

use super::harness::{Daemon, Peer, get, rule, token_name};
use crate::audit::{Kind, Outcome as Recorded};
use crate::core::effect::Outcome;
use crate::core::id::WaiterId;
use crate::core::input::Question;
use crate::core::issued::ReadMode;
use crate::core::time::{Now, UnixTime};
use crate::socket::{Limits, Message, ReplyTo};

const HOUR: Duration = Duration::from_secs(3_600);

fn watch(name: &str) -> Request<'_> {
    Request::Watch { name }
}

impl Daemon {
    /// The core is asked to watch this.
    fn watched(&mut self, name: &str) -> (WaiterId, ReplyTo) {
        match self.question() {
            (waiter, Question::Watch { name: asked }, reply) if asked == token_name(name) => (waiter, reply),
            (_, other, _) => panic!("{other:?}"),
        }
    }

    fn left(&mut self) -> Vec<WaiterId> {
        match self.message() {
            Message::Leave(waiters) => waiters,
            other => panic!("{other:?}"),
        }
    }

    fn report(&self, name: &str, health: Health) {
        let report = HealthReport { name: name.into(), health, last_error: None, action: None };
        self.token_cache.report(&token_name(name), report);
    }
}

impl Peer {
    fn health(&mut self, id: u64) -> Health {
        match self.reply_to(id) {
            Reply::Health(report) => report.health,
            other => panic!("{other:?}"),
        }
    }

    fn fresh_token(&mut self, id: u64) -> String {
        let (flags, token) = self.token(id);
        assert_eq!(flags, Flags::NONE);
        token.access_token.expose().to_owned()
    }
}

#[test]
fn a_watcher_gets_the_newest_token_at_once_and_then_each_new_one_and_changes_of_health() {
    let mut daemon = Daemon::start();
    daemon.publish("campus", "first", HOUR);
    let mut peer = daemon.connect();
    peer.send(7, &watch("campus"));
    assert_eq!(peer.fresh_token(7), "first");
    let _open = daemon.watched("campus");
    daemon.report("campus", Health::Good);
    assert_eq!(peer.health(7), Health::Good);
    daemon.publish("campus", "second", HOUR);
    assert_eq!(peer.fresh_token(7), "second");
    daemon.report("campus", Health::Failing);
    assert_eq!(peer.health(7), Health::Failing);
    daemon.report("campus", Health::Failing);
    daemon.token_cache.withdraw(&token_name("campus"));
    daemon.report("campus", Health::Unavailable);
    assert_eq!(peer.health(7), Health::Unavailable, "the same again is not told");
    daemon.publish("campus", "third", HOUR);
    assert_eq!(peer.fresh_token(7), "third");
    assert!(peer.is_served(), "and it is a connection like any other");
    assert!(daemon.nothing_was_asked(), "the core was asked once");
}

#[test]
fn a_name_without_a_token_can_be_watched() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &watch("campus"));
    let _open = daemon.watched("campus");
    daemon.report("campus", Health::Unavailable);
    assert_eq!(peer.health(1), Health::Unavailable);
    daemon.publish("campus", "first", HOUR);
    assert_eq!(peer.fresh_token(1), "first");
}

#[test]
fn a_thousand_watchers_are_told_of_one_publication() {
    let mut daemon = Daemon::start();
    let mut peers: Vec<Peer> = (0..200).map(|_| daemon.connect()).collect();
    let mut open = Vec::new();
    for peer in &mut peers {
        for id in 1..=5 {
            peer.send(id, &watch("campus"));
            open.push(daemon.watched("campus"));
        }
        assert!(peer.is_served());
    }
    daemon.publish("campus", "new", HOUR);
    for peer in &mut peers {
        let mut told: Vec<u64> = (0..5).map(|_| peer.receive().0.request_id).collect();
        told.sort_unstable();
        assert_eq!(told, [1, 2, 3, 4, 5]);
    }
    assert!(daemon.nothing_was_asked());
}

#[test]
fn a_token_that_is_about_to_die_is_told_flagged_and_again_when_it_lives_on() {
    let daemon = Daemon::start();
    let token = daemon.publish("legacy", "t", HOUR);
    let name = token_name("legacy");
    let mut peer = daemon.connect();
    peer.send(1, &watch("legacy"));
    peer.fresh_token(1);
    daemon.token_cache.publish(&name, &token, ReadMode::Ask, daemon_now(&daemon));
    assert_eq!(peer.token(1).0, Flags::RENEWING);
    daemon.token_cache.publish(&name, &token, ReadMode::ServeRenewing, daemon_now(&daemon));
    assert!(peer.is_served(), "nothing new");
    daemon.token_cache.publish(&name, &token, ReadMode::Serve, daemon_now(&daemon));
    assert_eq!(peer.fresh_token(1), "t");
}

fn daemon_now(daemon: &Daemon) -> Now {
    use crate::socket::Clock;
    daemon.clock.now()
}

#[test]
fn a_step_of_the_wall_clock_is_nothing_new() {
    let daemon = Daemon::start();
    daemon.publish("campus", "t", HOUR);
    let mut peer = daemon.connect();
    peer.send(1, &watch("campus"));
    peer.fresh_token(1);
    let now = daemon_now(&daemon);
    daemon.token_cache.rebase(Now { wall: UnixTime(now.wall.0 + 3_600_000), ..now });
    daemon.report("campus", Health::Good);
    assert_eq!(peer.health(1), Health::Good, "no token comes before it");
}

#[test]
fn unwatch_ends_it_and_the_core_hears_of_it() {
    let mut daemon = Daemon::start();
    daemon.publish("campus", "first", HOUR);
    let mut peer = daemon.connect();
    for id in [1, 2] {
        peer.send(id, &watch("campus"));
        peer.fresh_token(id);
    }
    let (one, _reply) = daemon.watched("campus");
    let _two = daemon.watched("campus");
    assert_eq!(peer.ask(&Request::Unwatch { watch: 1 }), Reply::Unwatched);
    assert_eq!(daemon.left(), [one]);
    daemon.publish("campus", "second", HOUR);
    assert_eq!(peer.fresh_token(2), "second");
    assert_eq!(peer.ask(&Request::Unwatch { watch: 1 }), Reply::Unwatched, "there is none any more");
    assert!(daemon.nothing_was_asked());
}

#[test]
fn a_peer_that_goes_is_forgotten() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &watch("campus"));
    let (waiter, _open) = daemon.watched("campus");
    drop(peer);
    assert_eq!(daemon.left(), [waiter]);
    daemon.wait_for_connections(0);
    daemon.publish("campus", "nobody cares", HOUR);
}

#[test]
fn the_core_can_end_a_watch() {
    let mut daemon = Daemon::start();
    daemon.publish("campus", "first", HOUR);
    let mut peer = daemon.connect();
    peer.send(1, &watch("campus"));
    peer.fresh_token(1);
    let (_, reply) = daemon.watched("campus");
    let gone = crate::socket::errors::no_such_name("campus");
    reply.send(Outcome::Error(gone));
    assert_eq!(peer.error(1).code, ErrorCode::NoSuchName);
    daemon.publish("campus", "second", HOUR);
    assert!(peer.is_served(), "nothing comes after the end");
    assert!(daemon.nothing_was_asked(), "and the core knows");
}

#[test]
fn rules_are_checked_at_the_beginning_and_after_a_reload() {
    let mut daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["campus", "legacy"], 1_000)]);
    daemon.publish("campus", "first", HOUR);
    daemon.publish("hidden", "secret", HOUR);
    let mut peer = daemon.connect_as(1_000);
    assert_eq!(peer.refused(&watch("hidden")), ErrorCode::Denied);
    assert_eq!(peer.refused(&watch("no-such")), ErrorCode::Denied);
    peer.send(1, &watch("campus"));
    peer.fresh_token(1);
    peer.send(2, &watch("legacy"));
    let (campus, _reply) = daemon.watched("campus");
    let _legacy = daemon.watched("legacy");

    daemon.set_rules(vec![rule(&["campus", "legacy", "more"], 1_000)]);
    daemon.thread.rules_changed();
    assert!(peer.is_served(), "still allowed");
    daemon.set_rules(vec![rule(&["legacy"], 1_000)]);
    daemon.thread.rules_changed();
    assert_eq!(peer.error(1).code, ErrorCode::Denied);
    assert_eq!(daemon.left(), [campus]);
    daemon.publish("campus", "second", HOUR);
    daemon.publish("legacy", "l", HOUR);
    assert_eq!(peer.fresh_token(2), "l");

    let recorded: Vec<_> = daemon.records.take().into_iter().map(|it| (it.kind, it.name, it.outcome)).collect();
    let named = |name: &str| Some(name.to_owned());
    let expected = [
        (Kind::of_peer("watch"), named("hidden"), Recorded::Refused),
        (Kind::of_peer("watch"), named("no-such"), Recorded::Refused),
        (Kind::of_peer("watch"), named("campus"), Recorded::Served),
        (Kind::of_peer("watch"), named("campus"), Recorded::Refused),
        (Kind::of_peer("watch"), named("legacy"), Recorded::Served),
    ];
    assert_eq!(recorded, expected);
}

#[test]
fn rules_that_changed_are_noticed_before_the_next_token() {
    let daemon = Daemon::start();
    daemon.set_rules(vec![rule(&["campus"], 1_000)]);
    daemon.publish("campus", "first", HOUR);
    let mut peer = daemon.connect_as(1_000);
    peer.send(1, &watch("campus"));
    peer.fresh_token(1);
    daemon.set_rules(vec![rule(&["other"], 1_000)]);
    daemon.publish("campus", "second", HOUR);
    assert_eq!(peer.error(1).code, ErrorCode::Denied);
}

#[test]
fn a_watch_counts_as_a_request_that_is_not_answered() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    for id in 1..=limits::MAX_IN_FLIGHT as u64 {
        peer.send(id, &watch("campus"));
        let _ = daemon.watched("campus").0;
    }
    // Each of them ended, because its way back was dropped; so that places are free again.
    for _ in 0..limits::MAX_IN_FLIGHT {
        assert!(matches!(peer.receive().1, Reply::Error(error) if error.code == ErrorCode::Internal));
    }
    let mut open = Vec::new();
    for id in 1..=limits::MAX_IN_FLIGHT as u64 {
        peer.send(id, &watch("campus"));
        open.push(daemon.watched("campus"));
    }
    assert_eq!(peer.refused(&get("legacy")), ErrorCode::TooManyRequests);
    assert_eq!(peer.ask(&Request::Unwatch { watch: 5 }), Reply::Unwatched);
    daemon.left();
    peer.send(9_999, &watch("legacy"));
    let _open = daemon.watched("legacy");
    assert!(peer.is_served());
}

#[test]
fn a_connection_with_a_watch_is_not_idle() {
    // Longer than a peer of this test may be held up between its connection and its first request.
    let idle_time = Duration::from_secs(2);
    let mut daemon = Daemon::with_limits(Limits { idle_time, ..Limits::default() });
    let mut watching = daemon.connect();
    watching.send(1, &watch("campus"));
    let _open = daemon.watched("campus");
    for _ in 0..2 {
        assert!(daemon.connect().is_closed());
    }
    daemon.publish("campus", "t", HOUR);
    assert_eq!(watching.fresh_token(1), "t");
    assert_eq!(watching.ask(&Request::Unwatch { watch: 1 }), Reply::Unwatched);
    assert!(watching.is_closed(), "now it is idle");
}

#[test]
fn the_end_of_the_daemon_ends_watches_at_once() {
    let mut daemon = Daemon::start();
    daemon.publish("campus", "t", HOUR);
    let mut peer = daemon.connect();
    peer.send(1, &watch("campus"));
    peer.fresh_token(1);
    let _open = daemon.watched("campus");
    let thread = daemon.thread;
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let draining = scope.spawn(move || runtime.block_on(thread.drain()));
        assert_eq!(peer.error(1).code, ErrorCode::Busy);
        assert!(peer.is_closed());
        draining.join().unwrap();
    });
}

#[test]
fn a_watcher_that_does_not_read_is_closed_and_keeps_nobody_else_waiting() {
    let frame_time = Duration::from_millis(300);
    let mut daemon = Daemon::with_limits(Limits { frame_time, ..Limits::default() });
    let big = |n: usize| format!("{n}-{}", "x".repeat(16_000));
    daemon.publish("campus", &big(0), HOUR);
    let mut deaf = daemon.connect();
    let mut other = daemon.connect();
    deaf.send(1, &watch("campus"));
    let _deaf = daemon.watched("campus");
    other.send(1, &watch("campus"));
    let _other = daemon.watched("campus");
    assert_eq!(other.fresh_token(1), big(0));
    let mut published = 0;
    let give_up = daemon_now(&daemon).boot + Duration::from_secs(60);
    while daemon.thread.connections() > 1 {
        assert!(daemon_now(&daemon).boot < give_up, "{published} tokens later it is still there");
        published += 1;
        daemon.publish("campus", &big(published), HOUR);
        assert_eq!(other.fresh_token(1), big(published), "each new one");
    }
    drop(deaf);
}

#[test]
fn a_slow_watcher_gets_the_newest_and_not_all() {
    let daemon = Daemon::start();
    let big = |n: usize| format!("{n}-{}", "x".repeat(16_000));
    const LAST: usize = 200;
    daemon.publish("campus", &big(0), HOUR);
    let mut slow = daemon.connect();
    slow.send(1, &watch("campus"));
    assert_eq!(slow.fresh_token(1), big(0));
    for n in 1..=LAST {
        daemon.publish("campus", &big(n), HOUR);
    }
    let mut told = 0;
    loop {
        told += 1;
        if slow.fresh_token(1) == big(LAST) {
            break;
        }
    }
    assert!(told < LAST, "{told} tokens of 16 KiB were kept for it");
    assert!(slow.is_served());
}

#[test]
fn a_workspace_name_is_watched_under_its_id() {
    let mut daemon = Daemon::start();
    let mut peer = daemon.connect();
    peer.send(1, &watch("msp/Acme Corp"));
    let (_, question, reply) = daemon.question();
    assert!(matches!(question, Question::Resolve { .. }), "{question:?}");
    let name = "msp/497f6eca62764993bfeb53cbbbba6f08";
    reply.send(Outcome::Resolved(token_name(name)));
    let _open = daemon.watched(name);
    daemon.publish(name, "t", HOUR);
    assert_eq!(peer.fresh_token(1), "t");
}

#[test]
fn more_news_than_fits_into_a_turn_arrives_all_the_same() {
    let mut daemon = Daemon::start();
    let names: Vec<String> = (0..100).map(|n| format!("p{n}")).collect();
    let mut peer = daemon.connect();
    let mut open = Vec::new();
    for (id, name) in names.iter().enumerate() {
        peer.send(id as u64, &watch(name));
        open.push(daemon.watched(name));
    }
    assert!(peer.is_served());
    for name in &names {
        daemon.publish(name, &"x".repeat(8_000), HOUR);
        daemon.report(name, Health::Good);
    }
    let mut tokens = 0;
    let mut healths = 0;
    while tokens < 100 || healths < 100 {
        match peer.receive().1 {
            Reply::Token(_) => tokens += 1,
            Reply::Health(_) => healths += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((tokens, healths), (100, 100));
}
