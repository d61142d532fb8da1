//! What a run found: Markdown with tables, and plots beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::aims::AIMS;
use super::machine::Machine;
use super::plot::Plot;
use super::stats::{Spread, number};
use super::{BenchError, Case, Settings};

/// What stands before the figures.
const PREAMBLE: &str = include_str!("preamble.md");

/// What stands before the reasons of those that are missed.
const REASONS: &str = "**What stands in the way of those that are missed**, from profiles made beside such runs:\n";

/// One table, what is to be said of it, and its plots.
#[derive(Debug, Clone)]
pub(super) struct Section {
    /// What was measured.
    pub(super) title: String,
    /// Of the columns.
    pub(super) head: Vec<String>,
    /// One text for each column.
    pub(super) rows: Vec<Vec<String>>,
    /// How it was measured, and what is missing.
    pub(super) notes: Vec<String>,
    /// Drawn from the same figures.
    pub(super) plots: Vec<Plot>,
}

impl Section {
    pub(super) fn new(title: impl Into<String>, head: &[&str]) -> Self {
        let head = head.iter().map(|text| (*text).to_owned()).collect();
        Self { title: title.into(), head, rows: Vec::new(), notes: Vec::new(), plots: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// All that a run found.
#[derive(Debug)]
pub struct Report {
    machine: Machine,
    command: String,
    /// How much was measured, in words.
    amount: String,
    sections: Vec<(Case, Section)>,
    found: BTreeMap<&'static str, Result<Spread, String>>,
}

impl Report {
    pub(super) fn new(machine: Machine, settings: &Settings) -> Self {
        let amount = format!(
            "{} rounds count. A slice is {} ms long, {} ms at {} connections and {} ms on two processors.",
            settings.rounds,
            settings.slice.as_millis(),
            settings.slice.as_millis() * u128::from(Settings::AT_MANY),
            number(Settings::MANY as f64),
            settings.slice.as_millis() * u128::from(Settings::ON_TWO),
        );
        Self { machine, command: settings.command.clone(), amount, sections: Vec::new(), found: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, case: Case, section: Section) {
        self.sections.push((case, section));
    }

    /// What was found for an aim, or why nothing was.
    pub(super) fn found(&mut self, key: &'static str, found: Result<Spread, String>) {
        debug_assert!(AIMS.iter().any(|aim| aim.key == key), "{key}");
        self.found.insert(key, found);
    }

    /// The same for what may be missing.
    pub(super) fn found_or(&mut self, key: &'static str, found: Option<Spread>, missing: &str) {
        self.found(key, found.ok_or_else(|| missing.to_owned()));
    }

    /// What an aim came to, if it was measured.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<Spread> {
        self.found.get(key)?.as_ref().ok().copied()
    }

    /// The cases that have something to say.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = self.sections.iter().map(|(case, _)| *case).collect();
        cases.dedup();
        cases
    }

    /// All of it as Markdown; plots are links to files beside it.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("{PREAMBLE}\n## The run\n\n```sh\n{}\n```\n\n", self.command);
        let _ = write!(text, "{}\n\n{}", self.amount, self.machine);
        self.write_aims(&mut text);
        let mut before = None;
        for (case, section) in &self.sections {
            if before != Some(case) {
                let _ = write!(text, "\n## {}. {}\n", case.letter(), case.title());
                before = Some(case);
            }
            write_section(&mut text, section);
        }
        text
    }

    fn write_aims(&self, text: &mut String) {
        let (mut reached, mut missed) = (0, 0);
        let (mut rows, mut reasons) = (String::new(), String::new());
        for aim in &AIMS {
            let _ = write!(rows, "| {} | {} | ", aim.what, aim.wanted());
            let _ = match self.found.get(aim.key) {
                Some(Ok(found)) => {
                    let good = aim.is_reached_by(found.middle);
                    *(if good { &mut reached } else { &mut missed }) += 1;
                    let verdict = if good { "reached" } else { "**missed**" };
                    reasons.push_str(aim.reason().filter(|_| !good).unwrap_or_default());
                    let sides = found.interval.map(|(from, to)| [from, to].map(|end| aim.is_reached_by(end)));
                    let unsure = if sides.is_some_and(|[from, to]| from != to) { ", uncertain" } else { "" };
                    let interval = found.interval.map(|(from, to)| format!("{}–{}", number(from), number(to)));
                    let found = format!("{} {}", number(found.middle), aim.unit);
                    let interval = interval.as_deref().unwrap_or("–");
                    writeln!(rows, "{} | {interval} | {verdict}{unsure} |", found.trim_end())
                }
                Some(Err(why)) => writeln!(rows, "– | | not measured: {why} |"),
                None => writeln!(rows, "– | | not in this run (case {}) |", &aim.key[..1]),
            };
        }
        let _ = write!(
            text,
            "\n## What is to be reached\n\nOf {} aims {reached} were reached, {missed} were missed and {} were not measured. \
             The median counts; *uncertain* is where its 95 % interval reaches over to the other side. There is no interval of \
             fewer than six measurements.\n\n\
             | what | reach | found | 95 % interval | |\n| --- | --- | --- | --- | --- |\n{rows}",
            AIMS.len(),
            AIMS.len() - reached - missed
        );
        if !reasons.is_empty() {
            let _ = write!(text, "\n{REASONS}\n{reasons}");
        }
    }

    /// Writes `README.md` and the plots into this folder.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_to(&self, folder: &Path) -> Result<(), BenchError> {
        fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(BenchError::file(path))
        };
        for plot in self.sections.iter().flat_map(|(_, section)| &section.plots) {
            write(&plot.file(), &plot.svg())?;
        }
        write("README.md", &self.markdown())
    }
}

fn write_section(text: &mut String, section: &Section) {
    let _ = write!(text, "\n### {}\n\n", section.title);
    if !section.rows.is_empty() {
        let _ = writeln!(text, "| {} |", section.head.join(" | "));
        let _ = writeln!(text, "|{}", " --- |".repeat(section.head.len()));
        for row in &section.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text.push('\n');
    }
    for note in &section.notes {
        let _ = writeln!(text, "{note}\n");
    }
    for plot in &section.plots {
        let _ = writeln!(text, "![{}]({})\n", plot.title, plot.file());
    }
    while text.ends_with("\n\n") {
        text.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn each_aim_is_reached_or_missed_or_is_said_not_to_be_measured() {
        let mut report = Report::new(Machine::here(1), &Settings::smoke(PathBuf::new()));
        report.found("a.tokio.1", Ok(Spread::single(0.96)));
        report.found("a.tokio.64", Ok(Spread::single(0.94)));
        report.found_or("a.p99", Spread::of([1.2, 1.25, 1.28, 1.29, 1.3, 1.31]), "");
        report.found("e.read", Err("nobody asked".to_owned()));
        let text = report.markdown();
        let row = |what: &str| text.lines().find(|line| line.starts_with(&format!("| {what}"))).expect("it has a row");
        assert!(row("throughput against bare tokio, 1 connection").ends_with("| ≥ 0.95 | 0.960 | – | reached |"));
        assert!(row("throughput against bare tokio, 64").ends_with("| ≥ 0.95 | 0.940 | – | **missed** |"));
        assert!(row("p99 at 1,000").ends_with("| ≤ 1.3 | 1.29 | 1.20–1.31 | reached, uncertain |"), "{text}");
        assert!(row("cached read").ends_with("| ≤ 20 ns | – | | not measured: nobody asked |"), "{text}");
        assert!(AIMS.iter().all(|aim| row(aim.what).contains(&aim.wanted())));
        let all = AIMS.len();
        let sum = format!("Of {all} aims 2 were reached, 1 were missed and {} were not measured.", all - 3);
        assert!(text.contains(&sum), "{text}");
    }

    #[test]
    fn what_stands_in_the_way_is_said_of_those_that_are_missed_alone() {
        let mut report = Report::new(Machine::here(1), &Settings::smoke(PathBuf::new()));
        report.found("c.redis", Ok(Spread::single(1.2)));
        assert!(!report.markdown().contains(REASONS), "it is reached");
        report.found("g.memory", Ok(Spread::single(1.1)));
        let text = report.markdown();
        assert!(text.contains(REASONS) && text.contains("\n\n- *Memory per tenant.*"), "{text}");
        assert!(!text.contains("- *A new connection"), "{text}");
    }
}
