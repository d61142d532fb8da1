//! Peers that read in a loop, and what they were given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokend_client::{Client, TokenOptions};
use tokend_proto::{Fingerprint, Flags, Reply, Secret};
use tokio::runtime::Builder;

use super::{Peer, World, boot_ms};
use sandbox::{Endpoint, Now};

/// How long a reading peer waits for a token.
const WAIT: Duration = Duration::from_secs(10);

/// Complaints that are kept; a loop that has so many ends.
const ENOUGH: usize = 20;

/// Ends the loops, at the latest when it is dropped: else a test that fails would wait for them for ever.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Ends them when the guard is dropped.
    #[must_use]
    pub fn on_drop(&self) -> StopOnDrop<'_> {
        StopOnDrop(self)
    }

    /// Whether they are to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// See [`Stop::on_drop`].
#[derive(Debug)]
pub struct StopOnDrop<'a>(&'a Stop);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// A token that a peer has just been given.
#[derive(Debug)]
pub struct Given<'a> {
    /// By this name.
    pub name: &'a str,
    /// The token.
    pub token: &'a Secret,
    /// Its fingerprint as the daemon said it.
    pub fingerprint: Fingerprint,
    /// When it expires, on CLOCK_BOOTTIME.
    pub expires_boot_ms: u64,
    /// Whether it was said that it may stop working at any moment.
    pub renewing: bool,
    /// CLOCK_BOOTTIME before it was asked for.
    pub asked_boot_ms: u64,
    /// The provider's time before it was asked for; 0 where the provider is not looked at.
    pub asked: Now,
}

/// What a loop came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// By name.
    pub names: BTreeMap<String, NameTally>,
    /// What should not have happened. Empty if all is well.
    pub complaints: Vec<String>,
}

/// Of one name.
#[derive(Debug, Default)]
pub struct NameTally {
    /// Tokens given.
    pub reads: u64,
    /// Different ones.
    pub tokens: BTreeSet<Fingerprint>,
    /// Given with the warning that they may stop working.
    pub renewing: u64,
    /// Given without it and dead when looked at, because a rotation overtook the reply.
    pub overtaken: u64,
}

impl Tally {
    /// Prints what there is to say, and is content with it.
    ///
    /// # Panics
    /// When there is a complaint, or a name that brought fewer different tokens than this.
    pub fn assert_well(&self, who: &str, tokens: usize) {
        assert!(self.complaints.is_empty(), "{who}: {:#?}", self.complaints);
        for (name, tally) in &self.names {
            let NameTally { reads, tokens: seen, renewing, overtaken } = tally;
            let seen = seen.len();
            println!("{who}: {name}: {reads} reads, {seen} tokens, {renewing} flagged renewing, {overtaken} overtaken");
            assert!(seen >= tokens, "{who}: {name}: {seen} different tokens are fewer than {tokens}");
            assert!(*overtaken <= seen as u64, "{who}: {name}: more reads overtaken than there were tokens");
        }
    }

    fn failed(&mut self, name: &str, why: impl std::fmt::Display) {
        self.complaints.push(format!("{name}: {why}"));
    }

    fn given(&mut self, given: &Given<'_>, world: Option<&World>) {
        let name = self.names.entry(given.name.to_owned()).or_default();
        name.reads += 1;
        name.tokens.insert(given.fingerprint);
        name.renewing += u64::from(given.renewing);
        // Strict, whatever the machine is busy with: it was served after this clock was read.
        if given.expires_boot_ms <= given.asked_boot_ms {
            let late = given.asked_boot_ms - given.expires_boot_ms;
            self.failed(given.name, format!("was given a token that had expired {late} ms before it was asked for"));
        } else if Fingerprint::of(given.token) != given.fingerprint {
            self.failed(given.name, "was given a fingerprint that is not the token's");
        } else if let Some(world) = world {
            match verdict(world, given) {
                Verdict::Accepted => {}
                Verdict::Overtaken => name.overtaken += 1,
                Verdict::Refused(why) => self.failed(given.name, why),
            }
        }
    }
}

enum Verdict {
    Accepted,
    Overtaken,
    Refused(String),
}

/// Whether the provider takes a token that has just been given, and if not, whether anything excuses that.
///
/// A token that was good when it was sent may be dead when it is looked at, in two ways: its life may have ended on the
/// way, on a machine so busy that the rest of it was too short; and a Classic refresh kills the token before it. For
/// the second a token that is flagged is excused. One that is not flagged is excused only if a refresh reached the
/// provider after it was asked for: the daemon stops giving out the old token before it sends a refresh.
fn verdict(world: &World, given: &Given<'_>) -> Verdict {
    let sandbox = world.provider();
    let provider = sandbox.provider();
    let now = sandbox.now();
    if provider.accepts(now, given.token.expose()) || given.renewing {
        return Verdict::Accepted;
    }
    let ended = provider.expires_at(given.token.expose()).is_some_and(|at| given.asked < at && at <= now);
    let rotated = provider.log().of(Endpoint::ClassicRefresh).next_back().is_some_and(|last| last.at >= given.asked);
    if ended || rotated {
        return Verdict::Overtaken;
    }
    let left = given.expires_boot_ms.saturating_sub(boot_ms());
    Verdict::Refused(format!("was given a token that the provider does not take, with {left} ms left to live"))
}

/// Reads the names in turn on a blocking connection, without a pause, until told to stop. With a world each token is
/// shown to its provider.
#[must_use]
pub fn read_frames(socket: &Path, names: &[String], stop: &Stop, world: Option<&World>) -> Tally {
    let mut tally = Tally::default();
    let mut peer = Peer::connect(socket);
    for name in names.iter().cycle() {
        if stop.is_set() || tally.complaints.len() >= ENOUGH {
            break;
        }
        let (asked_boot_ms, asked) = (boot_ms(), world.map_or(0, |world| world.provider().now()));
        match peer.get(name, WAIT) {
            (flags, Reply::Token(token)) => {
                let given = Given {
                    name,
                    token: &token.access_token,
                    fingerprint: token.fingerprint,
                    expires_boot_ms: token.expires_at.boot_ms,
                    renewing: flags.contains(Flags::RENEWING),
                    asked_boot_ms,
                    asked,
                };
                tally.given(&given, world);
            }
            (_, other) => tally.failed(name, format!("{other:?}")),
        }
    }
    tally
}

/// The same with the client crate; `pause` between two reads.
///
/// # Panics
/// When the system gives no runtime.
#[must_use]
pub fn read_with_client(socket: &Path, names: &[String], pause: Duration, stop: &Stop, world: Option<&World>) -> Tally {
    let mut tally = Tally::default();
    let client = Client::builder().socket(socket).build();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = TokenOptions { wait: Some(WAIT), ..TokenOptions::default() };
    for name in names.iter().cycle() {
        if stop.is_set() || tally.complaints.len() >= ENOUGH {
            break;
        }
        let (asked_boot_ms, asked) = (boot_ms(), world.map_or(0, |world| world.provider().now()));
        match runtime.block_on(client.token_with(name, options)) {
            Ok(token) => {
                let given = Given {
                    name,
                    token: token.access_token(),
                    fingerprint: token.fingerprint(),
                    expires_boot_ms: token.expires_at().boot_ms,
                    renewing: token.renewing(),
                    asked_boot_ms,
                    asked,
                };
                tally.given(&given, world);
            }
            Err(error) => tally.failed(name, error),
        }
        if !pause.is_zero() {
            runtime.block_on(async { tokio::time::sleep(pause).await });
        }
    }
    tally
}
