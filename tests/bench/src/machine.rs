//! What it was measured on.

use std::fmt;
use std::fs;
use std::process::Command;

/// A machine and its programs, in words.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// What, and which.
    facts: Vec<(&'static str, String)>,
}

/// Programs whose version matters.
const PROGRAMS: [(&str, &[&str]); 6] = [
    ("rustc", &["rustc", "--version"]),
    ("Redis", &["redis-server", "--version"]),
    ("memcached", &["memcached", "--version"]),
    ("oidc-agent", &["oidc-agent", "--version"]),
    ("curl", &["curl", "--version"]),
    ("C library", &["getconf", "GNU_LIBC_VERSION"]),
];

impl Machine {
    /// This one, with so many processors for this process.
    #[must_use]
    pub(super) fn here(processors: usize) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        let release = read("/etc/os-release");
        let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
        let memory = read("/proc/meminfo");
        let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0);
        let mut facts = vec![
            ("day", jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()),
            ("processors", format!("{processors} × {}", model.trim_start_matches([' ', '\t', ':']))),
            ("memory", format!("{:.0} GiB", kib / 1024.0 / 1024.0)),
            ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
            ("system", system.trim_matches('"').to_owned()),
            ("tokend", format!("{}{}", env!("CARGO_PKG_VERSION"), commit().unwrap_or_default())),
        ];
        facts.extend(PROGRAMS.iter().map(|(name, command)| (*name, version(command))));
        let load = read("/proc/loadavg");
        let load: Vec<&str> = load.split_whitespace().take(3).collect();
        facts.push(("load before the run (1, 5, 15 min)", load.join(", ")));
        if cfg!(debug_assertions) {
            facts.push(("build", "**without optimisation: these figures say nothing**".to_owned()));
        }
        Self { facts }
    }
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|text| !text.is_empty());
    Some(format!(", commit {}{}", git(&["rev-parse", "--short", "HEAD"])?, if changed { ", changed" } else { "" }))
}

fn version(command: &[&str]) -> String {
    match Command::new(command[0]).args(&command[1..]).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            // What follows is how it was built, and by whom.
            let words = said.lines().next().unwrap_or("unknown").split_whitespace();
            words.take_while(|word| !word.starts_with(['(']) && !word.starts_with("sha=")).collect::<Vec<_>>().join(" ")
        }
        Err(_) => "missing".to_owned(),
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("| on | |\n| --- | --- |\n")?;
        for (what, which) in &self.facts {
            writeln!(f, "| {what} | {which} |")?;
        }
        Ok(())
    }
}
