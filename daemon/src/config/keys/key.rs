//! What is known of one key.

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub value: &'static str,
    /// What it is when nothing is said.
    pub default: Unsaid,
    /// A value as TOML has it: the default where there is one that can be written.
    pub example: &'static str,
    /// Meaning, units, limits. Plain text; `code` stands between backticks.
    pub doc: &'static str,
    /// The key that this one takes the place of: never both.
    pub instead_of: Option<&'static str>,
}

impl Key {
    /// What is expected here, for messages.
    pub(crate) fn expected(&self) -> String {
        let Self { value, example, .. } = self;
        // A placeholder is no example of anything, and neither is one of a few words that stand there already.
        if value.contains(example) || value.contains('[') || example.contains("YOUR-") {
            return (*value).to_owned();
        }
        format!("{value}, such as {example}")
    }
}

/// What a key is when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// There is none: the key has to be there.
    Needed,
    /// In words: it cannot be written as one value, or nothing is done.
    Words(&'static str),
    /// The example.
    Example,
}

/// The keys of one section.
#[derive(Debug)]
pub struct Table {
    /// As it is written, such as `[server]`. Profiles are called NAME.
    pub header: &'static str,
    /// What the section is for. Plain text; `code` stands between backticks.
    pub doc: &'static str,
    /// Its keys, in the order of their importance.
    pub keys: &'static [Key],
}
