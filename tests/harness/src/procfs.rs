//! What the kernel says of a running process: proc(5).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Pid, SysconfVar, sysconf};

/// A process, seen from outside.
#[derive(Debug, Clone, Copy)]
pub struct Procfs(Pid);

impl Procfs {
    /// Of this process, which has to be running.
    #[must_use]
    pub fn of(pid: Pid) -> Self {
        Self(pid)
    }

    fn path(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.0))
    }

    /// A file of its folder in /proc, as text.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn file(self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).expect("the process runs")).into_owned()
    }

    /// Resident memory in KiB.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn resident_kib(self) -> u64 {
        self.kib("VmRSS:")
    }

    /// The part of it in KiB that is no page of a file, and so no other process's too.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn anonymous_kib(self) -> u64 {
        self.kib("RssAnon:")
    }

    fn kib(self, field: &str) -> u64 {
        let status = self.file("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Processor time so far, of all threads, in user and kernel mode.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn processor_time(self) -> Duration {
        let stat = self.file("stat");
        // The name in the second field may hold spaces and parentheses; fields 14 and 15 are what is wanted.
        let after_name = stat.rsplit_once(')').expect("a name in parentheses").1;
        let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().expect("a clock has ticks");
        Duration::from_millis(ticks.sum::<u64>() * 1000 / u64::try_from(per_second).expect("some"))
    }

    /// The ids of its threads, with their names. The first thread has the process's.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn threads(self) -> Vec<(Pid, String)> {
        let tasks = fs::read_dir(self.path("task")).expect("the process runs").flatten();
        let named = |task: fs::DirEntry| {
            // One that has ended meanwhile has no name any more.
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            Some((Pid::from_raw(task.file_name().to_str()?.parse().ok()?), name.trim_end().to_owned()))
        };
        tasks.filter_map(named).collect()
    }

    /// Whether it has a thread of this name that does something or is about to.
    #[must_use]
    pub fn is_awake(self, name: &str) -> bool {
        let tasks = fs::read_dir(self.path("task")).into_iter().flatten().flatten();
        let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        stats
            .filter_map(|stat| {
                let (before, after) = stat.rsplit_once(')')?;
                Some(before.ends_with(&format!("({name}")) && !after.starts_with(" S"))
            })
            .any(|is_awake| is_awake)
    }

    /// How many descriptors it has open.
    ///
    /// # Panics
    /// When it has ended, or they are none of our business.
    #[must_use]
    pub fn descriptors(self) -> usize {
        fs::read_dir(self.path("fd")).expect("the process runs and is ours").count()
    }

    /// A copy of all memory that it may write to: heap, stacks, data, anonymous mappings.
    ///
    /// # Errors
    /// When this process may not trace that one, ptrace(2).
    ///
    /// # Panics
    /// When it has ended.
    pub fn memory(self) -> io::Result<Vec<u8>> {
        let memory = File::open(self.path("mem"))?;
        let mut all = Vec::new();
        for line in self.file("maps").lines() {
            let Some((range, rest)) = line.split_once(' ') else { continue };
            if !rest.starts_with("rw") {
                continue;
            }
            let (from, to) = range.split_once('-').expect("a range");
            let number = |text| u64::from_str_radix(text, 16).expect("an address");
            let (from, to) = (number(from), number(to));
            let at = all.len();
            all.resize(at + usize::try_from(to - from).expect("it fits into an address space"), 0);
            // Pages come and go, and some (guard pages, devices) cannot be read: they stay zero here.
            let mut done = at;
            while done < all.len() {
                let end = (done + 1024 * 1024).min(all.len());
                let _ = memory.read_exact_at(&mut all[done..end], from + (done - at) as u64);
                done = end;
            }
        }
        Ok(all)
    }
}

/// The processes that have a folder in their environment or among their arguments: all that was started with it as its
/// TMPDIR, and what those have started.
///
/// # Panics
/// Without /proc.
#[must_use]
pub fn processes_of(folder: &Path) -> Vec<Pid> {
    let folder = folder.as_os_str().as_bytes();
    let named = |pid: &i32| {
        let of = |file| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        [of("cmdline"), of("environ")].iter().any(|text| text.windows(folder.len()).any(|part| part == folder))
    };
    let entries = fs::read_dir("/proc").expect("proc(5)").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(named).map(Pid::from_raw).collect()
}

/// Bytes of a secret that are looked for: an allocator overwrites the first 16 of what was freed, and what is left of
/// the rest is found by any other 16.
const PIECE: usize = 16;

/// How often each of these texts stands in a memory, whole or in part: the most frequent of its pieces counts, leaving
/// out those that it shares with another text (such as the head of a JWT).
///
/// # Panics
/// When a text has no piece of its own.
#[must_use]
pub fn copies(memory: &[u8], texts: &[&str]) -> Vec<usize> {
    // Which text a piece is of, and how often it was found; no text, if it is of several.
    let mut pieces: HashMap<&[u8], (Option<usize>, usize)> = HashMap::new();
    let mut begins = vec![false; 1 << 16];
    let head = |piece: &[u8]| usize::from(piece[0]) << 8 | usize::from(piece[1]);
    for (text, bytes) in texts.iter().map(|text| text.as_bytes()).enumerate() {
        for piece in bytes.chunks_exact(PIECE) {
            begins[head(piece)] = true;
            pieces.entry(piece).and_modify(|(of, _)| *of = None).or_insert((Some(text), 0));
        }
    }
    for place in memory.windows(PIECE).filter(|place| begins[head(place)]) {
        if let Some((_, times)) = pieces.get_mut(place) {
            *times += 1;
        }
    }
    let mut copies = vec![None; texts.len()];
    for (of, times) in pieces.into_values() {
        if let Some(text) = of {
            copies[text] = copies[text].max(Some(times));
        }
    }
    copies.into_iter().map(|times| times.expect("a text has a piece of its own")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_text_are_found_and_what_texts_share_is_not_counted() {
        let (one, other) = ("0123456789abcdefONEONEONEONEONE1+ONE", "0123456789abcdefOTHEROTHEROTHER1");
        let memory = format!("..{one}..{other}...{}..ONEONEONEONEONE1", &one[10..]);
        assert_eq!(copies(memory.as_bytes(), &[one, other, "not there at all, nowhere"]), [3, 1, 0]);
    }
}
