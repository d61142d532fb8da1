//! What a run came to.

use std::fmt;
use std::ops::AddAssign;

/// Totals of a run, and all that should not have been.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// SIGKILLs.
    pub kills: u64,
    /// Of them: while the daemon was starting.
    pub in_start_up: u64,
    /// Of them: a moment after the provider had got a refresh.
    pub after_a_refresh: u64,
    /// Of them: while an import was under way.
    pub amid_import: u64,
    /// Reloads shortly before a kill: by SIGHUP.
    pub reloads_by_signal: u64,
    /// By a peer.
    pub reloads_by_peer: u64,
    /// Of the latter: not answered before what came next, another one or the kill.
    pub reloads_cut_off: u64,
    /// Of all: with a change in the file since the one before.
    pub reloads_of_a_change: u64,
    /// Kills that left a Classic rotation in flight on the disk.
    pub amid_rotation: u64,
    /// Kills with which the power failed.
    pub power_cuts: u64,
    /// Why there were none, where no disk could be had.
    pub no_power_cuts: Option<String>,
    /// Pairs that a kill left under a temporary name, in a spare or a `.tmp` file, and nowhere else.
    pub left_astray: u64,
    /// Chains that went on from there. The first version erased these files.
    pub came_back: u64,
    /// Pairs that the provider issued in a gap: the daemon was killed before it could store them.
    pub replies_lost: u64,
    /// Chains that a login brought back.
    pub recovered_by_login: u64,
    /// Chains that an imported Download Token brought back.
    pub recovered_by_import: u64,
    /// Chains whose next login the quota of 30 minutes holds back: their profile got another client.
    pub left_to_quota: u64,
    /// Logins that were begun.
    pub logins: u64,
    /// Refreshes that the provider granted.
    pub rotations: u64,
    /// Tokens that peers got.
    pub tokens_read: u64,
    /// Of them: flagged as being renewed, and dead at the provider.
    pub flagged_dead: u64,
    /// Of them: overtaken by a rotation or by their expiry on the way to the peer.
    pub overtaken: u64,
    /// Calls of peers at whose end, after the whole wait, there was no daemon.
    pub waited_in_vain: u64,
    /// The longest time in milliseconds between a pair's issue and the kill that lost it.
    pub longest_gap: u64,
    /// The longest time in milliseconds from a kill to the next start: peers' calls wait for 30 s at most.
    pub longest_without: u64,
    /// The longest time in milliseconds from a start to the working token of every name.
    pub slowest_recovery: u64,
    /// How often journald was stopped.
    pub journald_stops: u64,
    /// Lines of the daemons that it has: the others were dropped while it stood still, or over its own limit of rate.
    pub journald_lines: u64,
    /// Losses and errors that nothing explains, and broken promises. Should be empty.
    pub violations: Vec<String>,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.kills += other.kills;
        self.in_start_up += other.in_start_up;
        self.after_a_refresh += other.after_a_refresh;
        self.amid_import += other.amid_import;
        self.reloads_by_signal += other.reloads_by_signal;
        self.reloads_by_peer += other.reloads_by_peer;
        self.reloads_cut_off += other.reloads_cut_off;
        self.reloads_of_a_change += other.reloads_of_a_change;
        self.amid_rotation += other.amid_rotation;
        self.power_cuts += other.power_cuts;
        self.no_power_cuts = self.no_power_cuts.take().or(other.no_power_cuts);
        self.left_astray += other.left_astray;
        self.came_back += other.came_back;
        self.replies_lost += other.replies_lost;
        self.recovered_by_login += other.recovered_by_login;
        self.recovered_by_import += other.recovered_by_import;
        self.left_to_quota += other.left_to_quota;
        self.logins += other.logins;
        self.rotations += other.rotations;
        self.tokens_read += other.tokens_read;
        self.flagged_dead += other.flagged_dead;
        self.overtaken += other.overtaken;
        self.waited_in_vain += other.waited_in_vain;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
        self.longest_without = self.longest_without.max(other.longest_without);
        self.slowest_recovery = self.slowest_recovery.max(other.slowest_recovery);
        self.journald_stops += other.journald_stops;
        self.journald_lines += other.journald_lines;
        self.violations.extend(other.violations);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("kills (SIGKILL)", self.kills),
            ("  while starting", self.in_start_up),
            ("  a moment after a refresh had arrived", self.after_a_refresh),
            ("  amid an import", self.amid_import),
            ("  that left a rotation in flight on disk", self.amid_rotation),
            ("  together with a power cut", self.power_cuts),
            ("  that left a pair in a spare or tmp file", self.left_astray),
            ("    from which its chain came back", self.came_back),
            ("reloads before a kill, by SIGHUP", self.reloads_by_signal),
            ("reloads before a kill, by a peer", self.reloads_by_peer),
            ("  not answered before what came next", self.reloads_cut_off),
            ("  of a file that had changed (both kinds)", self.reloads_of_a_change),
            ("replies lost in the gap", self.replies_lost),
            ("chains recovered by a login", self.recovered_by_login),
            ("chains recovered by an import", self.recovered_by_import),
            ("chains left to the login quota", self.left_to_quota),
            ("logins begun", self.logins),
            ("rotations granted", self.rotations),
            ("tokens read by peers", self.tokens_read),
            ("  flagged as renewing, and dead", self.flagged_dead),
            ("  overtaken on the way", self.overtaken),
            ("calls that found no daemon in 30 s", self.waited_in_vain),
            ("longest gap, ms", self.longest_gap),
            ("longest between two daemons, ms", self.longest_without),
            ("slowest recovery of all names, ms", self.slowest_recovery),
            ("journald was stopped, times", self.journald_stops),
            ("  lines of tokend that it has", self.journald_lines),
        ];
        for (what, count) in lines {
            writeln!(f, "{what:<42}{count:>10}")?;
        }
        if let Some(why) = &self.no_power_cuts {
            writeln!(f, "no power cuts: {why}")?;
        }
        write!(f, "{:<42}{:>10}", "unexplained", self.violations.len())?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}
