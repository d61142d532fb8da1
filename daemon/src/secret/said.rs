//! What a command says on its standard error, of which the last line is for people.

use std::fmt;

use zeroize::Zeroizing;

/// Characters of it that are shown.
const MOST_SHOWN: usize = 200;

/// Bytes at the end that are kept: a last line that is longer than this is cut anyhow.
const MOST_KEPT: usize = 4096;

/// The last line, or nothing. To be put behind what became of the command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said(Option<String>);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(line) => write!(f, " (it said \"{line}\")"),
            None => Ok(()),
        }
    }
}

/// The end of what was said so far.
#[derive(Default)]
pub(super) struct Saying(Zeroizing<Vec<u8>>);

impl Saying {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.0.len() + bytes.len() > 2 * MOST_KEPT {
            let rest = self.0.len().min(MOST_KEPT);
            let mut kept = Zeroizing::new(Vec::with_capacity(3 * MOST_KEPT));
            kept.extend_from_slice(&self.0[self.0.len() - rest..]);
            self.0 = kept;
        }
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(MOST_KEPT)..]);
    }

    /// Without it if anything that was `printed`, which is or may be the secret, stands in it.
    pub(super) fn last_line(&self, printed: &[u8]) -> Said {
        let mut lines = self.0.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
        let Some(line) = lines.rfind(|line| !line.is_empty()) else { return Said(None) };
        let mut printed = printed.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
        if printed.any(|secret| !secret.is_empty() && contains(line, secret)) {
            return Said(None);
        }
        let line = String::from_utf8_lossy(line);
        let shown = line.chars().take(MOST_SHOWN).collect::<String>().escape_debug().take(MOST_SHOWN).collect();
        Said(Some(shown))
    }
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(said: &[&[u8]], printed: &[u8]) -> String {
        let mut saying = Saying::default();
        for bytes in said {
            saying.push(bytes);
        }
        saying.last_line(printed).to_string()
    }

    #[test]
    fn the_last_line_is_shown_and_can_do_no_harm() {
        assert_eq!(shown(&[], b""), "");
        assert_eq!(shown(&[b"\n \r\n"], b""), "");
        assert_eq!(shown(&[b"first\nse", b"cond \n\n"], b"hunter2"), " (it said \"second\")");
        assert_eq!(shown(&[b"\x1b[31mred\xff\"\n"], b""), " (it said \"\\u{1b}[31mred\u{fffd}\\\"\")");
        let long = shown(&[&vec![b'x'; 100_000], b"y"], b"");
        assert_eq!(long, format!(" (it said \"{}\")", "x".repeat(MOST_SHOWN)));
        let controls = shown(&[&[7; 1000]], b"");
        assert!(controls.len() <= MOST_SHOWN + 20, "{controls}");
    }

    #[test]
    fn however_much_is_said_little_is_kept() {
        let mut saying = Saying::default();
        for _ in 0..1000 {
            saying.push(&[b'x'; 1000]);
            saying.push(b"\nthe end");
        }
        assert!(saying.0.len() <= 2 * MOST_KEPT + MOST_KEPT);
        assert_eq!(saying.last_line(b"").to_string(), " (it said \"the end\")");
    }

    #[test]
    fn a_line_with_something_that_was_printed_is_not_shown() {
        assert_eq!(shown(&[b"+ echo hunter2\n"], b"hunter2\n"), "");
        assert_eq!(shown(&[b"bob and hunter2\n"], b"\n\nhunter2\r\nlogin: bob\n"), "");
        assert_eq!(shown(&[b"hunter\n"], b"hunter2\n"), " (it said \"hunter\")");
    }
}
