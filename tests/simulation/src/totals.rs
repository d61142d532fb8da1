//! What a run, or many of them, came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Sums over runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Runs.
    pub runs: u64,
    /// Virtual time, in milliseconds.
    pub time: u64,
    /// Inputs to the core.
    pub inputs: u64,
    /// Effects carried out.
    pub effects: u64,
    /// Ends of the daemon without a warning.
    pub crashes: u64,
    /// Orderly ends.
    pub stops: u64,
    /// Crashes and power cuts with another boot.
    pub reboots: u64,
    /// Times that the machine slept.
    pub sleeps: u64,
    /// Steps of the wall clock.
    pub steps: u64,
    /// Faults and misfortunes, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Requests, by what was asked.
    pub requests: BTreeMap<&'static str, u64>,
    /// New tokens published.
    pub renewals: u64,
    /// Tokens given to peers.
    pub served: u64,
    /// Errors given to peers.
    pub refused: u64,
    /// Questions that the access rules denied.
    pub denied: u64,
    /// The least life that a token had when it was given to a peer.
    pub least_life: Option<Duration>,
    /// The same, in calm weather and of names that are always kept fresh.
    pub least_life_in_calm: Option<Duration>,
    /// Chains that went dead, by what really happened to them.
    pub lost: BTreeMap<&'static str, u64>,
    /// Logins that brought a token.
    pub logins: u64,
    /// How often a rule that has to wait for its case had something to judge.
    pub judged: BTreeMap<&'static str, u64>,
    /// The most of what is bounded by the hour.
    pub most: BTreeMap<&'static str, u64>,
    /// Times that calm weather was found to have healed everything.
    pub healed: u64,
    /// Stands for everything that happened.
    pub digest: u64,
}

impl Totals {
    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        let Self { runs, time, inputs, effects, crashes, stops, reboots, sleeps, steps, renewals, served, .. } = other;
        self.runs += runs;
        self.time += time;
        self.inputs += inputs;
        self.effects += effects;
        self.crashes += crashes;
        self.stops += stops;
        self.reboots += reboots;
        self.sleeps += sleeps;
        self.steps += steps;
        self.renewals += renewals;
        self.served += served;
        self.refused += other.refused;
        self.denied += other.denied;
        self.logins += other.logins;
        self.healed += other.healed;
        self.digest = self.digest.wrapping_add(other.digest);
        for (mine, theirs) in [
            (&mut self.faults, &other.faults),
            (&mut self.requests, &other.requests),
            (&mut self.lost, &other.lost),
            (&mut self.judged, &other.judged),
        ] {
            for (what, count) in theirs {
                *mine.entry(what).or_default() += count;
            }
        }
        for (what, count) in &other.most {
            let most = self.most.entry(what).or_default();
            *most = (*most).max(*count);
        }
        let least = |a: Option<Duration>, b: Option<Duration>| a.into_iter().chain(b).min();
        self.least_life = least(self.least_life, other.least_life);
        self.least_life_in_calm = least(self.least_life_in_calm, other.least_life_in_calm);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let years = self.time as f64 / (365.25 * 86_400_000.0);
        let list = |map: &BTreeMap<&'static str, u64>| {
            let items: Vec<String> = map.iter().map(|(what, count)| format!("{what} {count}")).collect();
            if items.is_empty() { "none".to_owned() } else { items.join(", ") }
        };
        let life =
            |life: Option<Duration>| life.map_or_else(|| "-".to_owned(), |l| format!("{:.1} s", l.as_secs_f64()));
        writeln!(f, "runs                 {}", self.runs)?;
        writeln!(f, "virtual years        {years:.2}")?;
        writeln!(f, "inputs, effects      {}, {}", self.inputs, self.effects)?;
        writeln!(
            f,
            "crashes              {} ({} with a reboot), orderly ends {}",
            self.crashes, self.reboots, self.stops
        )?;
        writeln!(f, "sleeps, clock steps  {}, {}", self.sleeps, self.steps)?;
        writeln!(f, "faults               {}", list(&self.faults))?;
        writeln!(f, "requests             {}", list(&self.requests))?;
        writeln!(f, "renewals             {}, logins {}", self.renewals, self.logins)?;
        writeln!(f, "tokens served        {}, errors {}, denied {}", self.served, self.refused, self.denied)?;
        writeln!(
            f,
            "least life served    {} (in calm weather, of names kept fresh: {})",
            life(self.least_life),
            life(self.least_life_in_calm)
        )?;
        writeln!(f, "chains gone dead     {}", list(&self.lost))?;
        writeln!(f, "judged               {}", list(&self.judged))?;
        writeln!(f, "most                 {}", list(&self.most))?;
        writeln!(f, "healed in calm       {} times", self.healed)?;
        write!(f, "digest               {:016x}", self.digest)
    }
}
