//! The users and groups that the configuration names, and the numbers that are in force for them.
//!
//! A directory service that is away says now that it cannot tell and now that there is no such user: neither takes a
//! number away that was found before, at least not at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crate::core::time::BootTime;
use crate::os::accounts::Accounts;
use crate::os::looks::Looks;

/// How long the number of a user or group stays in force that cannot be found any more. A directory that is away for a
/// while locks nobody out, and who was removed for good is out on the same day.
pub(crate) const KEPT: Duration = Duration::from_secs(3600);

/// A user or a group, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account {
    User(String),
    Group(String),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "the user {name:?}"),
            Self::Group(name) => write!(f, "the group {name:?}"),
        }
    }
}

/// What a look-up may say: a number, that there is none, or that it cannot tell.
pub(crate) type LookedUp = io::Result<Option<u32>>;

impl Account {
    /// Its number, where that is the same on every machine.
    pub(super) fn everywhere(&self) -> Option<u32> {
        let (Self::User(name) | Self::Group(name)) = self;
        (name == "root").then_some(0)
    }

    /// May hang.
    fn look_up(&self, directory: &dyn Accounts) -> LookedUp {
        match self {
            Self::User(name) => directory.user(name),
            Self::Group(name) => directory.group(name),
        }
    }
}

/// One look-up for each of these: side by side, because one of them may be local and another one not.
pub(crate) fn looks(accounts: &[Account], directory: &Arc<dyn Accounts>) -> Looks<LookedUp> {
    let mut looks = Looks::new();
    for account in accounts {
        let (looked_for, directory) = (account.clone(), Arc::clone(directory));
        looks.add(&format!("the number of {account}"), move || looked_for.look_up(&*directory));
    }
    looks
}

/// What is known of the accounts that are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    known: BTreeMap<Account, Known>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    number: Option<u32>,
    /// What the last look-up said.
    trouble: Option<Trouble>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// There is none, as has been said since then.
    Missing(BootTime),
    /// Whether there is one could not be told.
    Unknown(String),
}

impl Numbers {
    /// For exactly these accounts, all looked up within `patience`; `before` is what was in force for them.
    pub(crate) fn find(
        wanted: BTreeSet<Account>,
        before: &Self,
        directory: &Arc<dyn Accounts>,
        patience: Duration,
        now: BootTime,
    ) -> Self {
        let mut numbers = Self::default();
        for account in &wanted {
            if let Some(known) = before.known.get(account) {
                numbers.known.insert(account.clone(), known.clone());
            }
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        for (account, result) in wanted.iter().zip(looks(&wanted, directory).wait(patience)) {
            let looked_up = result.unwrap_or_else(|undone| Err(io::Error::other(undone)));
            numbers.learn(account, looked_up, now);
        }
        numbers
    }

    /// Takes in what a look-up said; returns whether another number is in force for it, or none.
    pub(crate) fn learn(&mut self, account: &Account, looked_up: LookedUp, now: BootTime) -> bool {
        let known = self.known.entry(account.clone()).or_default();
        let before = known.number;
        known.trouble = match looked_up {
            Ok(Some(number)) => {
                known.number = Some(number);
                None
            }
            Ok(None) => {
                let since = match known.trouble {
                    Some(Trouble::Missing(since)) => since,
                    _ => now,
                };
                if now.since(since) >= KEPT {
                    known.number = None;
                }
                Some(Trouble::Missing(since))
            }
            Err(error) => Some(Trouble::Unknown(why(&error))),
        };
        known.number != before
    }

    /// Takes over what was found elsewhere meanwhile.
    pub(crate) fn adopt(&mut self, other: &Self) {
        for (account, known) in &mut self.known {
            if known.number.is_none() {
                known.number = other.known.get(account).and_then(|other| other.number);
            }
        }
    }

    /// The number in force.
    pub(crate) fn of(&self, account: &Account) -> Option<u32> {
        account.everywhere().or_else(|| self.known.get(account)?.number)
    }

    /// Those that are to be looked up again.
    pub(crate) fn wanted(&self) -> Vec<Account> {
        self.known.iter().filter(|(_, known)| known.trouble.is_some()).map(|(account, _)| account.clone()).collect()
    }

    /// What is wrong with an account, if anything is; `without` says what it costs as long as it has no number.
    pub(super) fn problem(&self, account: &Account, without: &str) -> Option<String> {
        let known = self.known.get(account)?;
        let problem = match known.trouble.as_ref()? {
            Trouble::Missing(_) if known.number.is_some() => "cannot be found any more".to_owned(),
            Trouble::Missing(_) => "does not exist (yet)".to_owned(),
            Trouble::Unknown(why) => format!("could not be looked up ({why})"),
        };
        let cost = match (known.number, &known.trouble) {
            (Some(number), Some(Trouble::Missing(_))) => {
                format!("its number {number} stays in force for {} min at most", KEPT.as_secs() / 60)
            }
            (Some(number), _) => format!("its number {number} stays in force"),
            (None, _) => without.to_owned(),
        };
        Some(format!("{account} {problem}; {cost}, and it is looked up again each minute"))
    }
}

fn why(error: &io::Error) -> String {
    // What the thread said, or the system.
    match error.get_ref() {
        Some(undone) => undone.to_string(),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn netops() -> Account {
        Account::User("netops".to_owned())
    }

    fn gone() -> LookedUp {
        Err(io::Error::from(io::ErrorKind::TimedOut))
    }

    #[test]
    fn a_number_that_was_found_stays_while_the_directory_cannot_tell() {
        let mut numbers = Numbers::default();
        assert!(numbers.learn(&netops(), Ok(Some(1001)), BootTime(0)));
        assert_eq!((numbers.of(&netops()), numbers.wanted()), (Some(1001), Vec::new()));
        for hour in 1..100 {
            assert!(!numbers.learn(&netops(), gone(), BootTime(hour * 3_600_000)));
        }
        assert_eq!((numbers.of(&netops()), numbers.wanted()), (Some(1001), vec![netops()]));
        let expected = "the user \"netops\" could not be looked up (timed out); its number 1001 stays in force, and it is \
                        looked up again each minute";
        assert_eq!(numbers.problem(&netops(), "").as_deref(), Some(expected));
        assert!(numbers.learn(&netops(), Ok(Some(1002)), BootTime(0)), "another number is news");
        assert_eq!((numbers.of(&netops()), numbers.problem(&netops(), "")), (Some(1002), None));
    }

    #[test]
    fn a_number_of_somebody_who_is_gone_stays_for_a_while() {
        let mut numbers = Numbers::default();
        numbers.learn(&netops(), Ok(Some(1001)), BootTime(0));
        let minute = |minute: u64| BootTime(minute * 60_000);
        assert!(!numbers.learn(&netops(), Ok(None), minute(7)));
        assert!(!numbers.learn(&netops(), Ok(None), minute(66)));
        assert_eq!(numbers.of(&netops()), Some(1001));
        assert!(numbers.learn(&netops(), Ok(None), minute(67)));
        assert_eq!((numbers.of(&netops()), numbers.wanted()), (None, vec![netops()]));
        let expected =
            "the user \"netops\" does not exist (yet); nobody matches, and it is looked up again each minute";
        assert_eq!(numbers.problem(&netops(), "nobody matches").as_deref(), Some(expected));
    }

    #[test]
    fn root_needs_no_directory() {
        assert_eq!(Numbers::default().of(&Account::User("root".into())), Some(0));
        assert_eq!(Numbers::default().of(&netops()), None);
    }
}
