//! Whatever stands in the file: no panic, no secret in a message, and something said about it.

use super::*;

/// A small generator with known constants (Knuth, MMIX): the same texts in every run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(most).expect("fits")).expect("fits")
    }
}

/// Reads a text and looks at what is said: it may be right or wrong, but it is never both and never shows a secret.
fn look(machine: &Machine, text: &str) {
    let said: Vec<String> = match machine.load(text) {
        Ok(config) => config.warnings,
        Err(report) => {
            assert!(!report.errors.is_empty(), "{text}");
            report.errors.iter().map(ToString::to_string).chain(report.warnings).collect()
        }
    };
    for message in said {
        assert!(message.starts_with("tokend.toml:"), "{message}");
        assert!(!message.contains("hunter2"), "{message}\n{text}");
    }
}

/// With a secret typed where none belongs.
fn with_bare_secret() -> String {
    EVERYTHING.replace("{ env = \"LEGACY_SECRET\" }", "\"hunter2\"")
}

#[test]
fn a_truncated_file_is_no_surprise() {
    let machine = whole_machine();
    for text in [EVERYTHING.to_owned(), with_bare_secret()] {
        for end in 0..=text.len() {
            if text.is_char_boundary(end) {
                look(&machine, &text[..end]);
            }
        }
    }
}

#[test]
fn a_changed_file_is_no_surprise() {
    const PIECES: [&str; 24] = [
        "\"",
        "'",
        "\n",
        "[",
        "]",
        "[[",
        "{",
        "}",
        "=",
        ",",
        ".",
        "#",
        "\\",
        "\0",
        "é",
        "-1",
        "0x",
        "1e999",
        "nan",
        "true",
        "*",
        "/",
        "1979-05-27",
        "\"\"\"",
    ];
    let machine = whole_machine();
    let mut draws = Draws(7);
    for round in 0..3000 {
        let mut text: Vec<char> =
            if round % 2 == 0 { EVERYTHING.to_owned() } else { with_bare_secret() }.chars().collect();
        for _ in 0..=draws.below(3) {
            let at = draws.below(text.len());
            let until = (at + draws.below(4)).min(text.len());
            text.splice(at..until, PIECES[draws.below(PIECES.len())].chars());
        }
        look(&machine, &text.into_iter().collect::<String>());
    }
}

#[test]
fn lines_in_another_order_are_no_surprise() {
    let machine = whole_machine();
    let mut draws = Draws(11);
    for _ in 0..500 {
        let text = with_bare_secret();
        let mut lines: Vec<_> = text.lines().collect();
        for _ in 0..=draws.below(6) {
            let (a, b) = (draws.below(lines.len()), draws.below(lines.len()));
            lines.swap(a, b);
        }
        look(&machine, &lines.join("\n"));
    }
}

#[test]
fn deep_nesting_is_refused() {
    let machine = Machine::new();
    look(&machine, &format!("x = {}", "[".repeat(100_000)));
    look(&machine, &format!("x = {}", "{x=".repeat(100_000)));
    look(&machine, &format!("[{}]", vec!["x"; 10_000].join(".")));
}
