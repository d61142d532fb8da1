//! Where the demo writes: colour on a terminal, plain text elsewhere.

use std::io::{self, IsTerminal, Write};

/// A place for lines.
pub struct Out {
    to: Box<dyn Write + Send>,
    colour: bool,
}

/// What a piece of text says about how things are: ECMA-48 SGR parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Heading,
    Dim,
    Good,
    Bad,
}

impl Out {
    /// This process's stdout. NO_COLOR counts when it is not empty (no-color.org).
    #[must_use]
    pub fn stdout() -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { to: Box::new(io::stdout()), colour: io::stdout().is_terminal() && !no_color && !dumb }
    }

    /// Anything else, without colour.
    #[must_use]
    pub fn plain(to: impl Write + Send + 'static) -> Self {
        Self { to: Box::new(to), colour: false }
    }

    pub(super) fn colour(&self) -> bool {
        self.colour
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.text(&format!("{line}\n"))
    }

    /// Writes text that ends its lines itself.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }

    pub(super) fn paint(&self, text: &str, tone: Tone) -> String {
        paint(text, tone, self.colour)
    }
}

/// Text in its colour, if there are colours.
pub(super) fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        Tone::Heading => "1",
        Tone::Dim => "2",
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Plain => return text.to_owned(),
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
