//! What goes wrong outside of the daemon, for a while: provider, network, disk, and the machine itself.

use serde_json::json;

use super::disk::DiskFault;
use super::engine::{Event, Simulation};
use super::journal::Entry;
use super::lifecycle::REBOOT;
use super::machine::{HOUR, MINUTE, SECOND, Time};
use sandbox::{Fault, FaultRule, RetryHint, RuleId};

/// Mean times from one thing to the next, in rough weather.
const TROUBLE: Time = 40 * MINUTE;
const MACHINE: Time = 4 * HOUR;

/// Something that ends by itself.
pub(super) enum Trouble {
    Rule(RuleId),
    /// The same, and perhaps with habits that go with it.
    Odd(RuleId),
    Quirks,
    Loss,
    Partition,
    Slowness,
    Disk,
}

impl Simulation {
    /// Something goes wrong.
    pub(super) fn start_fault(&mut self) {
        let pause = self.rng.pause(TROUBLE);
        self.after(pause, Event::Fault);
        let length = self.rng.pause(20 * MINUTE);
        let (what, trouble) = match self.rng.between(0, 16) {
            0..5 => self.provider_trouble(),
            10..13 => self.odd_answers(),
            13..15 => self.words_of_others(),
            15.. => self.odd_habits(),
            5 => {
                self.network.loss_before = self.rng.roll() * 0.6;
                self.network.loss_after = self.rng.roll() * 0.6;
                ("loss", Trouble::Loss)
            }
            6 => {
                self.network.partition = true;
                ("partition", Trouble::Partition)
            }
            7 => {
                self.network.slowness = self.rng.between(SECOND, 40 * SECOND);
                ("slow network", Trouble::Slowness)
            }
            _ => {
                let faults = [DiskFault::Full, DiskFault::ReadOnly, DiskFault::Slow];
                let fault = *self.rng.pick(&faults).expect("some");
                self.records_may_have_followed();
                self.disk.fault = Some(fault);
                let what = match fault {
                    DiskFault::Full => "disk full",
                    DiskFault::ReadOnly => "disk read-only",
                    DiskFault::Slow => "disk slow",
                };
                (what, Trouble::Disk)
            }
        };
        *self.totals.faults.entry(what).or_default() += 1;
        self.journal.note(self.at, Entry::Weather(format!("{what}, for {} s", length / SECOND)));
        self.after(length, Event::Clear(trouble));
    }

    fn provider_trouble(&mut self) -> (&'static str, Trouble) {
        let (fault, after) = self.some_fault();
        let mut rule = FaultRule::new(fault);
        if self.rng.chance(0.6) {
            rule = rule.at(self.some_endpoint());
        }
        rule.times = self.some_times();
        if after {
            rule = rule.after_handling();
        }
        ("provider trouble", Trouble::Rule(self.world.provider.add_fault(rule)))
    }

    /// A fault, and whether it spoils the answer of a request that was carried out.
    ///
    /// A refusal that means something comes only where it is true: a provider that lies about it is beyond what anybody
    /// can promise.
    fn some_fault(&mut self) -> (Fault, bool) {
        let status = |status| Fault::Status { status, retry_after: None };
        let either = self.rng.chance(0.5);
        match self.rng.between(0, 19) {
            0 => (status(500), either),
            1 => (Fault::Status { status: 503, retry_after: Some(self.rng.between(1, 90).to_string()) }, false),
            2 => (status(502), either),
            3 => (status(504), either),
            4 => (status(*self.rng.pick(&[400, 401, 403, 404]).expect("some")), false),
            5 => (Fault::TooMany(self.some_hint()), false),
            6 => (self.late(), false),
            7 | 8 => (Fault::Reset, either),
            9 => (Fault::Truncated(self.rng.between(0, 100) as usize), true),
            10 => (Fault::Html, either),
            11 => (Fault::Empty, either),
            12 => (Fault::NotUtf8, either),
            13 => (Fault::OtherShape(json!({ "hello": "world" })), either),
            14 => {
                let mut text = *self.rng.pick(&["null", "0", "1", "\"600\"", "-5", "30.5", "oops"]).expect("some");
                if text == "null" && !self.world.usual_lives {
                    text = "60"; // what is documented would be a lie
                }
                (Fault::ExpiresIn(Some(text.to_owned())), true)
            }
            15 | 16 => (status(500), true),
            17 | 18 => self.given_up(),
            _ => (Fault::Redirect("https://elsewhere.example.net/".to_owned()), false),
        }
    }

    fn some_hint(&mut self) -> RetryHint {
        let seconds = match self.rng.between(0, 9) {
            0 => self.rng.between(600, 7200),
            _ => self.rng.between(0, 90),
        };
        match self.rng.between(0, 6) {
            0 => RetryHint::None,
            1 => RetryHint::RetryAfter(seconds),
            2 => RetryHint::RatelimitReset(seconds),
            3 => RetryHint::RetryAfterDate(seconds),
            4 => RetryHint::ResetDate(seconds),
            5 => RetryHint::ResetEpoch(seconds),
            _ => RetryHint::Message(seconds),
        }
    }

    /// A trouble is over.
    pub(super) fn clear(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Rule(rule) => drop(self.world.provider.remove_fault(rule)),
            Trouble::Odd(rule) => {
                self.world.provider.remove_fault(rule);
                self.world.usual_habits();
            }
            Trouble::Quirks => self.world.usual_habits(),
            Trouble::Loss => (self.network.loss_before, self.network.loss_after) = (0.0, 0.0),
            Trouble::Partition => self.network.partition = false,
            Trouble::Slowness => self.network.slowness = 200,
            Trouble::Disk => {
                self.records_may_have_followed();
                self.disk.fault = None;
            }
        }
        self.journal.note(self.at, Entry::Weather("better".to_owned()));
    }

    /// Something happens to the machine or to the daemon's process.
    pub(super) fn machine_event(&mut self) {
        let pause = self.rng.pause(MACHINE);
        self.after(pause, Event::Machine);
        match self.rng.between(0, 199) {
            0..70 => {
                let length = self.rng.pause(40 * MINUTE);
                self.sleep(length);
            }
            70..140 => {
                let by = self.some_step();
                self.step_clock(by);
            }
            140..172 => self.crash("killed", REBOOT),
            172..186 => self.set_back(),
            _ => self.stop(),
        }
    }

    /// The clock is set back, and later the power fails for so long that tokens die.
    fn set_back(&mut self) {
        let by = i64::try_from(self.rng.between(20 * MINUTE, 110 * MINUTE)).expect("two hours");
        if self.rng.chance(0.5) {
            self.crash("killed before a step", 0.0);
        }
        self.step_clock(-by);
        let later = self.rng.between(MINUTE, 30 * MINUTE);
        self.after(later, Event::PowerCut);
    }

    pub(super) fn power_cut(&mut self) {
        if self.daemon.is_some() {
            self.totals.crashes += 1;
            self.end_life("power cut", true);
            let down = self.rng.between(20 * MINUTE, 3 * HOUR);
            self.after(down, Event::Start);
        }
    }

    fn sleep(&mut self, length: Time) {
        if self.machine.asleep(self.at).is_some() {
            return;
        }
        self.records_may_have_followed();
        self.totals.sleeps += 1;
        self.journal.note(self.at, Entry::Machine(format!("sleeps for {} s", length / SECOND)));
        self.machine.sleep(self.at + length);
        self.after(length, Event::Resume);
    }

    /// A login is between two of its steps: now and then the machine sleeps, and the daemon dies soon after.
    pub(super) fn during_a_login(&mut self) {
        if !self.phase.is_calm() && self.rng.chance(0.05) {
            let length = self.rng.between(10 * MINUTE, 90 * MINUTE);
            self.sleep(length);
            let later = length + self.rng.between(SECOND / 2, 3 * SECOND);
            self.after(later, Event::Kill);
        }
    }

    /// A login has brought a token: now and then its chain dies soon after, with the daemon, the machine or the clock.
    pub(super) fn after_a_login(&mut self) {
        if !self.phase.is_calm() && self.rng.chance(0.3) {
            let later = self.rng.between(1, 20 * MINUTE);
            self.after(later, Event::Mischief);
        }
    }

    /// What makes a daemon lose count of its logins, if anything does.
    pub(super) fn mischief(&mut self) {
        self.revoke();
        if self.rng.chance(0.5) {
            let by = self.some_step();
            if self.rng.chance(0.5) {
                self.crash("killed before a step", 0.0);
            }
            self.step_clock(by);
        }
        if self.rng.chance(0.7) {
            // Late enough for what is recorded to have followed the step.
            let later = self.rng.between(1, 9 * MINUTE);
            self.after(later, Event::Kill);
        }
    }

    /// The machine wakes: what was put off happens now.
    pub(super) fn resume(&mut self) {
        self.records_may_have_followed();
        self.machine.wake_up();
        self.journal.note(self.at, Entry::Machine("wakes".to_owned()));
        for event in std::mem::take(&mut self.put_off) {
            let delay = self.rng.between(0, 50);
            self.after(delay, event);
        }
    }
}
