//! How much is measured.

use std::path::PathBuf;
use std::time::Duration;

use super::Case;

/// Which cases, and how long each takes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// In the order of the report.
    pub cases: Vec<Case>,
    /// The program that calls this: it is started again as a server to compare with.
    pub program: PathBuf,
    /// As a person would write it, for the report.
    pub command: String,
    /// Rounds that count; one more goes before.
    pub rounds: usize,
    /// What a server gets of a round. [`Settings::AT_MANY`] times that from [`Settings::MANY`] connections on,
    /// [`Settings::ON_TWO`] times on two processors.
    pub slice: Duration,
    /// The most connections under load.
    pub most_connections: usize,
    /// Connections that do nothing.
    pub idle_connections: usize,
    /// Connections that watch one name.
    pub watchers: usize,
    /// How long an idle daemon is watched.
    pub idle: Duration,
    /// Numbers of warm tenants, each of a daemon of its own.
    pub tenants: Vec<usize>,
    /// How long those are watched.
    pub growth: Duration,
    /// Tenants of the daemon that is flooded.
    pub flooded_tenants: usize,
    /// The command line is built as it is packaged: static, and optimised.
    pub packaged: bool,
}

impl Settings {
    /// Connections that need longer slices: each should have several requests in one.
    pub const MANY: usize = 1_000;

    /// How much longer.
    pub const AT_MANY: u32 = 2;

    /// How much longer slices are on two processors: tails need many requests, and the scheduler has its moods there.
    pub const ON_TWO: u32 = 8;

    /// What the figures in the repository were made with.
    #[must_use]
    pub fn full(program: PathBuf) -> Self {
        Self {
            cases: Case::ALL.to_vec(),
            program,
            command: "cargo run --release -p tokend-tests-bench --bin bench".to_owned(),
            rounds: 41,
            slice: Duration::from_millis(40),
            most_connections: 1_000,
            idle_connections: 10_000,
            watchers: 1_000,
            idle: Duration::from_secs(120),
            tenants: vec![10, 1_000, 10_000],
            growth: Duration::from_secs(450),
            flooded_tenants: 10_000,
            packaged: true,
        }
    }

    /// A moment of everything: it shows that nothing is broken, and no figure of it means anything.
    #[must_use]
    pub fn smoke(program: PathBuf) -> Self {
        Self {
            rounds: 1,
            slice: Duration::from_millis(2),
            most_connections: 64,
            idle_connections: 100,
            watchers: 50,
            idle: Duration::from_millis(200),
            tenants: vec![2, 20],
            growth: Duration::from_secs(2),
            flooded_tenants: 20,
            packaged: false,
            ..Self::full(program)
        }
    }
}
