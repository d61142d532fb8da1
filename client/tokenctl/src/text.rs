//! Output formats, and the only table of characters that are escaped.

use std::borrow::Cow;

use serde::Serialize;

/// How a command that shows no token shows its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// Words: a table on a terminal, lines of fields separated by tabs in a pipe.
    #[default]
    Text,
    /// One JSON document; errors are JSON on stderr.
    Json,
}

/// JSON without a line end. serde_json leaves some characters that control a terminal as they are: this escapes them.
/// They occur only in strings.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("plain structs of strings and numbers are JSON");
    spell_out(text.into(), |c| format!("\\u{:04x}", u32::from(c))).into_owned()
}

/// Text from elsewhere, made harmless for a terminal and for a line.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    spell_out(text.into(), |c| c.escape_default().to_string())
}

fn spell_out(text: Cow<'_, str>, spelling: fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return text;
    }
    text.chars().map(|c| if is_harmful(c) { spelling(c) } else { c.to_string() }).collect()
}

/// Control characters, line separators, and changes of the writing direction. The daemon's log escapes the same ones.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_nothing_that_a_terminal_obeys() {
        let text = "a\u{9b}2J\u{7f}\u{202e}\u{200f}\x1b\n日本";
        let line = json_line(&[text]);
        assert_eq!(line, r#"["a\u009b2J\u007f\u202e\u200f\u001b\n日本"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&line).unwrap(), [text]);
    }

    #[test]
    fn what_could_steer_a_terminal_is_spelt_out() {
        assert_eq!(escaped("a\u{9b}b\rc\u{202e}d\u{7f}\u{200e}"), "a\\u{9b}b\\rc\\u{202e}d\\u{7f}\\u{200e}");
        assert_eq!(escaped("Übung – 日本"), "Übung – 日本");
    }
}
