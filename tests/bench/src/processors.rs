//! Which processor does what.
//!
//! A wake-up across processors takes as long as several requests, and whether there is one is the scheduler's mood. So
//! a server and the load on it stand on one processor, unless what happens on two is the question.

use std::fs;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::BenchError;
use harness::{PATIENCE, Stopwatch};

/// Between two looks whether anything has happened.
const LOOK: Duration = Duration::from_millis(50);

/// Where a server and the load on it run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Both on one processor.
    One,
    /// The server on one processor, the load on another.
    Two,
}

/// The processors that this process may use.
#[derive(Debug, Clone)]
pub struct Processors(Vec<usize>);

impl Processors {
    /// As the system has it.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn of_this_process() -> Result<Self, BenchError> {
        let own = sched_getaffinity(Pid::from_raw(0)).map_err(BenchError::system("reading the processors"))?;
        Ok(Self((0..CpuSet::count()).filter(|at| own.is_set(*at).unwrap_or(false)).collect()))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Puts the calling thread, and what it starts from now on, on the load's processor.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn take(&self, layout: Layout) -> Result<Pinned, BenchError> {
        let load = match layout {
            Layout::One => self.last(),
            Layout::Two => self.0.first().copied().unwrap_or_default(),
        };
        pin(Pid::from_raw(0), &[load]).map_err(BenchError::system("taking a processor"))?;
        Ok(Pinned(self.0.clone()))
    }

    /// Puts all threads of a server on the servers' processor, which is the same in both layouts.
    ///
    /// # Errors
    /// When it has ended.
    pub fn give_to(&self, server: Pid) -> Result<(), BenchError> {
        let tasks =
            fs::read_dir(format!("/proc/{server}/task")).map_err(BenchError::system("reading a server's threads"))?;
        for task in tasks.flatten() {
            let Some(task) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            match pin(Pid::from_raw(task), &[self.last()]) {
                // A thread that has ended meanwhile.
                Err(Errno::ESRCH) | Ok(()) => {}
                Err(errno) => return Err(BenchError::system("giving a processor to a server")(errno)),
            }
        }
        Ok(())
    }

    fn last(&self) -> usize {
        self.0.last().copied().unwrap_or_default()
    }
}

/// Gives the calling thread all its processors back when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Pinned(Vec<usize>);

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = pin(Pid::from_raw(0), &self.0);
    }
}

fn pin(task: Pid, to: &[usize]) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    for processor in to {
        set.set(*processor)?;
    }
    sched_setaffinity(task, &set)
}

/// What a process has cost so far, by what the kernel's scheduler has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Processor time of all threads, those included that have ended, in ns.
    pub nanos: u64,
    /// How often a thread that there is had nothing to do and slept, and so was woken: not how often it was taken off a
    /// processor.
    pub wakeups: u64,
}

impl Cost {
    /// Of a running process; nothing of one that has ended.
    #[must_use]
    pub fn of(process: Pid) -> Self {
        let mut cost = Self { nanos: processor_time(process).unwrap_or(0), wakeups: 0 };
        let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return cost };
        for task in tasks.flatten() {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let slept = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            cost.wakeups += slept.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0);
        }
        cost
    }

    /// Waits until a process has come to rest: none of its threads ran, began or ended for so long.
    ///
    /// # Errors
    /// When that does not come to be.
    pub fn at_rest(process: Pid, rest: Duration) -> Result<(), BenchError> {
        let threads = || fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
        let look = || (Self::of(process).wakeups, threads());
        let watch = Stopwatch::start();
        let (mut seen, mut since) = (look(), watch.elapsed());
        while watch.elapsed() < since + rest {
            if since > PATIENCE {
                return Err(BenchError::program("tokend", "it does not come to rest"));
            }
            std::thread::sleep(LOOK);
            let now = look();
            if now != seen {
                (seen, since) = (now, watch.elapsed());
            }
        }
        Ok(())
    }

    /// Processor time of the calling thread so far, in ns.
    #[must_use]
    pub fn of_this_thread() -> u64 {
        // Documentation/scheduler/sched-stats.rst: time on a processor, time waiting for one, slices.
        let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        schedstat.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0)
    }

    /// Since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { nanos: self.nanos.saturating_sub(earlier.nanos), wakeups: self.wakeups.saturating_sub(earlier.wakeups) }
    }
}

/// The sum of `/proc/PID/task/*/schedstat`, with what threads took that have ended: clock_getcpuclockid(3).
fn processor_time(process: Pid) -> Option<u64> {
    let time = clock_gettime(clock_getcpuclockid(process).ok()?).ok()?;
    Some(u64::try_from(time.tv_sec()).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_threads_that_have_ended_counts() {
        let own = Pid::this();
        let before = Cost::of(own).nanos;
        let spent = std::thread::spawn(|| {
            let mut sum = 0_u64;
            while Cost::of_this_thread() < 20_000_000 {
                sum = (0..100_000).fold(sum, |sum, at| std::hint::black_box(sum ^ at));
            }
            Cost::of_this_thread()
        });
        let spent = spent.join().expect("it does not panic");
        // The scheduler adds up what a thread took at its end a moment later.
        harness::until("it is counted", || (Cost::of(own).nanos - before >= spent).then_some(()));
    }
}
