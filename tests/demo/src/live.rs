//! Renewals as a peer notices them: it asks the daemon for a token before each call, and now and then it is a new one.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use tokend_client::{Fingerprint, Token};

use super::names::Shown;
use super::out::Tone;
use super::table::short;
use super::{DemoError, Out, Stage};

/// Between a peer's calls.
const PACE: Duration = Duration::from_millis(250);

/// What a peer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// New tokens.
    pub renewals: u64,
    /// Calls of the API.
    pub calls: u64,
    /// Calls that were not answered by 200, or for which there was no token.
    pub refused: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { renewals, calls, refused } = self;
        write!(f, "{renewals} renewals, {calls} API calls, {refused} of them refused.")
    }
}

/// What the peer holds of one name.
#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// Issued with it, of a Classic token: known from the provider, as the daemon gives it to nobody.
    refresh_token: Option<String>,
    trouble: Option<String>,
}

/// A peer of every name.
pub struct Live<'a> {
    stage: &'a Stage,
    held: Vec<Held>,
}

impl<'a> Live<'a> {
    /// A peer that holds nothing yet.
    pub fn new(stage: &'a Stage) -> Self {
        let held = stage.names().iter().map(|_| Held::default()).collect();
        Self { stage, held }
    }

    /// Calls the API with every name's token at a steady pace, for ever, and writes a line for each new token.
    ///
    /// # Errors
    /// When the daemon has ended or nothing can be written.
    pub async fn watch(mut self, out: &mut Out, tally: &mut Tally) -> Result<(), DemoError> {
        let stage = self.stage;
        tokio::select! {
            ended = stage.running() => ended.map(|never| match never {}),
            turns = self.turns(out, tally) => turns.map(|never| match never {}),
        }
    }

    async fn turns(&mut self, out: &mut Out, tally: &mut Tally) -> Result<Infallible, DemoError> {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            for index in 0..self.held.len() {
                self.turn(index, out, tally).await?;
            }
        }
    }

    /// One call with one name's token.
    async fn turn(&mut self, index: usize, out: &mut Out, tally: &mut Tally) -> Result<(), DemoError> {
        let shown = &self.stage.names()[index];
        let held = &mut self.held[index];
        tally.calls += 1;
        let trouble = match use_token(self.stage, shown).await {
            Ok(token) => {
                let old = held.token.as_ref().filter(|old| old.fingerprint() != token.fingerprint());
                if let Some(old) = old {
                    tally.renewals += 1;
                    let dead = match shown.rotates {
                        true => old_pair(self.stage, shown, old, held.refresh_token.as_deref()).await,
                        false => String::new(),
                    };
                    let good = out.paint("API 200", Tone::Good);
                    let change = line(self.stage, shown, old.fingerprint(), token.fingerprint());
                    out.line(&format!("{change}  {good}{dead}"))?;
                }
                if shown.rotates && (old.is_some() || held.token.is_none()) {
                    held.refresh_token = self.stage.world().provider().provider().refresh_token_beside(token.secret());
                }
                held.token = Some(token);
                None
            }
            Err(why) => {
                tally.refused += 1;
                Some(why)
            }
        };
        if let Some(why) = trouble.as_ref().filter(|why| held.trouble.as_ref() != Some(why)) {
            let at = moment(self.stage);
            let why = out.paint(why, Tone::Bad);
            out.line(&format!("{at}  {}  {why}", padded(self.stage, shown)))?;
        }
        held.trouble = trouble;
        Ok(())
    }
}

/// The token with which a call was answered 200. A token that is refused is named to the daemon, and the call made once
/// more with what it has then: a Classic renewal may have come between the two steps.
async fn use_token(stage: &Stage, shown: &Shown) -> Result<Token, String> {
    let words = |error: tokend_client::Error| super::error::causes(&error);
    let mut token = stage.client().token(&shown.name).await.map_err(words)?;
    let mut status = stage.call(&shown.path, token.secret()).await?;
    if status == 401 {
        token = stage.client().reject(&token).await.map_err(words)?;
        status = stage.call(&shown.path, token.secret()).await?;
    }
    if status == 200 { Ok(token) } else { Err(format!("API {status} for {}", short(token.fingerprint()))) }
}

/// What the provider says to the pair of tokens that was replaced.
async fn old_pair(stage: &Stage, shown: &Shown, access: &Token, refresh: Option<&str>) -> String {
    let access = match stage.call(&shown.path, access.secret()).await {
        Ok(status) => format!(" (old token {status}"),
        Err(why) => format!(" (old token: {why}"),
    };
    let provider = stage.world().provider();
    let now = provider.now();
    match refresh.map(|token| provider.provider().can_refresh(now, token)) {
        Some(true) => access + ", old refresh token alive)",
        Some(false) => access + ", old refresh token dead)",
        None => access + ")",
    }
}

fn line(stage: &Stage, shown: &Shown, old: Fingerprint, new: Fingerprint) -> String {
    format!("{}  {}  {} → {}", moment(stage), padded(stage, shown), short(old), short(new))
}

/// A name as wide as the widest.
fn padded(stage: &Stage, shown: &Shown) -> String {
    let width = stage.names().iter().map(|other| other.name.chars().count()).max().unwrap_or(0);
    format!("{:<width$}", shown.name)
}

fn moment(stage: &Stage) -> String {
    format!("{:>7.1} s", stage.elapsed().as_secs_f64())
}
