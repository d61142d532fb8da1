//! What a scenario has shown: a line for each thing.

use std::fmt::{Debug, Display};

use harness::Ran;

/// The lines of one scenario.
pub(crate) struct Checks {
    scenario: &'static str,
    lines: Vec<String>,
    failed: usize,
}

impl Checks {
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self { scenario, lines: Vec::new(), failed: 0 }
    }

    /// `what` is a sentence that is true if `good`; `seen` is what it was judged by.
    pub(crate) fn check(&mut self, what: &str, good: bool, seen: impl Display) {
        let word = if good { "ok    " } else { "FAILED" };
        self.failed += usize::from(!good);
        self.lines.push(format!("{word} {}: {what}: {seen}", self.scenario));
    }

    pub(crate) fn equal<T: PartialEq + Debug>(&mut self, what: &str, seen: T, expected: T) {
        let good = seen == expected;
        let seen = if good { format!("{seen:?}") } else { format!("{seen:?} instead of {expected:?}") };
        self.check(what, good, seen);
    }

    /// A run that has to end with this status.
    pub(crate) fn ends(&mut self, what: &str, ran: &Ran, status: i32) {
        let said = if ran.status == status { String::new() } else { format!(", {}{}", ran.stdout, ran.stderr) };
        self.check(what, ran.status == status, format!("status {}{said}", ran.status));
    }

    /// A text that has to hold all of these.
    pub(crate) fn holds(&mut self, what: &str, text: &str, parts: &[&str]) {
        let missing: Vec<&&str> = parts.iter().filter(|part| !text.contains(**part)).collect();
        let seen = if missing.is_empty() {
            parts.iter().map(|part| format!("{part:?}")).collect::<Vec<_>>().join(", ")
        } else {
            format!("no {missing:?} in {text:?}")
        };
        self.check(what, missing.is_empty(), seen);
    }

    pub(crate) fn count(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
