//! How text looks: tables and colour on a terminal, plain lines in a pipe, and no control characters from elsewhere in
//! either.

use std::env;
use std::io::{IsTerminal, stdout};

use crate::text::{Format, escaped};

/// What stdout can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Aligned columns under a header; otherwise lines of fields separated by tabs.
    pub(crate) table: bool,
    /// Escape sequences that colour.
    pub(crate) colour: bool,
    /// Escape sequences that move the cursor.
    pub(crate) moves: bool,
}

impl Style {
    /// For this process's stdout. NO_COLOR counts when it is not empty (no-color.org).
    pub(crate) fn of_stdout() -> Self {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let table = stdout().is_terminal();
        Self { table, colour: table && !no_color && !dumb, moves: table && !dumb }
    }

    /// Whether new output is drawn over the old.
    pub(crate) fn redraws(self, format: Format) -> bool {
        self.moves && format == Format::Text
    }
}

/// The colour of a cell, by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Heading,
    Good,
    Passing,
    Bad,
}

impl Tone {
    /// ECMA-48 SGR parameters.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Good => Some("32"),
            Self::Passing => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

/// One field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: &str, tone: Tone) -> Self {
        Self { text: escaped(text).into_owned(), tone }
    }

    /// `-` for an empty value, so that every line has all its fields.
    pub(crate) fn optional(text: Option<&str>) -> Self {
        text.filter(|text| !text.is_empty()).unwrap_or("-").into()
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Formats rows that have as many cells as the header. In a pipe: a line for each row, fields separated by tabs, no
/// header.
pub(crate) fn table(style: Style, header: &[&str], rows: &[Vec<Cell>]) -> String {
    if !style.table {
        return rows
            .iter()
            .map(|row| row.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join("\t") + "\n")
            .collect();
    }
    let heading: Vec<Cell> = header.iter().map(|name| Cell::new(name, Tone::Heading)).collect();
    let lines = || std::iter::once(&heading).filter(|it| !it.is_empty()).chain(rows);
    let columns = lines().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in lines() {
        for (index, cell) in row.iter().enumerate() {
            let padding = if index + 1 == row.len() { 0 } else { widths[index] - cell.text.chars().count() + 2 };
            match cell.tone.code().filter(|_| style.colour) {
                Some(code) => text.push_str(&format!("\x1b[{code}m{}\x1b[0m", cell.text)),
                None => text.push_str(&cell.text),
            }
            text.extend(std::iter::repeat_n(' ', padding));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec!["campus".into(), Cell::new("good", Tone::Good), Cell::optional(None)],
            vec!["a".into(), Cell::new("rejected", Tone::Bad), "x\ty\u{1b}[2J".into()],
        ]
    }

    #[test]
    fn in_a_pipe_a_line_is_its_fields_between_tabs() {
        let style = Style { table: false, colour: false, moves: false };
        let text = table(style, &["NAME", "HEALTH", "WHY"], &rows());
        assert_eq!(text, "campus\tgood\t-\na\trejected\tx\\ty\\u{1b}[2J\n");
    }

    #[test]
    fn on_a_terminal_columns_stand_under_their_header() {
        let style = Style { table: true, colour: false, moves: true };
        let text = table(style, &["NAME", "HEALTH", "WHY"], &rows());
        assert_eq!(text, "NAME    HEALTH    WHY\ncampus  good      -\na       rejected  x\\ty\\u{1b}[2J\n");
    }

    #[test]
    fn colour_does_not_shift_the_columns() {
        let style = Style { table: true, colour: true, moves: true };
        let text = table(style, &[], &rows());
        let tail = "\na       \u{1b}[31mrejected\u{1b}[0m  x\\ty\\u{1b}[2J\n";
        assert_eq!(text, format!("campus  \u{1b}[32mgood\u{1b}[0m      -{tail}"));
    }
}
