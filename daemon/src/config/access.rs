//! `[[access]]`: rules that name users and groups, and the rules in force, which know their numbers.

use std::collections::{BTreeMap, BTreeSet};

use tokend_proto::ProfileName;

use super::accounts::{Account, Numbers};
use super::context::Context;
use super::diagnostics::{Diagnostics, Place, Spanned};
use super::keys;
use super::profile::kind::Parsed;
use super::value::{Section, Value};
use crate::access::policy::{Access, Pattern, Rule};
use crate::access::unit::UnitRule;
use crate::core::settings::Kind;

type Profiles = BTreeMap<ProfileName, Option<Parsed>>;

/// The rules as they stand in the file.
#[derive(Debug, Clone)]
pub(crate) struct AccessRules {
    rules: Vec<NamedRule>,
    daemon_uid: u32,
}

#[derive(Debug, Clone)]
struct NamedRule {
    /// Without users and groups.
    rule: Rule,
    users: Vec<Spanned<Who>>,
    groups: Vec<Spanned<Who>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Number(u32),
    Named(Account),
}

impl AccessRules {
    /// All whose numbers have to be looked up.
    pub(super) fn names(&self) -> BTreeSet<Account> {
        self.named().map(|(account, _)| account.clone()).filter(|account| account.everywhere().is_none()).collect()
    }

    /// The rules in force. A name without a number matches nobody.
    pub(crate) fn with(&self, numbers: &Numbers) -> Access {
        let number = |who: &Spanned<Who>| match &who.value {
            Who::Number(number) => Some(*number),
            Who::Named(account) => numbers.of(account),
        };
        let rule = |named: &NamedRule| Rule {
            users: named.users.iter().filter_map(number).collect(),
            groups: named.groups.iter().filter_map(number).collect(),
            ..named.rule.clone()
        };
        Access::new(self.rules.iter().map(rule).collect(), self.daemon_uid)
    }

    /// Names that are in trouble, with their places.
    pub(super) fn problems(&self, numbers: &Numbers) -> Vec<(Place, String)> {
        let of_name = |(account, place): (&Account, &Place)| {
            let problem = numbers.problem(account, "the rule matches nobody by it until it is found")?;
            Some((place.clone(), problem))
        };
        self.named().filter_map(of_name).collect()
    }

    /// Whether both say the same, wherever it stands.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        let values = |who: &[Spanned<Who>]| who.iter().map(|found| found.value.clone()).collect::<Vec<_>>();
        let says = |named: &NamedRule| (named.rule.clone(), values(&named.users), values(&named.groups));
        self.daemon_uid == other.daemon_uid && self.rules.iter().map(says).eq(other.rules.iter().map(says))
    }

    fn named(&self) -> impl Iterator<Item = (&Account, &Place)> {
        let all = self.rules.iter().flat_map(|named| named.users.iter().chain(&named.groups));
        all.filter_map(|found| match &found.value {
            Who::Number(_) => None,
            Who::Named(account) => Some((account, &found.place)),
        })
    }
}

/// All rules. `profiles` is what their patterns are held against.
pub(super) fn parse(rules: Vec<Value<'_>>, profiles: &Profiles, context: &Context<'_>) -> AccessRules {
    let mut parsed = Vec::new();
    for raw in rules {
        match raw.into_section(&keys::ACCESS) {
            Ok(section) => parsed.push(rule(section, profiles, context)),
            Err(raw) => context.diagnostics.error(&raw.place, "is not a table; expected a section [[access]]"),
        }
    }
    AccessRules { rules: parsed, daemon_uid: context.environment.process_env.uid() }
}

fn rule(mut section: Section<'_>, profiles: &Profiles, context: &Context<'_>) -> NamedRule {
    let diagnostics = context.diagnostics;
    let place = section.place.clone();
    let listed = section.texts("profiles");
    if listed.is_empty() {
        let place = section.place_of("profiles");
        let problem = format!("is missing or empty; expected {}", section.expected("profiles"));
        section.miss(&["profiles"], place, problem);
    }
    let patterns = listed.iter().filter_map(|found| pattern(found, profiles, diagnostics)).collect();

    let users = accounts("users", &mut section);
    let groups = accounts("groups", &mut section);
    let units_place = section.place_of("units");
    let units = section.texts("units");
    if !units.is_empty()
        && let Some(problem) = (context.environment.unit_lookup)().problem()
    {
        diagnostics.warn(&units_place, format!("match nobody: {problem}"));
    }
    if users.is_empty() && groups.is_empty() && units.is_empty() {
        let problem = "is for nobody; expected at least one of users, groups and units with somebody in it";
        section.miss(&["users", "groups", "units"], place.clone(), problem);
    }
    let admin = section.boolean("admin").unwrap_or_default();
    section.finish();

    let those =
        |found: Vec<Spanned<String>>, account| found.into_iter().filter_map(move |one| who(one, account, diagnostics));
    let rule = Rule {
        profiles: patterns,
        units: units.iter().filter_map(|found| unit(found, diagnostics)).collect(),
        admin,
        ..Rule::default()
    };
    NamedRule { rule, users: those(users, Account::User).collect(), groups: those(groups, Account::Group).collect() }
}

fn pattern(found: &Spanned<String>, profiles: &Profiles, diagnostics: &Diagnostics) -> Option<Pattern> {
    let text = &found.value;
    let pattern: Pattern = match text.parse() {
        Ok(pattern) => pattern,
        Err(why) => {
            diagnostics.error(&found.place, format!("{text:?} {why}"));
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
        diagnostics.warn(&found.place, format!("{text:?} stands for no profile of this file"));
    } else if pattern.is_of_tenants() && !matching.any(|(_, parsed)| may_have_tenants(parsed)) {
        let advice = "only a glp profile with a section [profiles.NAME.tenants] has them";
        diagnostics.warn(&found.place, format!("{text:?} stands for tenants, and its profile has none; {advice}"));
    }
    Some(pattern)
}

fn accounts(key: &'static str, section: &mut Section<'_>) -> Vec<Spanned<String>> {
    section.list(key).into_iter().filter_map(Value::text_or_number).collect()
}

/// A number as it is given, or a name that is to be looked up.
fn who(found: Spanned<String>, account: fn(String) -> Account, diagnostics: &Diagnostics) -> Option<Spanned<Who>> {
    let Spanned { value, place } = found;
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Some(Spanned { value: Who::Named(account(value)), place });
    }
    // The last number means "no user" to the kernel (chown(2)).
    match value.parse().ok().filter(|number| *number != u32::MAX) {
        Some(number) => Some(Spanned { value: Who::Number(number), place }),
        None => {
            let problem = format!("{value} is out of range; expected a name, or a number below 4294967295");
            diagnostics.error(&place, problem);
            None
        }
    }
}

fn unit(found: &Spanned<String>, diagnostics: &Diagnostics) -> Option<UnitRule> {
    let Spanned { value, place } = found;
    value.parse().map_err(|why| diagnostics.error(place, format!("{value:?} {why}"))).ok()
}
