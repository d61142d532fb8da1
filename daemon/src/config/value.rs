//! Keys and their types, as they stand in the file.
//!
//! A [`Section`] hands out each key once; what is left over at its end is unknown. Values are shown in diagnostics only
//! only where it is known that they are no secrets: here only types are named.

use std::collections::BTreeMap;

use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostics::{Diagnostics, Place, Spanned};
use super::keys::{Key, Table, Unsaid};
use super::suggest::closest;

/// Parses the whole file. After a syntax error there is nothing more to say: `None`.
pub(super) fn document<'c>(text: &'c str, diagnostics: &'c Diagnostics) -> Option<Section<'c>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let Some(first) = errors.first() else {
        let place = Place::default();
        return Some(Section::new(table.into_inner(), place, diagnostics));
    };
    let line = first.span().map(|span| diagnostics.line_of(span.start));
    // The parser's message says what it expected; only its `Display` would repeat the line, with what stands in it.
    diagnostics.error(&Place { line, key: None }, format!("is not TOML: {}; see https://toml.io", first.message()));
    None
}

/// A value and where it stands.
pub(super) struct Value<'c> {
    value: DeValue<'c>,
    pub(super) place: Place,
    /// What is known of its key, if that is not a name that a person has chosen.
    row: Option<&'static Key>,
    diagnostics: &'c Diagnostics,
}

/// What a [`Value`] turned out to be.
pub(super) enum Shape<'c> {
    Text(String),
    Table(Section<'c>),
    List(Vec<Value<'c>>),
    Other,
}

impl<'c> Value<'c> {
    pub(super) fn into_shape(self) -> Shape<'c> {
        let Self { value, place, row, diagnostics } = self;
        match value {
            DeValue::String(text) => Shape::Text(text.into_owned()),
            DeValue::Table(table) => Shape::Table(Section::new(table, place, diagnostics)),
            DeValue::Array(array) => Shape::List(elements(array, &place, row, diagnostics)),
            _ => Shape::Other,
        }
    }

    /// A table with these keys, or what else it is.
    pub(super) fn into_section(self, table: &'static Table) -> Result<Section<'c>, Self> {
        match self.value {
            DeValue::Table(inner) => Ok(Section::new(inner, self.place, self.diagnostics).with(table)),
            _ => Err(self),
        }
    }

    /// Records that this type is wrong here.
    fn mistyped<T>(&self) -> Option<T> {
        let expected = self.row.map_or_else(|| "another type".to_owned(), Key::expected);
        let found = match &self.value {
            DeValue::String(_) => "is text in quotes",
            DeValue::Integer(_) => "is a whole number",
            DeValue::Float(_) => "is a number",
            DeValue::Boolean(_) => "is true or false",
            DeValue::Datetime(_) => "is a date",
            DeValue::Array(_) => "is a list",
            DeValue::Table(_) => "is a table",
        };
        self.diagnostics.error(&self.place, format!("{found}; expected {expected}"));
        None
    }

    fn text(self) -> Option<Spanned<String>> {
        match self.value {
            DeValue::String(text) => Some(Spanned { value: text.into_owned(), place: self.place }),
            _ => self.mistyped(),
        }
    }

    /// Text, or a number that is meant as text: users and groups can be given as numbers.
    pub(super) fn text_or_number(self) -> Option<Spanned<String>> {
        match &self.value {
            DeValue::Integer(number) if number.radix() == 10 => {
                Some(Spanned { value: number.as_str().to_owned(), place: self.place })
            }
            _ => self.text(),
        }
    }
}

fn elements<'c>(
    array: DeArray<'c>,
    place: &Place,
    row: Option<&'static Key>,
    diagnostics: &'c Diagnostics,
) -> Vec<Value<'c>> {
    let element = |element: toml::Spanned<DeValue<'c>>| {
        let line = Some(diagnostics.line_of(element.span().start));
        Value { place: Place { line, key: place.key.clone() }, value: element.into_inner(), row, diagnostics }
    };
    array.into_iter().map(element).collect()
}

/// A table, of which keys are taken.
pub(super) struct Section<'c> {
    pub(super) place: Place,
    entries: BTreeMap<String, Value<'c>>,
    /// What is known of its keys.
    rows: Vec<&'static Key>,
    missing: Vec<Missing>,
    diagnostics: &'c Diagnostics,
}

/// A key that has to be there and is not; which is said once all is known, as it may have been mistyped.
struct Missing {
    /// Any of them would do.
    keys: Vec<&'static str>,
    place: Place,
    problem: String,
}

impl<'c> Section<'c> {
    fn new(table: DeTable<'c>, place: Place, diagnostics: &'c Diagnostics) -> Self {
        let entry = |(key, value): (toml::Spanned<_>, toml::Spanned<DeValue<'c>>)| {
            let line = Some(diagnostics.line_of(key.span().start));
            let key: std::borrow::Cow<'_, str> = key.into_inner();
            let full = full_key(place.key.as_deref(), &key);
            (
                key.into_owned(),
                Value { value: value.into_inner(), place: Place { line, key: Some(full) }, row: None, diagnostics },
            )
        };
        let entries = table.into_iter().map(entry).collect();
        Self { entries, place, rows: Vec::new(), missing: Vec::new(), diagnostics }
    }

    /// The keys of this table may stand here.
    pub(super) fn with(mut self, table: &'static Table) -> Self {
        self.allow(table);
        self
    }

    /// As [`Section::with`].
    pub(super) fn allow(&mut self, table: &'static Table) {
        self.rows.extend(table.keys);
        for (name, raw) in &mut self.entries {
            raw.row = raw.row.or_else(|| table.keys.iter().find(|row| row.name == name));
        }
    }

    /// What is known of a key of this section.
    fn row(&self, key: &str) -> &'static Key {
        self.rows.iter().find(|row| row.name == key).expect("each key that is asked for is documented")
    }

    /// What is expected of a key, for messages.
    pub(super) fn expected(&self, key: &str) -> String {
        self.row(key).expected()
    }

    /// Where a key of this section is, or would be.
    pub(super) fn place_of(&self, key: &str) -> Place {
        match self.entries.get(key) {
            Some(raw) => raw.place.clone(),
            None => Place { line: self.place.line, key: Some(full_key(self.place.key.as_deref(), key)) },
        }
    }

    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where a key is said. What is not said stands nowhere.
    pub(super) fn said_at(&self, key: &str) -> Place {
        Place { line: self.entries.get(key).and_then(|raw| raw.place.line), ..self.place_of(key) }
    }

    /// A key, or its default where that is a value.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'c>> {
        self.entries.remove(key).or_else(|| {
            let row = self.row(key);
            (row.default == Unsaid::Example).then(|| {
                let value = DeValue::parse(row.example).expect("a default is TOML").into_inner();
                Value { value, place: self.said_at(key), row: Some(row), diagnostics: self.diagnostics }
            })
        })
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        self.take(key)?.text()
    }

    /// Text that has to be there.
    pub(super) fn needed_text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        let expected = self.expected(key);
        self.need(key, &expected)?;
        self.text(key)
    }

    /// Records that a key is missing.
    pub(super) fn need(&mut self, key: &'static str, expected: &str) -> Option<()> {
        if self.has(key) {
            return Some(());
        }
        let place = self.place_of(key);
        self.missing.push(Missing { keys: vec![key], place, problem: format!("is missing; expected {expected}") });
        None
    }

    /// Records that none of these keys is there. It is not said if one of them has been mistyped, which is said then.
    pub(super) fn miss(&mut self, keys: &[&'static str], place: Place, problem: impl Into<String>) {
        self.missing.push(Missing { keys: keys.to_vec(), place, problem: problem.into() });
    }

    pub(super) fn whole_number(&mut self, key: &'static str) -> Option<Spanned<u32>> {
        let raw = self.take(key)?;
        let number = match &raw.value {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => return raw.mistyped(),
        };
        let Some(value) = number else {
            self.diagnostics.error(&raw.place, format!("is out of range; expected {}", self.expected(key)));
            return None;
        };
        Some(Spanned { value, place: raw.place })
    }

    pub(super) fn number(&mut self, key: &'static str) -> Option<Spanned<f64>> {
        let raw = self.take(key)?;
        let number = match &raw.value {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        };
        match number {
            Some(value) => Some(Spanned { value, place: raw.place }),
            None => raw.mistyped(),
        }
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let raw = self.take(key)?;
        match raw.value {
            DeValue::Boolean(value) => Some(value),
            _ => raw.mistyped(),
        }
    }

    /// A section below this one with keys of its own.
    pub(super) fn table(&mut self, key: &'static str, table: &'static Table) -> Option<Section<'c>> {
        let raw = self.take(key)?;
        match raw.value {
            DeValue::Table(inner) => Some(Section::new(inner, raw.place, self.diagnostics).with(table)),
            _ => raw.mistyped(),
        }
    }

    /// As [`Section::table`]; one that is not there has nothing in it.
    pub(super) fn section(&mut self, key: &'static str, table: &'static Table) -> Section<'c> {
        let place = self.said_at(key);
        self.table(key, table).unwrap_or_else(|| Section::new(DeTable::new(), place, self.diagnostics).with(table))
    }

    /// A table whose keys are names.
    pub(super) fn named(&mut self, key: &'static str) -> Option<Section<'c>> {
        let raw = self.take(key)?;
        match raw.value {
            DeValue::Table(inner) => Some(Section::new(inner, raw.place, self.diagnostics)),
            _ => raw.mistyped(),
        }
    }

    /// The elements of a list; none if the key is missing.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Value<'c>> {
        let Some(raw) = self.take(key) else { return Vec::new() };
        match raw.value {
            DeValue::Array(array) => elements(array, &raw.place, raw.row, self.diagnostics),
            _ => raw.mistyped().unwrap_or_default(),
        }
    }

    /// A list of texts; none if the key is missing.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Spanned<String>> {
        self.list(key).into_iter().filter_map(Value::text).collect()
    }

    /// All entries, for a table whose keys are names.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (String, Value<'c>)> {
        self.entries.into_iter()
    }

    fn names(&self) -> Vec<&'static str> {
        self.rows.iter().map(|row| row.name).collect()
    }

    /// Whatever is left over is unknown.
    pub(super) fn finish(self) {
        self.finish_explaining(|_| None);
    }

    /// As [`Section::finish`]; `explain` may know better why a key does not belong here.
    pub(super) fn finish_explaining(self, explain: impl Fn(&str) -> Option<String>) {
        let mut mistyped = Vec::new();
        for (key, raw) in &self.entries {
            let problem = explain(key).unwrap_or_else(|| match closest(key, self.rows.iter().map(|row| row.name)) {
                Some(meant) => {
                    mistyped.push(meant);
                    format!("is not a key of tokend; did you mean {meant}?")
                }
                None => format!("is not a key of tokend; expected one of {}", listed(&self.names())),
            });
            self.diagnostics.error(&raw.place, problem);
        }
        for missing in self.missing.iter().filter(|missing| !missing.keys.iter().any(|key| mistyped.contains(key))) {
            self.diagnostics.error(&missing.place, missing.problem.as_str());
        }
    }

    /// As [`Section::finish`], where a secret may have been typed as a key: the key is not named.
    pub(super) fn finish_without_naming(self) -> usize {
        for key in self.entries.keys() {
            let problem = match closest(key, self.rows.iter().map(|row| row.name)) {
                Some(meant) => format!("holds a key that is unknown; did you mean {meant}?"),
                None => format!("holds a key that is unknown; expected one of {}", listed(&self.names())),
            };
            self.diagnostics.error(&self.place, problem);
        }
        debug_assert!(self.missing.is_empty(), "this table's keys are alternatives");
        self.entries.len()
    }
}

/// `a, b and c`.
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => "none".to_owned(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A key as it would be written in full: quoted where TOML asks for it.
fn full_key(parent: Option<&str>, key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let key = if is_bare { key.to_owned() } else { format!("{key:?}") };
    match parent {
        None => key,
        Some(parent) => format!("{parent}.{key}"),
    }
}
