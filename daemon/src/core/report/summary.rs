//! All names in one line, for a person who looks at the service.

use std::fmt;

use crate::core::Core;
use crate::core::activity::Activity;
use crate::core::time::BootTime;
use crate::core::token_state::{Name, Trouble};

/// Names in trouble that are shown with their reason.
const TOLD: usize = 2;

/// Characters of a reason that are shown: what is on the line stays readable.
const REASON: usize = 120;

/// How many names there are and how they are doing. Shown as, for example, `12 names: 10 good, 1 renewing, 1 in
/// trouble (legacy: its chain of refresh tokens was never started)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// With a good token and nothing to do.
    pub good: usize,
    /// Whose first or next token is under way.
    pub renewing: usize,
    /// Whose last attempt failed, whether or not they still have a good token.
    pub in_trouble: usize,
    /// The first of those in trouble, in the order of their names, and why.
    pub told: Vec<(String, String)>,
}

impl Core {
    /// How all names are doing at this moment.
    #[must_use]
    pub fn summary(&self, now: BootTime) -> Summary {
        let mut summary = Summary::default();
        for (name, entry) in &self.names {
            match of(entry, now) {
                Doing::Good => summary.good += 1,
                Doing::Renewing => summary.renewing += 1,
                Doing::InTrouble(trouble) => {
                    summary.in_trouble += 1;
                    if summary.told.len() < TOLD {
                        summary.told.push((name.to_string(), trouble.message.chars().take(REASON).collect()));
                    }
                }
            }
        }
        summary
    }
}

enum Doing<'a> {
    Good,
    Renewing,
    InTrouble(&'a Trouble),
}

fn of(entry: &Name, now: BootTime) -> Doing<'_> {
    match &entry.trouble {
        Some(trouble) => Doing::InTrouble(trouble),
        None if entry.activity == Activity::Idle && entry.good(now).is_some() => Doing::Good,
        None => Doing::Renewing,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.good + self.renewing + self.in_trouble;
        match names {
            0 => return f.write_str("no names are configured"),
            1 => f.write_str("1 name: ")?,
            _ => write!(f, "{names} names: ")?,
        }
        write!(f, "{} good", self.good)?;
        if self.renewing > 0 {
            write!(f, ", {} renewing", self.renewing)?;
        }
        if self.in_trouble == 0 {
            return Ok(());
        }
        write!(f, ", {} in trouble (", self.in_trouble)?;
        for (index, (name, reason)) in self.told.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{name}: {reason}")?;
        }
        match self.in_trouble - self.told.len().min(self.in_trouble) {
            0 => f.write_str(")"),
            more => write!(f, "; and {more} more)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(good: usize, renewing: usize, troubles: &[(&str, &str)], more: usize) -> String {
        let told: Vec<_> = troubles.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
        Summary { good, renewing, in_trouble: told.len() + more, told }.to_string()
    }

    #[test]
    fn the_line_says_what_there_is_and_nothing_else() {
        assert_eq!(line(0, 0, &[], 0), "no names are configured");
        assert_eq!(line(1, 0, &[], 0), "1 name: 1 good");
        assert_eq!(line(10, 1, &[("legacy", "no")], 0), "12 names: 10 good, 1 renewing, 1 in trouble (legacy: no)");
        assert_eq!(line(0, 3, &[], 0), "3 names: 0 good, 3 renewing");
        assert_eq!(line(0, 0, &[("a", "x"), ("b", "y")], 7), "9 names: 0 good, 9 in trouble (a: x; b: y; and 7 more)");
    }
}
