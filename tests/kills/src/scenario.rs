//! One world: its lives, its kills, its settling.

use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokend::log::LogFormat;
use tokend_client::{Client, ErrorCode, Health, Secret};
use tokio::runtime::Runtime;

use super::classic::{Classic, Cure};
use super::disk::Disk;
use super::ledger::{Ledger, Life};
use super::peers::Sightings;
use super::report::Report;
use super::rng::Rng;
use super::snapshot::Snapshot;
use harness::{Daemon, PATIENCE, World, until, within};
use sandbox::{Endpoint, Fault, FaultRule, Lives, Now, Population};

/// Names that need nobody's help.
const CENTRAL: &str = "campus";
const GLP: &str = "msp";

/// Of 10 lives so many end while the daemon starts.
const IN_START_UP: u64 = 2;
/// Of 10 others so many end a moment after a refresh.
const AFTER_REFRESH: u64 = 6;
/// Of 10 imports so many are cut off.
const AMID_IMPORT: u64 = 4;

/// Of 10 daemons that have settled so many are told to reload shortly before they are killed.
const RELOADED: u64 = 4;
/// And so often at most.
const MOST_RELOADS: u64 = 3;

/// With one kill in so many the power fails.
const POWER_CUT: u64 = 3;

/// Between two looks at how the names are doing.
const LOOK: Duration = Duration::from_millis(20);

/// Why a world ends before its time. What it was is among the violations.
struct Broken;

/// How a life goes on when all is well.
enum Settled {
    /// Every name works.
    Well,
    /// An import was begun, and its moment has come.
    AmidImport,
}

struct Scenario<'w> {
    world: &'w World,
    log: LogFormat,
    disk: Option<Disk>,
    sightings: &'w Sightings,
    rng: Rng,
    runtime: Runtime,
    classics: Vec<Classic>,
    ledger: Ledger,
    report: Report,
}

/// Runs one world for so many kills.
pub(super) fn run(seed: u64, kills: u64, log: LogFormat) -> Report {
    let world = World::new(seed);
    let mut rng = Rng::new(seed);
    let mut life = || 2 + rng.below(3);
    let lives = Lives { central: life(), glp: life(), tenant: life(), classic: life(), ..Lives::default() };
    {
        let mut provider = world.provider().provider();
        provider.set_lives(lives);
        for delay in [25, 80, 140, 200] {
            let rule = FaultRule::new(Fault::Delay(delay)).at(Endpoint::ClassicRefresh).at(Endpoint::ClassicCode);
            provider.add_fault(rule.chance(0.2));
        }
    }
    let mut ledger = Ledger::default();
    let kinds =
        [("signs-in-a", Cure::Login), ("signs-in-b", Cure::Login), ("fed-a", Cure::Import), ("fed-b", Cure::Import)];
    let classics: Vec<Classic> = kinds
        .iter()
        .enumerate()
        .map(|(index, (name, cure))| Classic::new(&world, &mut ledger, name, *cure, index as u64))
        .collect();
    let sightings = Sightings::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut report = Report::default();
    let disk = Disk::mount(world.path("disk.img"), world.path("state"));
    let disk = disk.map_err(|why| report.no_power_cuts = Some(why)).ok();
    let mut scenario =
        Scenario { world: &world, log, disk, sightings: &sightings, rng, runtime, classics, ledger, report };
    let tenant = format!("{GLP}/{}", Population::TENANTS[0]);
    let mut names = vec![CENTRAL.to_owned(), GLP.to_owned(), tenant];
    names.extend(scenario.classics.iter().map(|classic| classic.name.clone()));
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| sightings.read(&world, name));
        }
        let ended = scenario.play(&names, kills);
        sightings.stop();
        scenario.report_peers(ended.is_ok());
    });
    if let Some(first) = scenario.report.violations.first_mut() {
        *first += &format!("\n  (world of seed {seed}; the end of its daemon's log:)\n{}", tail(&world));
    }
    scenario.report
}

impl Scenario<'_> {
    fn play(&mut self, names: &[String], kills: u64) -> Result<(), Broken> {
        for _ in 0..kills {
            let (mut daemon, started) = self.spawn();
            if self.rng.below(10) < IN_START_UP {
                self.report.in_start_up += 1;
                thread::sleep(self.rng.span(250));
            } else {
                match self.settle(&mut daemon, names, started, true)? {
                    Settled::AmidImport => self.report.amid_import += 1,
                    Settled::Well if self.rng.below(10) < AFTER_REFRESH => self.await_refresh(),
                    Settled::Well => thread::sleep(self.rng.span(800)),
                }
                if self.rng.below(10) < RELOADED {
                    self.reload(&mut daemon)?;
                }
            }
            let power_cut = self.kill(daemon);
            let life = Life { started, killed: self.world.provider().now() };
            self.ledger.killed(life, Snapshot::of(&self.world.path("state")), power_cut, &mut self.report);
            self.read_log();
            let without = self.world.provider().now() - life.killed;
            self.report.longest_without = self.report.longest_without.max(without);
        }
        let (mut daemon, started) = self.spawn();
        self.settle(&mut daemon, names, started, false)?;
        self.await_rotations(started)?;
        self.sightings.stop();
        until("the peers have ended", || self.sightings.all_ended().then_some(()));
        if !daemon.terminate().success() {
            self.report.violations.push("the last daemon did not end well when it was told to".to_owned());
        }
        Ok(())
    }

    /// Kills the daemon, and perhaps cuts the power of its disk at the same moment: whether it did.
    fn kill(&mut self, daemon: Daemon) -> bool {
        self.report.kills += 1;
        daemon.kill();
        let cut = self.rng.below(POWER_CUT) == 0;
        let Some(disk) = self.disk.as_mut().filter(|_| cut) else { return false };
        let moment = disk.moment();
        disk.power_cut(&moment);
        self.report.power_cuts += 1;
        true
    }

    /// The next life begins, with the configuration that is due.
    fn spawn(&mut self) -> (Daemon, Now) {
        for classic in &mut self.classics {
            classic.reconfigure(self.world, &mut self.ledger);
        }
        self.configure(1);
        let started = self.world.provider().now();
        self.sightings.life.fetch_add(1, Ordering::SeqCst);
        let format = match self.log {
            LogFormat::Journald => "journald",
            _ => "text",
        };
        let options = ["--log", "debug", "--log-format", format];
        let daemon = Daemon::spawn_with(&self.world.config(), &self.world.log(), |command| command.args(options));
        (daemon, started)
    }

    /// So many tenants are warm; nobody reads any but the first.
    fn configure(&self, warm: usize) {
        let mut profiles = vec![self.world.central(CENTRAL), self.world.glp(GLP, &Population::TENANTS[..warm])];
        profiles.extend(self.classics.iter().map(|classic| classic.text(self.world)));
        self.world.configure("[providers]\nmax_requests_per_second = 50", &profiles);
    }

    /// Reloads, by signal or by a peer, of the file as it is or with a change that nobody should notice. The kill that
    /// follows comes after the last one, or amid it.
    fn reload(&mut self, daemon: &mut Daemon) -> Result<(), Broken> {
        let mut warm = 1;
        for _ in 0..=self.rng.below(MOST_RELOADS) {
            if self.rng.below(2) == 0 {
                warm = 3 - warm;
                self.configure(warm);
                self.report.reloads_of_a_change += 1;
            }
            if self.rng.below(2) == 0 {
                daemon.signal(Signal::SIGHUP);
                self.report.reloads_by_signal += 1;
            } else {
                self.report.reloads_by_peer += 1;
                let client = Client::builder().socket(self.world.socket()).build();
                let patience = self.rng.span(40);
                let asked = async { tokio::time::timeout(patience, client.reload()).await };
                match self.runtime.block_on(asked) {
                    Err(_) => self.report.reloads_cut_off += 1,
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return self.broken(format!("the configuration was not reloaded: {error:?}")),
                }
            }
            thread::sleep(self.rng.span(30));
        }
        if daemon.is_running() { Ok(()) } else { self.broken("a reload ended the daemon".to_owned()) }
    }

    /// Waits until every peer has had a working token in this life; feeds the chains that need it.
    fn settle(&mut self, daemon: &mut Daemon, names: &[String], started: Now, cuts: bool) -> Result<Settled, Broken> {
        let life = self.sightings.life.load(Ordering::SeqCst);
        let client = Client::builder().socket(self.world.socket()).wait_for_daemon(true).build();
        let mut waiting: Vec<&String> = names.iter().collect();
        let settled = within(PATIENCE, LOOK, || {
            if !daemon.is_running() {
                return Some(self.broken("the daemon ended by itself".to_owned()));
            }
            self.read_log();
            for classic in &mut self.classics {
                if waiting.contains(&&classic.name) && self.sightings.works(&classic.name) {
                    classic.works(life, &self.ledger, &mut self.report);
                }
            }
            waiting.retain(|name| {
                !self.sightings.works(name) && !self.classics.iter().any(|c| c.spent && c.name == **name)
            });
            if waiting.is_empty() {
                let took = self.world.provider().now() - started;
                self.report.slowest_recovery = self.report.slowest_recovery.max(took);
                return Some(Ok(Settled::Well));
            }
            if waiting.iter().any(|name| self.classics.iter().any(|c| c.name == **name))
                && UnixStream::connect(self.world.socket()).is_ok()
            {
                match self.tend(&client, life, cuts) {
                    Ok(false) => {}
                    Ok(true) => return Some(Ok(Settled::AmidImport)),
                    Err(broken) => return Some(Err(broken)),
                }
            }
            None
        });
        settled
            .unwrap_or_else(|| self.broken(format!("in {PATIENCE:?} no peer of {waiting:?} had a working token again")))
    }

    /// Looks at the chains that are not there, and does what an operator would. Whether it was cut off.
    fn tend(&mut self, client: &Client, life: u64, cuts: bool) -> Result<bool, Broken> {
        let status = match self.runtime.block_on(client.status(None)) {
            Ok(status) => status,
            Err(error) => return self.broken(format!("the daemon does not say how it is: {error:?}")),
        };
        self.read_log();
        for index in 0..self.classics.len() {
            let classic = &mut self.classics[index];
            let Some(name) = status.names.iter().find(|name| name.name == classic.name) else { continue };
            let known = self.ledger.client(&classic.client.client_id);
            match name.health {
                Health::ChainEmpty | Health::ChainLost | Health::AwaitingLogin if classic.spent => {}
                Health::ChainEmpty | Health::ChainLost if classic.wants_import() => {
                    classic.in_trouble(life);
                    if name.health == Health::ChainLost && known.refusals == 0 {
                        return self.broken(format!("lost, though the provider refused nothing: {name:?}"));
                    }
                    let cut = cuts && self.rng.below(10) < AMID_IMPORT;
                    if self.import(client, index, cut)? {
                        return Ok(true);
                    }
                }
                Health::AwaitingLogin if known.login_tokens > 0 || known.login_cut_off => {
                    classic.in_trouble(life);
                    classic.spent = true;
                    self.report.left_to_quota += 1;
                }
                Health::ChainEmpty | Health::ChainLost | Health::AwaitingLogin | Health::Rejected => {
                    return self.broken(format!("{name:?} after {known:?}"));
                }
                Health::Good | Health::Failing | Health::Unavailable => {}
            }
        }
        Ok(false)
    }

    /// Imports a Download Token: the one whose import was cut off, if there is one. Whether this one was.
    fn import(&mut self, client: &Client, index: usize, cut: bool) -> Result<bool, Broken> {
        let sandbox = self.world.provider();
        let classic = &mut self.classics[index];
        let token = classic.pending.take().unwrap_or_else(|| {
            let token = sandbox.provider().download_token(sandbox.now(), &classic.client.client_id);
            Secret::from(token.expect("the client exists").refresh_token.as_str())
        });
        let patience = if cut { self.rng.span(250) } else { PATIENCE };
        let import = async { tokio::time::timeout(patience, client.import(&classic.name, &token)).await };
        match self.runtime.block_on(import) {
            Err(_) if cut => {
                classic.pending = Some(token);
                Ok(true)
            }
            Ok(Ok(_)) => Ok(false),
            // The refusal of the one before had not been noted down when a kill came: it is being tried once more.
            Ok(Err(error)) if error.code() == Some(ErrorCode::Busy) => {
                classic.pending = Some(token);
                Ok(false)
            }
            // Its reply was lost in a gap, which the ledger has to know of: it judges the refusal in the log.
            Ok(Err(error)) if error.code() == Some(ErrorCode::Rejected) => Ok(false),
            failed => {
                let what = format!("{}: the import came to {failed:?}", classic.name);
                self.broken(what)
            }
        }
    }

    /// Waits for the next refresh and then for a moment in which its reply may be on the way.
    fn await_refresh(&mut self) {
        let sandbox = self.world.provider();
        let before = sandbox.provider().count(Endpoint::ClassicRefresh);
        let longest = Duration::from_secs(5);
        if sandbox.wait_until(longest, |provider| provider.count(Endpoint::ClassicRefresh) > before) {
            self.report.after_a_refresh += 1;
        }
        thread::sleep(self.rng.span(230));
    }

    /// In the end every chain rotates once more: what was restored is not only there, it is alive.
    fn await_rotations(&mut self, started: Now) -> Result<(), Broken> {
        let rotated = within(PATIENCE, LOOK, || {
            self.read_log();
            let mut alive = self.classics.iter().filter(|classic| !classic.spent);
            let client = |classic: &Classic| self.ledger.client(&classic.client.client_id);
            alive.all(|classic| client(classic).last_pair > Some(started)).then_some(())
        });
        match rotated {
            Some(()) => Ok(()),
            None => self.broken("not every chain was rotated in the last life".to_owned()),
        }
    }

    fn read_log(&mut self) {
        self.ledger.read(&self.world.provider().provider(), &mut self.report);
    }

    fn broken<T>(&mut self, why: String) -> Result<T, Broken> {
        self.report.violations.push(why);
        Err(Broken)
    }

    /// When all is over: whether each error was right, and whether nobody saw what was not durable. In a world that
    /// ended before its time nobody has looked whether an error of a chain was.
    fn report_peers(&mut self, whole: bool) {
        let met = std::mem::take(&mut *self.sightings.met());
        self.report.tokens_read += met.read;
        self.report.flagged_dead += met.flagged_dead;
        self.report.overtaken += met.overtaken;
        self.report.waited_in_vain += met.waited_in_vain;
        self.report.violations.extend(met.violations);
        for ((name, life), error) in met.chain_errors {
            let classic = self.classics.iter().find(|classic| classic.name == name);
            if whole && !classic.is_some_and(|classic| classic.may_be_without(life)) {
                self.report.violations.push(format!("{name}, in life {life}, with a chain: {error}"));
            }
        }
        for lost in self.ledger.lost() {
            if met.seen.contains(lost) {
                self.report.violations.push(format!("a peer saw token {lost}, which was never durable"));
            }
        }
    }
}

/// The end of the daemon's log.
fn tail(world: &World) -> String {
    const LINES: usize = 60;
    let log = std::fs::read_to_string(world.log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
