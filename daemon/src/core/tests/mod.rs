//! The core from outside: inputs in, effects out, time as a number.

mod chains;
mod clock;
mod crowd;
mod explain;
mod held;
mod imports;
mod logins;
mod odd_chains;
mod pairs;
mod peers;
mod queue;
mod readings;
mod reload;
mod renewal;
mod secrets;
mod slow_provider;
mod sources;
mod tenants;
mod unchanged;
mod unreadable;
mod watch;

use super::query::{Query, View};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, Fingerprint, Flags, HealthReport, NameStatus, Secret, TokenName, TokenRef};

use super::classic::state::Work;
use super::effect::{Effect, Notice, Outcome};
use super::id::{Asker, WaiterId, WriteId};
use super::input::{Input, Question};
use super::issued::{AccessToken, ReadMode};
use super::provider::{
    Answer, Failure, FailureKind, Grant, PairResponse, ProviderRequest, RefreshToken, RequestId, SecretVersion,
    SecretVersions, TokenResponse,
};
use super::record::{Record, RecordKey, Restored, RestoredContent, Revision};
use super::report::page::{Page, Reader};
use super::settings::{Profile, Settings};
use super::time::{BootId, BootTime, Now, UnixTime};
use super::{Core, fixture};
use crate::access::policy::{Access, PeerIdentity};

/// When the tests begin: the machine has been up for a while.
const START: Now = Now { boot: BootTime(1_000_000), wall: UnixTime(1_790_000_000_000) };

type PendingWrite = (WriteId, RecordKey, Revision, Option<Box<Record>>);

/// A core, its time, and a shell that does at once what is asked of it, unless told otherwise.
struct Rig {
    core: Core,
    now: Now,
    /// Requests that were sent and not answered.
    sent: Vec<ProviderRequest>,
    /// All requests ever sent, with their times.
    log: Vec<(BootTime, ProviderRequest)>,
    token_cache: BTreeMap<String, (Arc<AccessToken>, ReadMode)>,
    outcomes: BTreeMap<WaiterId, Outcome>,
    disk: BTreeMap<RecordKey, (Revision, Record)>,
    /// Writes fail with this.
    disk_fault: Option<&'static str>,
    /// Writes wait here instead of becoming durable.
    slow_disk: Option<Vec<PendingWrite>>,
    secrets: SecretVersions,
    /// How often secrets were read.
    readings: usize,
    /// Each reading brings another client secret.
    changing_secret: bool,
    read: bool,
    notices: Vec<Notice>,
    condemned: Vec<Fingerprint>,
    /// What watchers were told.
    told: Vec<HealthReport>,
    tokens: u64,
    waiters: u64,
}

impl Rig {
    fn new(profiles: &[Profile]) -> Self {
        Self::with_disk(profiles, BTreeMap::new(), START, BootId([1; 16]))
    }

    fn with_disk(
        profiles: &[Profile],
        disk: BTreeMap<RecordKey, (Revision, Record)>,
        now: Now,
        boot_id: BootId,
    ) -> Self {
        Self::restored(profiles, disk, RestoredContent::Newest, now, boot_id)
    }

    /// Started with what is on the disk, every record of it read this well.
    fn restored(
        profiles: &[Profile],
        disk: BTreeMap<RecordKey, (Revision, Record)>,
        read: impl Fn(Record) -> RestoredContent,
        now: Now,
        boot_id: BootId,
    ) -> Self {
        let content = |(key, (revision, record)): (&RecordKey, &(Revision, Record))| Restored {
            key: key.clone(),
            revision: *revision,
            content: read(record.clone()),
        };
        let restored = disk.iter().map(content).collect();
        let mut rig = Self {
            core: Core::new(now, boot_id, 7, restored),
            now,
            sent: Vec::new(),
            log: Vec::new(),
            token_cache: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            disk,
            disk_fault: None,
            slow_disk: None,
            secrets: SecretVersions {
                client_secrets: vec![SecretVersion(1)],
                password: Some(SecretVersion(100)),
                problems: Vec::new(),
            },
            readings: 0,
            changing_secret: false,
            read: false,
            notices: Vec::new(),
            condemned: Vec::new(),
            told: Vec::new(),
            tokens: 0,
            waiters: 0,
        };
        rig.configure(profiles);
        rig
    }

    /// The daemon is killed and started again `down` later, in the same boot or in another.
    fn restart(self, profiles: &[Profile], down: Duration, reboot: bool) -> Self {
        let wall = UnixTime(self.now.wall.0 + i64::try_from(down.as_millis()).expect("short"));
        let (boot, boot_id) = if reboot {
            (BootTime(5_000), another(self.core.boot_id))
        } else {
            (self.now.boot + down, self.core.boot_id)
        };
        let mut rig = Self::with_disk(profiles, self.disk, Now { boot, wall }, boot_id);
        rig.tokens = self.tokens + 1000;
        rig
    }

    /// Killed and started again at once, with other secrets.
    fn restart_with(self, profiles: &[Profile], secrets: SecretVersions) -> Self {
        let (now, boot_id, tokens) = (self.now, self.core.boot_id, self.tokens + 1000);
        let mut rig = Self::with_disk(&[], self.disk, now, boot_id);
        rig.tokens = tokens;
        rig.secrets = secrets;
        rig.configure(profiles);
        rig
    }

    fn configure(&mut self, profiles: &[Profile]) {
        self.configure_with(fixture::settings(profiles));
    }

    fn configure_with(&mut self, settings: Settings) {
        self.handle(Input::Configure(Arc::new(settings)));
    }

    fn handle(&mut self, input: Input) {
        self.core.handle(self.now, input);
        while let Some(effect) = self.core.poll_effect() {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(request) => {
                self.log.push((self.now.boot, request.clone()));
                self.sent.push(request);
            }
            Effect::ReadSecrets(profile) => {
                self.readings += 1;
                let mut versions = self.secrets.clone();
                if self.changing_secret {
                    versions.client_secrets = vec![SecretVersion(1000 + self.readings as u64)];
                }
                self.core.handle(self.now, Input::Secrets { profile, versions });
            }
            Effect::Write { write, key, replaces, record } => match &mut self.slow_disk {
                Some(waiting) => waiting.push((write, key, replaces, record)),
                None => self.store(write, key, replaces, record),
            },
            Effect::Publish { name, token, mode } => {
                assert!(token.expires > self.now.boot, "{name}: an expired token was published");
                self.token_cache.insert(name.to_string(), (token, mode));
            }
            Effect::Withdraw(name) => drop(self.token_cache.remove(&name.to_string())),
            Effect::AskLastRead(name) => {
                let at = self.read.then_some(self.now.boot);
                self.core.handle(self.now, Input::LastRead { name, at });
            }
            Effect::Answer { waiter, outcome } => {
                let before = self.outcomes.insert(waiter, outcome);
                assert!(before.is_none(), "{waiter:?} was answered twice");
            }
            Effect::Notice(notice) => self.notices.push(notice),
            Effect::Invalidate(token) => self.condemned.push(token),
            Effect::Health { report, .. } => self.told.push(report),
            Effect::Directory { .. } => {}
        }
    }

    fn store(&mut self, write: WriteId, key: RecordKey, replaces: Revision, record: Option<Box<Record>>) {
        let result = match self.disk_fault {
            Some(fault) => Err(fault.to_owned()),
            None => {
                let there = self.disk.get(&key).map(|(revision, _)| *revision).unwrap_or_default();
                assert_eq!(there, replaces, "{key:?}: a write that the store would refuse");
                match record {
                    Some(record) => drop(self.disk.insert(key, (Revision(replaces.0 + 1), *record))),
                    None => drop(self.disk.remove(&key)),
                }
                Ok(())
            }
        };
        self.core.handle(self.now, Input::Written { write, result });
    }

    /// What waits for the slow disk becomes durable.
    fn flush(&mut self) {
        for (write, key, replaces, record) in self.slow_disk.take().unwrap_or_default() {
            self.store(write, key, replaces, record);
        }
        self.handle(Input::Tick);
    }

    /// Time passes; the core is woken whenever it wants to be.
    fn pass(&mut self, span: Duration) {
        let end = self.now.boot + span;
        let mut wakes = 0;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= end) {
            wakes += 1;
            assert!(wakes < 100_000, "the core does not come to rest: it wants to be woken at {at:?} again and again");
            self.set_time(at.max(self.now.boot));
            self.handle(Input::Tick);
        }
        self.set_time(end);
        self.handle(Input::Tick);
    }

    fn set_time(&mut self, boot: BootTime) {
        let ahead = i64::try_from(boot.since(self.now.boot).as_millis()).expect("short");
        self.now = Now { boot, wall: UnixTime(self.now.wall.0 + ahead) };
    }

    /// Answers the oldest request that is open.
    fn answer(&mut self, answer: Answer) -> ProviderRequest {
        assert!(!self.sent.is_empty(), "nothing was sent");
        let request = self.sent.remove(0);
        self.answer_to(request.id, answer);
        request
    }

    fn answer_to(&mut self, request: RequestId, answer: Answer) {
        self.sent.retain(|sent| sent.id != request);
        self.handle(Input::Answered { request, answer });
    }

    /// Answers the oldest request with a new token of this life.
    fn grant(&mut self, life: i64) -> ProviderRequest {
        let request = self.sent.first().expect("nothing was sent").clone();
        let answer = self.good_answer(&request, life);
        self.answer(answer)
    }

    /// Answers every request with a new token as time passes, for as long as `span`.
    fn provider_is_up(&mut self, span: Duration, life: i64) {
        let end = self.now.boot + span;
        while self.now.boot < end {
            while !self.sent.is_empty() {
                self.grant(life);
            }
            let next = self.core.poll_timeout().unwrap_or(end).clamp(self.now.boot + Duration::from_millis(1), end);
            self.pass(next.since(self.now.boot));
        }
    }

    fn fail(&mut self, kind: FailureKind) -> ProviderRequest {
        self.answer(failed(kind, None))
    }

    fn token(&mut self, life: i64) -> TokenResponse {
        self.tokens += 1;
        let n = self.tokens;
        TokenResponse {
            access_token: Secret::new(format!("access-{n}")),
            token_type: "Bearer".into(),
            expires_in: Some(life),
            warnings: Vec::new(),
        }
    }

    /// What a provider answers to this request: a new token, of Classic a new pair.
    fn good_answer(&mut self, request: &ProviderRequest, life: i64) -> Answer {
        let access = self.token(life);
        match request.grant {
            Grant::Refresh { .. } | Grant::Login { .. } => {
                let refresh_token = RefreshToken::New(Secret::new(format!("refresh-{}", self.tokens)));
                Answer::Pair(PairResponse { access: Some(access), refresh_token, warnings: Vec::new() })
            }
            _ => Answer::Token(access),
        }
    }

    /// All tenants, in one part.
    fn tenants(&mut self, profile: &str) -> WaiterId {
        self.ask(tenants_of(profile))
    }

    fn ask(&mut self, question: Question) -> WaiterId {
        self.ask_as(1000, question)
    }

    fn ask_as(&mut self, uid: u32, question: Question) -> WaiterId {
        self.waiters += 1;
        let waiter = WaiterId(self.waiters);
        let asker = Asker { uid, superuser: uid == 0 };
        self.handle(Input::Ask { waiter, asker, question });
        waiter
    }

    fn get(&mut self, name: &str) -> WaiterId {
        self.get_with(name, secs(0), secs(10))
    }

    fn get_with(&mut self, name: &str, min_ttl: Duration, wait: Duration) -> WaiterId {
        self.ask(Question::Get { name: token_name(name), min_ttl, wait })
    }

    fn reject(&mut self, name: &str, token: &str) -> WaiterId {
        let fingerprint = tokend_proto::Fingerprint::of(&Secret::from(token));
        self.ask(Question::Reject { name: token_name(name), fingerprint, min_ttl: secs(0) })
    }

    fn import(&mut self, profile: &str, refresh_token: &str) -> WaiterId {
        let profile = profile.parse().expect("a profile");
        self.ask(Question::Import { profile, refresh_token: Secret::from(refresh_token) })
    }

    /// The token that a waiter was given.
    fn given(&self, waiter: WaiterId) -> &str {
        match self.outcome(waiter) {
            Outcome::Token { token, .. } => token.access_token.expose(),
            other => panic!("no token: {other:?}"),
        }
    }

    fn flags(&self, waiter: WaiterId) -> Flags {
        match self.outcome(waiter) {
            Outcome::Token { flags, .. } => *flags,
            other => panic!("no token: {other:?}"),
        }
    }

    fn error(&self, waiter: WaiterId) -> &ErrorReply {
        match self.outcome(waiter) {
            Outcome::Error(error) => error,
            other => panic!("no error: {other:?}"),
        }
    }

    fn code(&self, waiter: WaiterId) -> ErrorCode {
        self.error(waiter).code
    }

    fn outcome(&self, waiter: WaiterId) -> &Outcome {
        self.outcomes.get(&waiter).expect("not answered yet")
    }

    fn is_waiting(&self, waiter: WaiterId) -> bool {
        !self.outcomes.contains_key(&waiter)
    }

    /// What the token cache serves under this name.
    fn token_cache(&self, name: &str) -> Option<(&str, ReadMode)> {
        self.token_cache.get(name).map(|(token, mode)| (token.access_token.expose(), *mode))
    }

    fn left(&self, name: &str) -> Duration {
        self.token_cache[name].0.left(self.now.boot)
    }

    fn status(&mut self, name: &str) -> NameStatus {
        match self.core.query(self.now, &Query::StatusOf { name: token_name(name) }) {
            Ok(View::Status(part)) => part.entries.into_iter().next().expect("no such name"),
            other => panic!("no status: {other:?}"),
        }
    }

    fn requests(&self) -> usize {
        self.log.len()
    }
}

/// Of someone who may read everything.
fn page<K>(after: Option<K>, room: usize) -> Box<Page<K>> {
    let reader = Reader { access: Arc::new(Access::new(Vec::new(), 990)), peer: PeerIdentity::default() };
    Box::new(Page { reader, after, room })
}

fn tenants_of(profile: &str) -> Question {
    Question::Tenants { profile: profile.parse().expect("a profile"), page: page(None, 100) }
}

fn another(boot_id: BootId) -> BootId {
    BootId(boot_id.0.map(|byte| byte + 1))
}

fn failed(kind: FailureKind, retry_after: Option<Duration>) -> Answer {
    Answer::Failed(Failure { kind, retry_after, message: format!("{kind:?} it was") })
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn token_name(text: &str) -> TokenName {
    text.parse::<TokenRef>().expect("a name").canonical().expect("an id")
}

fn refresh_token_of(request: &ProviderRequest) -> &str {
    match &request.grant {
        Grant::Refresh { refresh_token, .. } => refresh_token.expose(),
        other => panic!("not a refresh: {other:?}"),
    }
}
