//! Why a name is as it is, in words: what is done next, and why then.

use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, Explanation, Millis, TokenName};

use super::errors::seconds;
use crate::core::Core;
use crate::core::activity::Activity;
use crate::core::classic::state::{Send, Work, chain_key};
use crate::core::time::Now;
use crate::core::token_state::{Name, TroubleKind};

/// What decides about the next step of a name. Spans in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next<'a> {
    Stopping,
    Secrets,
    /// Waits for its workspace's token, which is or is not in trouble.
    Parent {
        in_trouble: bool,
    },
    Queued {
        per_second: u32,
    },
    Sent,
    /// What its chain is at.
    Chain(&'a str),
    Retry {
        failures: u32,
        wait: u64,
    },
    /// The provider gave the token that was there.
    Unchanged {
        wait: u64,
    },
    Probe {
        wait: u64,
    },
    ParentProbe,
    /// When, as its trouble says.
    Login(&'a str),
    /// Nothing helps but an import.
    Import,
    Forced,
    /// After this share of its life.
    Share {
        percent: u64,
        wait: u64,
    },
    /// So long before its expiry.
    Before {
        before: u64,
        wait: u64,
    },
    LetGo,
    OnDemand,
    Due,
}

impl Core {
    pub(in crate::core) fn explain(&self, now: Now, name: &TokenName) -> Result<Explanation, ErrorReply> {
        let Some(entry) = self.names.get(name) else {
            let message = format!("there is no {name}: no such profile, or no tenant that is in use");
            return Err(ErrorReply { code: ErrorCode::NoSuchName, message, retry_after: None });
        };
        let token = entry.good(now.boot);
        let key = chain_key(&entry.profile);
        let chain = key.as_ref().and_then(|key| self.chains.get(key));
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Explanation {
            status: self.status_of(now, name, entry),
            issued_at: token.map(|token| now.stamp(token.issued)),
            refresh_at: token.map(|token| now.stamp(token.refresh)),
            next: words(self.next(now, name, entry)),
            failures: entry.failures.max(entry.probes),
            forced_again_at: (now.boot < entry.throttle.next).then(|| now.stamp(entry.throttle.next)),
            waiting: count(entry.waiters.len()),
            watching: count(entry.watch.len()),
            chain_age: chain.and_then(|chain| self.chain_age(now, chain)).map(Millis::from),
            logins: key.filter(|key| self.has_login(key)).map(|key| self.login_quota(now, &key)),
        })
    }

    fn next<'a>(&self, now: Now, name: &TokenName, entry: &'a Name) -> Next<'a> {
        match entry.activity {
            Activity::Idle if self.stopping => Next::Stopping,
            Activity::Idle => next_of_idle(now, entry),
            Activity::Secrets => Next::Secrets,
            Activity::Parent => Next::Parent { in_trouble: self.parent_in_trouble(name, entry).is_some() },
            Activity::Queued => Next::Queued { per_second: self.settings.max_requests_per_second.get() },
            Activity::Sent(_) => Next::Sent,
            Activity::Chain => {
                let chain = chain_key(&entry.profile).and_then(|key| self.chains.get(&key));
                Next::Chain(chain.map_or("is at work", |chain| at_work(&chain.work)))
            }
        }
    }
}

fn next_of_idle(now: Now, entry: &Name) -> Next<'_> {
    let wait = entry.retry_at.map(|at| seconds(at.since(now.boot)));
    match (entry.trouble.as_ref().map(|trouble| (trouble.kind, &trouble.message)), wait) {
        (Some((TroubleKind::ChainLost | TroubleKind::ChainEmpty, _)), _) => return Next::Import,
        (Some((TroubleKind::AwaitingLogin, message)), _) => return Next::Login(message),
        (Some((TroubleKind::Rejected, _)), Some(wait)) => return Next::Probe { wait },
        (Some((TroubleKind::ParentRejected, _)), Some(_)) => return Next::ParentProbe,
        (None, Some(wait)) => return Next::Unchanged { wait },
        (_, Some(wait)) => return Next::Retry { failures: entry.failures, wait },
        (_, None) => {}
    }
    let Some(token) = entry.good(now.boot) else {
        return if entry.is_kept() { Next::Due } else { Next::OnDemand };
    };
    let wait = seconds(token.refresh.since(now.boot));
    if entry.forced == Some(token.fingerprint) {
        Next::Forced
    } else if entry.is_classic() {
        Next::Before { before: seconds(token.expires.since(token.refresh)), wait }
    } else if !entry.is_kept() && !entry.reads.seen && entry.reads.unread_at.is_some() {
        Next::LetGo
    } else {
        let life = token.life().max(Duration::from_millis(1));
        let share = token.refresh.since(token.issued).as_secs_f64() / life.as_secs_f64();
        Next::Share { percent: (100.0 * share).round() as u64, wait }
    }
}

fn at_work(work: &Work) -> &'static str {
    match work {
        Work::Idle => "is at work",
        Work::Secrets => "waits for its secrets to be read",
        Work::WritingIntent(Send::Refresh) => "records that its refresh token is about to be used, before it is",
        Work::WritingIntent(Send::Candidate) => "records an import, before it is tried",
        Work::WritingIntent(Send::Login) => "records that a login is about to be made, before it is",
        Work::Queued(_) => "waits for its turn with the provider",
        Work::Rebasing(_) => "records its times again, because the wall clock was stepped",
        Work::Sent(Send::Refresh) => "is being refreshed: the request is on its way",
        Work::Sent(Send::Candidate) => "is being tried after an import: the request is on its way",
        Work::Sent(Send::Login) => "is being begun by a login, which is on its way",
        Work::Keeping(_) => "has a new pair, which is being stored before anybody gets it",
    }
}

fn words(next: Next<'_>) -> String {
    match next {
        Next::Stopping => "nothing: the daemon is stopping".to_owned(),
        Next::Secrets => "its client secret is being read".to_owned(),
        Next::Parent { in_trouble: false } => "it waits for the token of its workspace, which comes first".to_owned(),
        Next::Parent { in_trouble: true } => {
            "it waits for the token of its workspace, whose last request failed and is tried again".to_owned()
        }
        Next::Queued { per_second } => format!(
            "its request waits for its turn: a provider is asked {per_second} times a second at most ([providers] \
             max_requests_per_second)"
        ),
        Next::Sent => "its request is on its way to the provider".to_owned(),
        Next::Chain(what) => format!("its chain {what}"),
        Next::Retry { failures, wait } => format!(
            "it is tried again in {wait} s; {failures} attempts have failed, and the pause grows with each, or is as \
             long as the provider asked for"
        ),
        Next::Unchanged { wait } => format!(
            "it is asked for again in {wait} s: the provider gave the same token again, and will until that token dies"
        ),
        Next::Probe { wait } => format!(
            "the provider refuses the credentials: it is asked again in {wait} s, and at once after a reload; the \
             pause doubles each time, up to an hour"
        ),
        Next::ParentProbe => {
            "the provider refuses the credentials of its workspace, which are tried again first".to_owned()
        }
        Next::Login(message) => message.to_owned(),
        Next::Import => "nothing is sent until somebody imports a new refresh token".to_owned(),
        Next::Forced => "it is renewed at once: somebody has said that this token was refused".to_owned(),
        Next::Share { percent, wait } => format!(
            "it is renewed in {wait} s, after {percent} % of its life: early enough for many attempts, and not at the \
             same moment as others ([refresh] at and jitter)"
        ),
        Next::Before { before, wait } => format!(
            "it is renewed in {wait} s, {before} s before it expires and not earlier: a refresh kills the token that \
             others are using"
        ),
        Next::LetGo => "nobody has read it since its last renewal: it is let go when it expires, unless somebody \
                        reads it before"
            .to_owned(),
        Next::OnDemand => "it is fetched when somebody asks for it".to_owned(),
        Next::Due => "its request is about to be made".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let all = [
            Next::Stopping,
            Next::Secrets,
            Next::Parent { in_trouble: false },
            Next::Parent { in_trouble: true },
            Next::Queued { per_second: 5 },
            Next::Sent,
            Next::Chain(at_work(&Work::Sent(Send::Refresh))),
            Next::Retry { failures: 3, wait: 4 },
            Next::Unchanged { wait: 30 },
            Next::Probe { wait: 300 },
            Next::ParentProbe,
            Next::Login("its next login is allowed in 60 s"),
            Next::Import,
            Next::Forced,
            Next::Share { percent: 70, wait: 5_040 },
            Next::Before { before: 600, wait: 6_600 },
            Next::LetGo,
            Next::OnDemand,
            Next::Due,
        ];
        let told: std::collections::BTreeSet<String> = all.into_iter().map(words).collect();
        assert_eq!(told.len(), all.len());
        for text in told {
            assert!(!text.contains("  ") && !text.contains("::") && !text.ends_with('.'), "{text}");
        }
    }
}
