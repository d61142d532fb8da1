//! An event is one line: control characters in it, which words from a provider may hold, are escaped.

use std::fmt::Write as _;
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Escapes control characters in each event, then adds the colours. tracing-subscriber escapes some of them, but no
/// line ends, with which a provider could write lines of its own into the log, and (as of 0.3.23) nothing in a field
/// that is recorded with `%`.
pub(super) struct OneLine<W> {
    pub(super) writer: W,
    pub(super) colours: bool,
    pub(super) level: Level,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLine { writer: self.writer.make_writer(), colours: self.colours, level: self.level }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Self::Writer {
        let level = *metadata.level();
        OneLine { writer: self.writer.make_writer_for(metadata), colours: self.colours, level }
    }
}

impl<W: Write> Write for OneLine<W> {
    /// One whole event: that is how tracing-subscriber writes.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut line = one_line(&String::from_utf8_lossy(event));
        if self.colours {
            line = coloured(&line, self.level);
        }
        line.push('\n');
        self.writer.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn one_line(event: &str) -> String {
    let mut line = String::with_capacity(event.len() + 16);
    for character in event.strip_suffix('\n').unwrap_or(event).chars() {
        if moves_the_cursor(character) {
            // As JSON has it too. All of them are below U+FFFF.
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line
}

/// The time dim and the level in its colour; the line begins with both.
fn coloured(line: &str, level: Level) -> String {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    let name = level.as_str();
    match line.split_once(name) {
        Some((time, rest)) => format!("\x1b[2m{time}\x1b[0m\x1b[{colour}m{name}\x1b[0m{rest}"),
        None => line.to_owned(),
    }
}

/// Control characters, ends of lines and paragraphs, and changes of the writing direction.
pub(super) fn moves_the_cursor(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
