//! A sandbox, a running daemon, and a peer that has its token from one and uses it with the other.

use std::cell::RefCell;
use std::convert::Infallible;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokend_client::Client;
use tokio::process::Command;

use super::DemoError;
use super::error::{causes, tail};
use super::names::{self, Shown, cast};
use harness::stop::Stop;
use harness::{Binaries, Daemon, PATIENCE, Stopwatch, World};
use sandbox::Now;

/// How long a call of the provider's API may take.
const CALL: Duration = Duration::from_secs(10);

/// How long the daemon may take to end: the rest of a rotation on the wire (30 s), then 10 s for its peers.
const FAREWELL: Duration = Duration::from_secs(45);

/// Between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(10);

/// All that is running. The fields are dropped in this order: the daemon ends before its folder goes.
pub struct Stage {
    client: Client,
    http: reqwest::Client,
    daemon: RefCell<Daemon>,
    names: Vec<Shown>,
    since: Now,
    world: World,
}

impl Stage {
    /// Configures all kinds of profiles in a world and starts the daemon there, which logs what `filter` says.
    ///
    /// # Errors
    /// When there is no HTTP client.
    ///
    /// # Panics
    /// When the daemon cannot be started at all.
    pub fn new(world: World, filter: &str) -> Result<Self, DemoError> {
        // The client has no crypto of its own. It does not matter who was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(CALL).build().map_err(DemoError::Http)?;
        names::configure(&world);
        // A group of its own: Ctrl-C is for us, who then end it in order.
        let daemon = Daemon::spawn_with(&world.config(), &world.log(), |command| {
            command.args(["--log", filter]).process_group(0)
        });
        let client = Client::builder().socket(world.socket()).build();
        let (names, since) = (cast(&world.population), world.provider().now());
        let daemon = RefCell::new(daemon);
        Ok(Self { client, http, daemon, names, since, world })
    }

    /// Waits until the daemon takes connections.
    ///
    /// # Errors
    /// When it ends before, or it takes too long.
    pub async fn listening(&self) -> Result<(), DemoError> {
        let watch = Stopwatch::start();
        while watch.elapsed() < PATIENCE {
            self.check()?;
            if UnixStream::connect(self.world.socket()).is_ok() {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(DemoError::DaemonSilent { tail: tail(&self.daemon.borrow().log()) })
    }

    /// Whether the daemon still runs.
    fn check(&self) -> Result<(), DemoError> {
        let mut daemon = self.daemon.borrow_mut();
        if daemon.is_running() { Ok(()) } else { Err(DemoError::DaemonEnded { tail: tail(&daemon.log()) }) }
    }

    /// Returns when the daemon has ended by itself.
    pub(super) async fn running(&self) -> Result<Infallible, DemoError> {
        loop {
            self.check()?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Where all of it is.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Whom it is about.
    #[must_use]
    pub fn names(&self) -> &[Shown] {
        &self.names
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// How long it has been on.
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_millis(self.world.provider().now().saturating_sub(self.since))
    }

    /// Runs `tokenctl`; ended when this is dropped.
    pub(super) async fn tokenctl(&self, arguments: &[&str]) -> Result<Output, DemoError> {
        Command::new(&Binaries::built().tokenctl)
            .args(arguments)
            .env("TOKEND_SOCKET", self.world.socket())
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .output()
            .await
            .map_err(DemoError::Tokenctl)
    }

    /// Calls the provider's API: its status, or why there is none.
    pub(super) async fn call(&self, path: &str, token: &str) -> Result<u16, String> {
        let sent = self.http.get(self.world.provider().url(path)).bearer_auth(token).send().await;
        sent.map(|response| response.status().as_u16()).map_err(|error| causes(&error))
    }

    /// Ends the daemon in order, and everything else with it. A second signal ends it on the spot.
    ///
    /// # Errors
    /// When it did not end by itself, or ended badly.
    pub async fn strike(self, stop: &mut Stop) -> Result<(), DemoError> {
        let Self { client, daemon, .. } = self;
        let mut daemon = daemon.into_inner();
        drop(client);
        if !daemon.is_running() {
            return Ok(());
        }
        daemon.signal(Signal::SIGTERM);
        let ended = tokio::select! {
            _ = stop.next() => false,
            ended = ended(&mut daemon) => ended,
        };
        let log = daemon.log();
        if !ended {
            return Err(DemoError::DaemonStays { tail: tail(&log) });
        }
        if daemon.ended().success() { Ok(()) } else { Err(DemoError::DaemonEnded { tail: tail(&log) }) }
    }
}

async fn ended(daemon: &mut Daemon) -> bool {
    let watch = Stopwatch::start();
    while watch.elapsed() < FAREWELL {
        if !daemon.is_running() {
            return true;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}
