//! The file store as a whole. Each test has a folder of its own.

mod crashes;
mod damage;
mod folder;
mod leftovers;
pub(super) mod power;
mod power_cuts;
mod round_trips;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokend_proto::{Fingerprint, Secret};

use super::file::Shelf;
use super::{Loaded, StateKey, StoreError};
use crate::core::record::*;
use crate::core::time::{BootId, DurableTime, UnixTime};

type Rule = Box<dyn FnMut(&str, &str) -> io::Result<()> + Send>;

/// Lets steps on the disk fail, and notes them.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    steps: Vec<String>,
    rule: Option<Rule>,
}

impl Fault {
    pub(super) fn step(&self, doing: &str, name: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let extension = name.rfind('.').map_or(name, |dot| &name[dot..]);
        state.steps.push(format!("{doing} {extension}"));
        state.rule.as_mut().map_or(Ok(()), |rule| rule(doing, extension))
    }

    /// Asked before each step from now on.
    fn set(&self, rule: impl FnMut(&str, &str) -> io::Result<()> + Send + 'static) {
        self.0.lock().unwrap().rule = Some(Box::new(rule));
    }

    fn clear(&self) {
        *self.0.lock().unwrap() = State::default();
    }

    fn steps(&self) -> Vec<String> {
        self.0.lock().unwrap().steps.clone()
    }
}

fn mark(boot: i64) -> DurableTime {
    DurableTime { boot, wall: UnixTime(-1_700_000_000_000), boot_id: BootId([7; 16]) }
}

fn chain_key() -> ChainKey {
    ChainKey {
        profile: "legacy".parse().unwrap(),
        gateway: "https://apigw.example.net".to_owned(),
        client_id: "client\u{1f511}\"\n".to_owned(),
    }
}

fn key() -> RecordKey {
    RecordKey::Chain(chain_key())
}

fn candidate_key() -> RecordKey {
    RecordKey::Candidate(chain_key())
}

fn quota_key() -> RecordKey {
    RecordKey::Quota(QuotaKey { gateway: "https://apigw.example.net".to_owned(), client_id: "c".to_owned() })
}

/// A chain of the same client as the quota.
fn chain_of_login() -> RecordKey {
    let RecordKey::Quota(QuotaKey { gateway, client_id }) = quota_key() else { unreachable!() };
    RecordKey::Chain(ChainKey { gateway, client_id, ..chain_key() })
}

/// A settled chain that differs by its tokens.
fn settled(token: &str) -> Record {
    Record::Chain(ChainRecord {
        state: ChainState::Settled,
        refresh_token: Some(Secret::new(format!("refresh-{token}"))),
        access: Some(AccessRecord {
            token: Secret::new(format!("access-{token}")),
            token_type: "bearer".to_owned(),
            life: Duration::from_millis(7_199_999),
            issued: None,
        }),
        rotated: Some(mark(5)),
        imported: Some(Fingerprint::from_bytes([3; 16])),
        reply_lost: false,
    })
}

/// The same with its token on the wire.
fn in_flight(token: &str) -> Record {
    let Record::Chain(chain) = settled(token) else { unreachable!() };
    let sent = Fingerprint::of(chain.refresh_token.as_ref().unwrap());
    Record::Chain(ChainRecord { state: ChainState::InFlight { since: mark(6), sent }, ..chain })
}

fn candidate() -> Record {
    candidate_of("imported")
}

fn candidate_of(token: &str) -> Record {
    Record::Candidate(CandidateRecord { refresh_token: Secret::from(token), since: mark(9) })
}

fn quota(outcome: LoginOutcome) -> Record {
    Record::Quota(QuotaRecord { attempts: vec![LoginAttempt { at: mark(1), outcome }] })
}

fn state_key(digit: &str) -> StateKey {
    StateKey::parse(&Secret::new(digit.repeat(64))).unwrap()
}

fn open(folder: &Path) -> Shelf {
    open_sealed(folder, None)
}

fn open_sealed(folder: &Path, seal: Option<StateKey>) -> Shelf {
    let mut shelf = Shelf::open(folder, seal).unwrap();
    shelf.load().unwrap();
    shelf
}

fn load(folder: &Path) -> Result<Loaded, StoreError> {
    Shelf::open(folder, None)?.load()
}

/// The content of the only record, and what was said about it.
fn load_only(folder: &Path) -> (Option<RestoredContent>, Vec<String>) {
    let Loaded { mut records, problems, .. } = load(folder).unwrap();
    assert!(records.len() <= 1, "{records:?}");
    (records.pop().map(|restored| restored.content), problems)
}

fn write_all(shelf: &mut Shelf, key: &RecordKey, records: &[Record]) {
    for (revision, record) in (0..).zip(records) {
        shelf.write(key, Revision(revision), Some(record)).unwrap();
    }
}

/// The names in the folder but the lock's, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name != "lock").collect();
    names.sort();
    names
}

/// The extensions of those names.
fn extensions(folder: &Path) -> Vec<String> {
    names(folder).iter().map(|name| name[name.rfind('.').unwrap()..].to_owned()).collect()
}

/// The only file with this extension.
fn file(folder: &Path, extension: &str) -> std::path::PathBuf {
    let mut found: Vec<_> = names(folder).into_iter().filter(|name| name.ends_with(extension)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    folder.join(found.remove(0))
}
