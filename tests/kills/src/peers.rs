//! Peers that only read: each a thread with one client, which nobody tells that the daemon was killed.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokend::os::clock::Clock;
use tokend_client::{Client, ErrorCode, Fingerprint, Token, TokenOptions};

use harness::World;
use sandbox::Now;

/// How long a peer waits for a token: longer than a start, a login and a busy machine together take.
const BUDGET: Duration = Duration::from_secs(30);

/// What the daemon says of a token whose last moments went by while the machine was busy with others.
const DIED_ON_THE_WAY: &str = "the token expired before it could be sent";

/// Between two tokens of one peer.
const PAUSE: Duration = Duration::from_millis(25);

/// Of what should not have happened so much is kept: peers would go on meeting with it.
const MOST_VIOLATIONS: usize = 50;

/// What all peers of a world have met with.
#[derive(Default)]
pub(super) struct Sightings {
    /// Which life of the daemon this is, from 1 on.
    pub(super) life: AtomicU64,
    stop: AtomicBool,
    reading: AtomicU64,
    met: Mutex<Met>,
}

/// What there is to tell.
#[derive(Default)]
pub(super) struct Met {
    /// The last life in which a name's token was asked for, given without a flag, and taken by the provider.
    worked: BTreeMap<String, u64>,
    pub(super) seen: HashSet<Fingerprint>,
    /// Errors with what only a Classic chain can come to, by name and life.
    pub(super) chain_errors: BTreeMap<(String, u64), String>,
    /// What should not have happened.
    pub(super) violations: Vec<String>,
    pub(super) read: u64,
    pub(super) flagged_dead: u64,
    pub(super) overtaken: u64,
    /// Calls at whose end, after the whole wait, there was no daemon.
    pub(super) waited_in_vain: u64,
}

impl Met {
    fn violation(&mut self, what: String) {
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(what);
        }
    }
}

impl Sightings {
    pub(super) fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a peer has had a working token of this name in this life.
    pub(super) fn works(&self, name: &str) -> bool {
        self.met().worked.get(name) == Some(&self.life.load(Ordering::SeqCst))
    }

    /// Tells the peers to end after what they are at.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether they have.
    pub(super) fn all_ended(&self) -> bool {
        self.reading.load(Ordering::SeqCst) == 0
    }

    /// Reads this name until the test stops it.
    pub(super) fn read(&self, world: &World, name: &str) {
        self.reading.fetch_add(1, Ordering::SeqCst);
        self.read_on(world, name);
        self.reading.fetch_sub(1, Ordering::SeqCst);
    }

    fn read_on(&self, world: &World, name: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let clock = Clock::new();
            let client = Client::builder().socket(world.socket()).wait_for_daemon(true).build();
            while !self.stop.load(Ordering::SeqCst) {
                let life = self.life.load(Ordering::SeqCst);
                let (asked, asked_boot) = (world.provider().now(), clock.boot());
                let options = TokenOptions { wait: Some(BUDGET), ..TokenOptions::default() };
                match client.token_with(name, options).await {
                    Ok(token) if token.remaining(asked_boot.0).is_zero() => {
                        self.met().violation(format!("{name}: was given a token that had expired: {token:?}"));
                    }
                    Ok(token) => self.judge(world, &clock, life, asked, &token),
                    Err(error) => match error.code() {
                        Some(ErrorCode::ChainEmpty | ErrorCode::ChainLost | ErrorCode::AwaitingLogin) => {
                            self.met().chain_errors.insert((name.to_owned(), life), error.to_string());
                        }
                        // Every daemon in all that time was killed before it had a token: `Scenario::settle` holds
                        // those that are not.
                        None if clock.boot().since(asked_boot) >= BUDGET => self.met().waited_in_vain += 1,
                        Some(ErrorCode::Unavailable) if error.to_string().contains(DIED_ON_THE_WAY) => {
                            self.met().overtaken += 1;
                        }
                        _ => self.met().violation(format!("{name}, in life {life}: {error:?}")),
                    },
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Whether a token is as good as it seemed when it was given.
    fn judge(&self, world: &World, clock: &Clock, life: u64, asked: Now, token: &Token) {
        let sandbox = world.provider();
        let (accepted, rotated) = {
            let provider = sandbox.provider();
            let log = provider.log();
            let since = log.entries().rev().take_while(|entry| entry.at >= asked);
            let rotated = since.filter(|entry| entry.endpoint.is_classic_grant()).any(|entry| entry.issued.is_some());
            (provider.accepts(sandbox.now(), token.secret()), rotated)
        };
        let expired = token.remaining(clock.boot().0).is_zero();
        let mut met = self.met();
        met.read += 1;
        met.seen.insert(token.fingerprint());
        match (accepted, token.renewing()) {
            (true, false) => {
                met.worked.insert(token.name().to_owned(), life);
            }
            (true, true) => {}
            (false, true) => met.flagged_dead += 1,
            (false, false) if rotated || expired => met.overtaken += 1,
            (false, false) => met.violation(format!("life {life}: the provider does not take {token:?}")),
        }
    }
}
