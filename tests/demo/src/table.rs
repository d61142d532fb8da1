//! A token of each name by `tokenctl get`, a call with it, and the table of what came of it.

use serde::Deserialize;
use tokend_client::{Fingerprint, Secret};
use tokend_proto::WorkspaceId;

use super::names::{IMPORTED, Shown};
use super::out::{Tone, paint};
use super::{DemoError, Out, Stage};

/// How long `tokenctl get` waits for a token.
const WAIT: &str = "30s";

/// The exit status when anything was refused.
const REFUSED: u8 = 1;

/// Digits of a fingerprint that are enough to tell tokens apart by eye.
const DIGITS: usize = 12;

/// What became of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whom it is about.
    pub shown: Shown,
    /// The token's fingerprint and the seconds it had left, if there was one.
    pub token: Option<(Fingerprint, u64)>,
    /// What the API said to it.
    pub answer: Answer,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This status.
    Status(u16),
    /// Nothing, in these words: there was no token, or nobody answered.
    None(String),
}

impl Answer {
    /// Whether the API let the token in.
    #[must_use]
    pub fn is_good(&self) -> bool {
        *self == Self::Status(200)
    }
}

/// What `tokenctl get --output json` prints, as far as it is wanted. No `Debug`: the token is in it.
#[derive(Deserialize)]
struct Got {
    access_token: String,
    expires_in: u64,
    fingerprint: String,
}

impl Got {
    fn fingerprint(&self) -> Fingerprint {
        // What tokenctl says is what the token is: the table is to show that as well.
        let fingerprint = Fingerprint::of(&Secret::from(self.access_token.as_str()));
        assert_eq!(self.fingerprint, fingerprint.to_string(), "tokenctl names the token that it prints");
        fingerprint
    }
}

impl Stage {
    /// Imports the Download Token, then fetches every name's token and calls the API with it.
    ///
    /// # Errors
    /// When `tokenctl` cannot be run or nothing can be written. What the daemon or the provider refuses is in the rows.
    ///
    /// # Panics
    /// When `tokenctl` contradicts itself.
    pub async fn rows(&self, out: &mut Out) -> Result<Vec<Row>, DemoError> {
        let file = self.world().download_token("download-token.json");
        let file = file.to_str().expect("the folder's name was written into the configuration, which is UTF-8");
        show_command(out, &["import", IMPORTED, file])?;
        let imported = self.tokenctl(&["import", IMPORTED, file]).await?;
        let said = if imported.status.success() { &imported.stdout } else { &imported.stderr };
        out.line(&format!("    {}", String::from_utf8_lossy(said).trim_end()))?;
        let mut rows = Vec::new();
        for shown in self.names() {
            show_command(out, &["get", &shown.name, "--output", "json"])?;
            rows.push(self.row(shown).await?);
        }
        Ok(rows)
    }

    async fn row(&self, shown: &Shown) -> Result<Row, DemoError> {
        let mut row = Row { shown: shown.clone(), token: None, answer: Answer::None(String::new()) };
        // A Classic token dies when it is renewed, which may be between these two steps. A token that is refused and
        // still the newest one is refused indeed.
        for _ in 0..2 {
            let output = self.tokenctl(&["get", &shown.name, "--output", "json", "--wait", WAIT]).await?;
            if !output.status.success() {
                row.answer = Answer::None(message(&output.stderr));
                return Ok(row);
            }
            let got: Got = serde_json::from_slice(&output.stdout).expect("tokenctl prints JSON with --json");
            let token = (got.fingerprint(), got.expires_in);
            if row.token.replace(token).is_some_and(|(before, _)| before == token.0) {
                return Ok(row);
            }
            row.answer = match self.call(&shown.path, &got.access_token).await {
                Ok(status) => Answer::Status(status),
                Err(why) => Answer::None(why),
            };
            if row.answer != Answer::Status(401) {
                return Ok(row);
            }
        }
        Ok(row)
    }
}

/// What `tokenctl` says on stderr with --json.
fn message(stderr: &[u8]) -> String {
    let said: Option<serde_json::Value> = serde_json::from_slice(stderr).ok();
    let message = said.as_ref().and_then(|said| said["error"]["message"].as_str());
    message.map_or_else(|| String::from_utf8_lossy(stderr).trim_end().to_owned(), str::to_owned)
}

fn show_command(out: &mut Out, arguments: &[&str]) -> Result<(), DemoError> {
    let quoted = |word: &&str| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() };
    let words: Vec<String> = arguments.iter().map(quoted).collect();
    let line = out.paint(&format!("$ tokenctl {}", words.join(" ")), Tone::Dim);
    Ok(out.line(&line)?)
}

/// The exit status of a demo with this table: 0 only when the API let every token in.
#[must_use]
pub fn exit_status(rows: &[Row]) -> u8 {
    let good = !rows.is_empty() && rows.iter().all(|row| row.answer.is_good());
    if good { 0 } else { REFUSED }
}

/// A fingerprint, cut short for the eye.
pub(super) fn short(fingerprint: Fingerprint) -> String {
    let mut digits = fingerprint.to_string();
    digits.truncate(DIGITS);
    digits
}

/// The rows under their heads.
#[must_use]
pub fn table(rows: &[Row], colour: bool) -> String {
    let heads = ["NAME", "KIND", "FINGERPRINT", "EXPIRES IN", "API"].map(|head| (head.to_owned(), Tone::Heading));
    let lines: Vec<[(String, Tone); 5]> = std::iter::once(heads).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].0.chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        for (index, (cell, tone)) in line.iter().enumerate() {
            text += &paint(cell, *tone, colour);
            if index + 1 < line.len() {
                text += &" ".repeat(widths[index] - cell.chars().count() + 2);
            }
        }
        text.push('\n');
    }
    text
}

/// A path whose ids are cut short.
fn brief(path: &str) -> String {
    let brief = |segment: &str| match segment.parse::<WorkspaceId>() {
        Ok(_) => format!("{}…", &segment[..8]),
        Err(_) => segment.to_owned(),
    };
    path.split('/').map(brief).collect::<Vec<_>>().join("/")
}

fn cells(row: &Row) -> [(String, Tone); 5] {
    let plain = |text: String| (text, Tone::Plain);
    let (fingerprint, life) = match row.token {
        Some((fingerprint, seconds)) => (short(fingerprint), format!("{seconds} s")),
        None => ("-".to_owned(), "-".to_owned()),
    };
    let tone = if row.answer.is_good() { Tone::Good } else { Tone::Bad };
    let answer = match &row.answer {
        Answer::Status(status) => format!("{status} GET {}", brief(&row.shown.path)),
        Answer::None(why) => why.clone(),
    };
    [plain(row.shown.name.clone()), plain(row.shown.kind.to_owned()), plain(fingerprint), plain(life), (answer, tone)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, answer: Answer) -> Row {
        let shown = Shown { name: name.to_owned(), kind: "central", path: "/x".to_owned(), rotates: false };
        let token = matches!(answer, Answer::Status(_)).then(|| (Fingerprint::of(&Secret::from(name)), 7199));
        Row { shown, token, answer }
    }

    #[test]
    fn one_refused_call_spoils_the_exit_status() {
        let good = || row("a", Answer::Status(200));
        assert_eq!(exit_status(&[good(), good()]), 0);
        for bad in [Answer::Status(401), Answer::Status(204), Answer::None("tokenctl: rejected".to_owned())] {
            assert_eq!(exit_status(&[good(), row("b", bad), good()]), REFUSED);
        }
        assert_eq!(exit_status(&[]), REFUSED, "nothing was shown");
    }

    #[test]
    fn what_tokenctl_complains_of_is_shown_without_its_wrapping() {
        assert_eq!(message(br#"{"error":{"status":7,"message":"legacy: lost"}}"#), "legacy: lost");
        assert_eq!(message(b"error: unexpected argument\n"), "error: unexpected argument");
    }

    #[test]
    fn ids_in_a_path_are_cut_short() {
        assert_eq!(brief("/v1/tenants/bf77c8017c26e38f93c2c2bb26b807a7/devices"), "/v1/tenants/bf77c801…/devices");
    }

    #[test]
    fn the_table_names_tokens_by_the_beginning_of_their_fingerprint() {
        let rows = [row("campus", Answer::Status(200)), row("a", Answer::None("tokenctl: no token".to_owned()))];
        let begins = short(Fingerprint::of(&Secret::from("campus")));
        let plain = format!(
            "NAME    KIND     FINGERPRINT   EXPIRES IN  API\ncampus  central  {begins}  7199 s      200 GET /x\na       \
             central  -             -           tokenctl: no token\n"
        );
        assert_eq!(table(&rows, false), plain);
        let coloured = table(&rows, true);
        assert!(coloured.contains("\x1b[32m200 GET /x\x1b[0m") && coloured.contains("\x1b[31mtokenctl"), "{coloured}");
        let codes = ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m"];
        assert_eq!(codes.iter().fold(coloured, |text, code| text.replace(code, "")), plain);
    }
}
