//! Tests that cannot run on this machine, counted with their reasons.
//!
//! libtest decides what is ignored before anything runs, and a test finds out only then that it needs root, a program
//! or a file system. It calls [`because`] and returns. That prints a line past libtest's capture, and keeps it for the
//! count at the end of the run: the test `count` of this package, which cargo runs last.
//!
//! A run is the cargo process that started the tests. Lines of runs that have ended do not count.

use std::env;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::parent_id;
use std::panic::Location;
use std::path::Path;
use std::thread;

/// Names the file of the lines; `.cargo/config.toml` sets it.
const FILE: &str = "TOKEND_SKIPPED";

/// Says that the test that calls this shows nothing here, or less than it could, and why.
///
/// # Panics
/// When the line cannot be kept: a count that is too low would be a lie.
#[track_caller]
pub fn because(why: impl Display) {
    let (place, thread) = (Location::caller(), thread::current());
    // libtest names a test's thread for the test, but runs it on the main thread where that is the only one.
    match thread.name().filter(|name| *name != "main") {
        Some(test) => test_because(test, why),
        None => test_because(&format!("{}:{}", place.file(), place.line()), why),
    }
}

/// The same, of a test of this name.
///
/// # Panics
/// As [`because`].
pub fn test_because(test: &str, why: impl Display) {
    let line = format!("{test}: {why}").replace(['\n', '\t'], " ");
    // In one piece, as other threads print too. Nobody is left to tell when stderr is closed; the count has the line.
    let _ = io::stderr().write_all(format!("SKIPPED {line}\n").as_bytes());
    if let Some(path) = env::var_os(FILE) {
        keep(Path::new(&path), &line).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// What the tests of this run have skipped so far, a line each.
///
/// # Errors
/// When there is a file and it cannot be read.
pub fn so_far() -> io::Result<Vec<String>> {
    let Some(path) = env::var_os(FILE) else { return Ok(Vec::new()) };
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        text => Ok(of_run(&text?, &this_run())),
    }
}

fn of_run(text: &str, run: &str) -> Vec<String> {
    text.lines().filter_map(|line| Some(line.strip_prefix(run)?.strip_prefix('\t')?.to_owned())).collect()
}

/// Adds a line of this run, once; lines of runs that have ended go.
fn keep(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let line = format!("{}\t{line}", this_run());
    let goes_on = |line: &&str| line.split_once('\t').is_some_and(|(run, _)| is_under_way(run));
    let mut lines: Vec<&str> = text.lines().filter(goes_on).collect();
    if !lines.contains(&line.as_str()) {
        lines.push(&line);
    }
    file.set_len(0)?;
    file.rewind()?;
    file.write_all((lines.join("\n") + "\n").as_bytes())
}

/// The process that started this one.
fn this_run() -> String {
    process(parent_id()).unwrap_or_default()
}

fn is_under_way(run: &str) -> bool {
    let pid = run.split_once('-').and_then(|(pid, _)| pid.parse().ok());
    pid.and_then(process).as_deref() == Some(run)
}

/// A process as no later one is named: by its number and by when it was started, proc_pid_stat(5).
fn process(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; the time is the 20th field after it.
    let began = stat.rsplit_once(") ")?.1.split(' ').nth(19)?;
    Some(format!("{pid}-{began}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_once_and_go_with_their_run() {
        let path = env::temp_dir().join(format!("skipped-{}", std::process::id()));
        let ended = format!("{}-1", std::process::id());
        fs::write(&path, format!("{ended}\tof a run that has ended\n")).unwrap();
        for line in ["one: why", "other: why", "one: why"] {
            keep(&path, line).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(of_run(&text, &this_run()), ["one: why", "other: why"]);
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let run = process(std::process::id()).unwrap();
        assert!(is_under_way(&run) && !is_under_way(&format!("{run}0")), "{run}");
    }
}
