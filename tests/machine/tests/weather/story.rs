//! What each scenario goes through: a rotation is on the wire, the weather begins, the answer comes, tokend lives on,
//! hears SIGTERM amid the weather, and its chain is alive afterwards.

use std::process::Child;
use std::time::Duration;

use harness::{PATIENCE, Ran, Stopwatch, until, within};

use crate::checks::Checks;
use crate::scene::Scene;

/// So long the answer to a rotation is on its way: the weather has to begin within it.
const HELD_BACK: Duration = Duration::from_secs(15);
/// Signs of life that are waited for. Two come in each of the watchdog's periods.
const SIGNS: usize = 5;
/// Between two reads of a peer.
pub(crate) const LOOK: Duration = Duration::from_millis(250);

/// A rotation that is on the wire.
pub(crate) struct OnTheWire {
    ctl: Child,
    sent: Stopwatch,
    rotations: usize,
}

impl OnTheWire {
    /// Begins a rotation: the provider has carried it out, and its answer is on its way.
    pub(crate) fn begin(scene: &Scene) -> Self {
        let rotations = scene.rotations() + 1;
        scene.hold_back_an_answer(HELD_BACK.as_millis());
        let ctl = scene.machine.spawn(&["timeout", "60", "tokenctl", "refresh", "legacy"]);
        until("a rotation is on the wire", || (scene.rotations() == rotations).then_some(()));
        Self { ctl, sent: Stopwatch::start(), rotations }
    }

    /// Says that the weather has begun.
    pub(crate) fn is_caught(&self, checks: &mut Checks) {
        let took = self.sent.elapsed();
        checks.check("the weather begins while a rotation is on the wire", took < HELD_BACK, format!("{took:?}"));
    }

    /// Waits for its end, and for the next one, which is due some seconds later: its refresh token is the new one.
    pub(crate) fn ends(self, scene: &Scene, checks: &mut Checks) {
        let rotations = self.rotations;
        self.has_ended(checks);
        let next = within(PATIENCE, LOOK, || (scene.rotations() > rotations).then_some(()));
        checks.check(
            "the next rotation is granted amid it",
            next.is_some(),
            format!("{} rotations", scene.rotations()),
        );
    }

    /// Waits for its end.
    pub(crate) fn has_ended(self, checks: &mut Checks) {
        let output = self.ctl.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let status = output.status.code().unwrap_or(-1);
        let ran = Ran { status, stdout: text(&output.stdout), stderr: text(&output.stderr) };
        checks.ends("the rotation's answer counts amid the weather", &ran, 0);
    }
}

/// The daemon that was there before the weather.
pub(crate) struct Daemon(String);

impl Daemon {
    pub(crate) fn of(scene: &Scene) -> Self {
        Self(scene.property("MainPID"))
    }

    pub(crate) fn pid(&self) -> &str {
        &self.0
    }

    /// It is still the same one.
    pub(crate) fn is_the_same(&self, scene: &Scene, checks: &mut Checks) {
        checks.equal("the process is the same", scene.property("MainPID").as_str(), &self.0);
        checks.equal("nothing was restarted", scene.property("NRestarts").as_str(), "0");
    }

    /// Waits for more than two periods of the watchdog, in which peers read.
    pub(crate) fn lives(&self, scene: &Scene, checks: &mut Checks) {
        let mut peer = Peer::new(scene);
        let (mut told, mut signs) = (String::new(), 0);
        let lived = within(PATIENCE, LOOK, || {
            peer.reads();
            let last = scene.property("WatchdogTimestampMonotonic");
            signs += usize::from(last != told);
            told = last;
            (signs > SIGNS && peer.saw_a_renewal() || scene.property("MainPID") != self.0).then_some(())
        });
        let seen = format!("{signs} signs of life");
        checks.check("the watchdog hears of it over two periods", lived.is_some() && signs > SIGNS, seen);
        peer.was_served(checks);
    }
}

/// A peer that reads both names.
pub(crate) struct Peer<'s> {
    scene: &'s Scene,
    tokens: Vec<String>,
    complaints: Vec<String>,
    slowest: Duration,
}

impl<'s> Peer<'s> {
    pub(crate) fn new(scene: &'s Scene) -> Self {
        Self { scene, tokens: Vec::new(), complaints: Vec::new(), slowest: Duration::ZERO }
    }

    pub(crate) fn reads(&mut self) {
        for name in ["campus", "legacy"] {
            let watch = Stopwatch::start();
            let ran = self.scene.ctl(&["get", name, "--wait", "10s"]);
            self.slowest = self.slowest.max(watch.elapsed());
            if ran.status != 0 {
                self.complaints.push(format!("{name}: status {} {}", ran.status, ran.stderr));
            } else if name == "campus" && !self.tokens.contains(&ran.stdout) {
                self.tokens.push(ran.stdout);
            }
        }
    }

    /// Whether it has seen a renewal.
    pub(crate) fn saw_a_renewal(&self) -> bool {
        self.tokens.len() > 1
    }

    /// It had no error, and a name whose tokens live for seconds was renewed meanwhile.
    pub(crate) fn was_served(self, checks: &mut Checks) {
        let Self { tokens, complaints, slowest, .. } = &self;
        checks.check("peers are served", complaints.is_empty(), format!("{complaints:?}, slowest {slowest:?}"));
        checks.check("what expires is renewed", self.saw_a_renewal(), format!("{} tokens of campus", tokens.len()));
    }
}

/// A whole scenario. `begin` makes the weather, `during` does what is special about it.
pub(crate) fn through<'s, W>(
    scene: &'s Scene,
    checks: &mut Checks,
    begin: impl FnOnce() -> W,
    during: impl FnOnce(&mut Checks),
) -> W
where
    W: 's,
{
    let daemon = Daemon::of(scene);
    let rotation = OnTheWire::begin(scene);
    let weather = begin();
    rotation.is_caught(checks);
    during(checks);
    daemon.lives(scene, checks);
    rotation.ends(scene, checks);
    daemon.is_the_same(scene, checks);
    stops(scene, checks);
    weather
}

/// `systemctl stop`: SIGTERM is heard, and the daemon ends by itself.
pub(crate) fn stops(scene: &Scene, checks: &mut Checks) {
    checks.ends("systemctl stop", &scene.systemctl("stop"), 0);
    checks.equal("SIGTERM ends it by itself", scene.property("Result").as_str(), "success");
}

/// `systemctl start` amid the weather.
pub(crate) fn starts(scene: &Scene, checks: &mut Checks) {
    checks.ends("systemctl start amid the weather", &scene.systemctl("start"), 0);
    checks.ends("peers are served", &scene.ctl(&["get", "campus", "--wait", "20s"]), 0);
}

/// The weather is over: the chain is alive.
pub(crate) fn is_alive(scene: &Scene, checks: &mut Checks) {
    checks.ends("systemctl start afterwards", &scene.systemctl("start"), 0);
    checks.ends("the chain is alive", &scene.ctl(&["refresh", "legacy"]), 0);
    checks.ends("its token is served", &scene.ctl(&["get", "legacy", "--wait", "20s"]), 0);
}
