//! What is wrong or odd, with file, line and key.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with the configuration: `FILE:LINE: KEY: what is wrong; what is expected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The configuration file.
    pub file: PathBuf,
    /// From 1; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    /// As it would be written in full, such as `profiles.campus.client_id`; `None` for a syntax error.
    pub key: Option<String>,
    /// What is wrong, and what is expected.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let Some(key) = &self.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// Where something stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) line: Option<usize>,
    pub(crate) key: Option<String>,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T> Spanned<T> {
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: make(self.value), place: self.place }
    }
}

/// All that was found so far.
pub(super) struct Diagnostics {
    file: PathBuf,
    line_starts: Vec<usize>,
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<Warning>>,
}

/// Something odd.
struct Warning {
    finding: ConfigError,
    /// It is as true as the file; else it may be otherwise a moment later.
    lasts: bool,
}

impl Diagnostics {
    pub(super) fn of(file: &Path, text: &str) -> Self {
        let after_newline = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_newline).collect();
        Self { file: file.to_owned(), line_starts, errors: RefCell::default(), warnings: RefCell::default() }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1, of a byte of the text.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    pub(super) fn error(&self, place: &Place, problem: impl Into<String>) {
        self.errors.borrow_mut().push(self.finding(place, problem.into()));
    }

    pub(super) fn warn(&self, place: &Place, problem: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning { finding: self.finding(place, problem.into()), lasts: true });
    }

    /// As [`Diagnostics::warn`], of what may change without the file.
    pub(super) fn warn_of_the_moment(&self, place: &Place, problem: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning { finding: self.finding(place, problem.into()), lasts: false });
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    fn finding(&self, place: &Place, problem: String) -> ConfigError {
        ConfigError { file: self.file.clone(), line: place.line, key: place.key.clone(), problem }
    }

    /// Errors, warnings, and those of the warnings that last, each in the order of their lines.
    pub(super) fn into_parts(self) -> (Vec<ConfigError>, Vec<String>, Vec<String>) {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|finding| finding.line);
        let mut warnings = self.warnings.into_inner();
        warnings.sort_by_key(|warning| warning.finding.line);
        let lasting =
            warnings.iter().filter(|warning| warning.lasts).map(|warning| warning.finding.to_string()).collect();
        (errors, warnings.iter().map(|warning| warning.finding.to_string()).collect(), lasting)
    }
}
