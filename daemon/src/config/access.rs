//! `[[access]]`: names of users and groups become numbers here.

use std::collections::BTreeMap;
use std::io;

use tokend_proto::ProfileName;

use super::findings::{Findings, Found};
use super::profile::Parsed;
use super::raw::{Raw, Section, Shape};
use super::validate::Context;
use crate::core::access::{Access, Pattern, Rule};
use crate::core::settings::Kind;
use crate::core::unit::UnitRule;

type Profiles = BTreeMap<ProfileName, Option<Parsed>>;

/// All rules. `profiles` is what their patterns are held against.
pub(super) fn parse(rules: Vec<Raw<'_>>, profiles: &Profiles, context: &Context<'_>) -> Access {
    let mut parsed = Vec::new();
    for raw in rules {
        let place = raw.place.clone();
        match raw.into_shape() {
            Shape::Table(section) => parsed.push(rule(section, profiles, context)),
            _ => context.findings.error(&place, "is not a table; right is a section [[access]]"),
        }
    }
    Access::new(parsed, context.environment.surroundings.uid())
}

fn rule(mut section: Section<'_>, profiles: &Profiles, context: &Context<'_>) -> Rule {
    let findings = context.findings;
    let place = section.place.clone();
    let listed = section.texts("profiles", "a list of patterns in quotes, such as [\"campus\", \"msp/*\"]");
    if listed.is_empty() {
        let place = section.place_of("profiles");
        let problem = "is missing or empty; right is a list of patterns, such as [\"campus\", \"msp/*\"]";
        section.miss(&["profiles"], place, problem);
    }
    let patterns = listed.iter().filter_map(|found| pattern(found, profiles, findings)).collect();

    let users = accounts("users", &mut section);
    let groups = accounts("groups", &mut section);
    let units_place = section.place_of("units");
    let units = section.texts("units", "a list of systemd units in quotes, such as [\"aruba-exporter.service\"]");
    if !units.is_empty()
        && let Some(problem) = (context.environment.unit_sight)().problem()
    {
        findings.warn(&units_place, format!("match nobody: {problem}"));
    }
    if users.is_empty() && groups.is_empty() && units.is_empty() {
        let problem = "is for nobody; right is at least one of users, groups and units with somebody in it";
        section.miss(&["users", "groups", "units"], place.clone(), problem);
    }
    let admin = section.boolean("admin").unwrap_or(false);
    section.finish();

    let directory = &context.environment.accounts;
    let number = |what: Account| move |found: &Found<String>| what.number(found, &**directory, findings);
    Rule {
        profiles: patterns,
        users: users.iter().filter_map(number(Account::User)).collect(),
        groups: groups.iter().filter_map(number(Account::Group)).collect(),
        units: units.iter().filter_map(|found| unit(found, findings)).collect(),
        admin,
    }
}

fn pattern(found: &Found<String>, profiles: &Profiles, findings: &Findings) -> Option<Pattern> {
    let text = &found.value;
    let pattern: Pattern = match text.parse() {
        Ok(pattern) => pattern,
        Err(why) => {
            findings.error(&found.place, format!("{text:?} {why}"));
            return None;
        }
    };
    // Of a profile that is wrong it cannot be told.
    let may_have_tenants = |parsed: &Option<Parsed>| match parsed {
        Some((profile, _)) => matches!(&profile.kind, Kind::Glp { tenants: Some(_), .. }),
        None => true,
    };
    let mut matching = profiles.iter().filter(|(name, _)| pattern.matches_profile(name)).peekable();
    if matching.peek().is_none() {
        findings.warn(&found.place, format!("{text:?} stands for no profile of this file"));
    } else if pattern.is_of_tenants() && !matching.any(|(_, parsed)| may_have_tenants(parsed)) {
        let advice = "only a glp profile with a section [profiles.NAME.tenants] has them";
        findings.warn(&found.place, format!("{text:?} stands for tenants, and its profile has none; {advice}"));
    }
    Some(pattern)
}

fn accounts(key: &'static str, section: &mut Section<'_>) -> Vec<Found<String>> {
    let right = "a list of names in quotes, such as [\"netops\"]";
    section.list(key, right).into_iter().filter_map(|raw| raw.text_or_number(right)).collect()
}

#[derive(Clone, Copy)]
enum Account {
    User,
    Group,
}

impl Account {
    /// A name that does not exist yet matches nobody.
    fn number(self, found: &Found<String>, directory: &dyn super::Accounts, findings: &Findings) -> Option<u32> {
        let name = &found.value;
        let (what, looked_up) = match self {
            _ if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) => {
                return number(found, findings);
            }
            Self::User => ("user", directory.user(name)),
            Self::Group => ("group", directory.group(name)),
        };
        report(found, what, looked_up, findings)
    }
}

fn number(found: &Found<String>, findings: &Findings) -> Option<u32> {
    // The last number means "no user" to the kernel (chown(2)).
    let number = found.value.parse().ok().filter(|number| *number != u32::MAX);
    if number.is_none() {
        findings.error(
            &found.place,
            format!("{} is out of range; right is a name, or a number below 4294967295", found.value),
        );
    }
    number
}

fn report(found: &Found<String>, what: &str, looked_up: io::Result<Option<u32>>, findings: &Findings) -> Option<u32> {
    let problem = match looked_up {
        Ok(Some(number)) => return Some(number),
        Ok(None) => "does not exist (yet)".to_owned(),
        Err(error) => format!("could not be looked up ({})", error.kind()),
    };
    let advice = "the rule matches nobody by it until that is mended and the configuration reloaded";
    findings.warn(&found.place, format!("the {what} {:?} {problem}; {advice}", found.value));
    None
}

fn unit(found: &Found<String>, findings: &Findings) -> Option<UnitRule> {
    let Found { value, place } = found;
    value.parse().map_err(|why| findings.error(place, format!("{value:?} {why}"))).ok()
}
