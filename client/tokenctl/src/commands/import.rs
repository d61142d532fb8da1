//! `import`: starts a Classic chain from a file that the web UI offers for download.

use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use tokend_client::Secret;
use tokend_client::blocking::Client;
use tokend_proto::ProfileName;
use tokend_proto::limits::MAX_REFRESH_TOKEN;

use crate::args::OutputArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Report, print_line};
use crate::text::{Format, escaped};

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The profile, one of Classic Central
    pub(crate) name: ProfileName,
    /// Download Token JSON, or any JSON object with a refresh_token; - is stdin
    #[arg(default_value = "-", hide_default_value = true)]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The longest file accepted. Download Token JSON is under 1 KiB.
const MAX_FILE: u64 = 64 * 1024;

pub(crate) fn run(client: &Client, args: &ImportArgs) -> Result<Report, Failure> {
    let refresh_token = if args.file == Path::new("-") {
        let stdin = std::io::stdin().lock();
        if stdin.is_terminal() {
            print_line("tokenctl: reading Download Token JSON from the terminal; end it with Ctrl-D");
        }
        read(stdin, "stdin")?
    } else {
        let shown = args.file.display().to_string();
        let file = File::open(&args.file).map_err(|error| unreadable(&shown, &error))?;
        read(file, &shown)?
    };
    let imported = client.import(args.name.as_str(), &refresh_token)?;
    Ok(match args.output.format {
        Format::Text => Report::new(format!("{}\n", escaped(&imported.message))),
        Format::Json => {
            Report::json(&Json { name: args.name.as_str(), changed: imported.changed, message: &imported.message })
        }
    })
}

#[derive(Serialize)]
struct Json<'a> {
    name: &'a str,
    changed: bool,
    message: &'a str,
}

fn unreadable(shown: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Usage, "input", format!("cannot read {shown}: {error}"))
}

/// Reads the refresh token in the JSON. Errors say where the JSON is wrong and never quote it.
fn read(input: impl Read, shown: &str) -> Result<Secret, Failure> {
    let mut bytes = Vec::with_capacity(4096);
    input.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| unreadable(shown, &error))?;
    let wrong = |what: String| Failure::new(Exit::Usage, "input", format!("{shown} {what}"));
    if bytes.len() as u64 > MAX_FILE {
        return Err(wrong(format!("is over {} KiB: expected Download Token JSON", MAX_FILE / 1024)));
    }
    let text = Secret::new(String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8".into()))?);
    // Editors on Windows put a byte order mark at the beginning.
    let json = text.expose().trim_start_matches('\u{feff}');
    if json.trim().is_empty() {
        return Err(wrong("is empty: expected Download Token JSON".into()));
    }
    let Download(field) = serde_json::from_str(json).map_err(|error| {
        // The error's own text may quote the file: leave it out.
        let (line, column) = (error.line(), error.column());
        wrong(match error.classify() {
            serde_json::error::Category::Data => "is JSON, but not an object with one refresh_token".into(),
            _ => format!("is not JSON: line {line}, column {column}"),
        })
    })?;
    match field {
        Field::Missing => Err(wrong("has no refresh_token: expected Download Token JSON".into())),
        Field::NotText => Err(wrong("has a refresh_token that is not a string".into())),
        Field::Text(token) if token.is_empty() => Err(wrong("has an empty refresh_token".into())),
        Field::Text(token) if token.expose().len() > MAX_REFRESH_TOKEN => {
            Err(wrong(format!("has a refresh_token of over {} KiB", MAX_REFRESH_TOKEN / 1024)))
        }
        Field::Text(token) => Ok(token),
    }
}

/// The value of `refresh_token`.
enum Field {
    Missing,
    NotText,
    Text(Secret),
}

/// Download Token JSON, of which only `refresh_token` is read.
struct Download(Field);

impl<'de> Deserialize<'de> for Download {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DownloadVisitor)
    }
}

struct DownloadVisitor;

impl<'de> Visitor<'de> for DownloadVisitor {
    type Value = Download;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Download, A::Error> {
        let mut field = Field::Missing;
        while let Some(key) = map.next_key::<String>()? {
            if key != "refresh_token" {
                map.next_value::<serde::de::IgnoredAny>()?;
                continue;
            }
            if !matches!(field, Field::Missing) {
                return Err(serde::de::Error::custom("refresh_token twice"));
            }
            field = match map.next_value::<serde_json::Value>()? {
                serde_json::Value::String(text) => Field::Text(Secret::new(text)),
                _ => Field::NotText,
            };
        }
        Ok(Download(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refresh_token_is_found_among_other_fields() {
        let download = r#"{"access_token":"AT-1","appname":"nms","created_at":1700000000000,"expires_in":7200,
            "refresh_token":"RT-1","scope":"all","token_type":"bearer"}"#;
        assert_eq!(read(download.as_bytes(), "f").unwrap(), Secret::from("RT-1"));
        assert_eq!(
            read("\u{feff}{\"refresh_token\": \"RT\\u002d2\"}\r\n".as_bytes(), "f").unwrap(),
            Secret::from("RT-2")
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_the_file() {
        let cases = [
            ("", "is empty"),
            ("{\"refresh_token\": \"SECRET\"", "is not JSON: line 1, column 26"),
            ("{\n\"refresh_token\": SECRET}", "is not JSON: line 2, column 18"),
            ("\"SECRET\"", "is JSON, but not an object"),
            ("[\"SECRET\"]", "is JSON, but not an object"),
            ("{\"access_token\":\"SECRET\"}", "has no refresh_token"),
            ("{\"refresh_token\":[\"SECRET\"]}", "not a string"),
            ("{\"refresh_token\":\"\"}", "empty refresh_token"),
            ("{\"refresh_token\":\"SECRET\",\"refresh_token\":\"SECRET\"}", "one refresh_token"),
        ];
        for (text, expected) in cases {
            let failure = read(text.as_bytes(), "token.json").unwrap_err();
            assert!(failure.message.contains(expected), "{text}: {failure}");
            assert!(!failure.message.contains("SECRET"), "{failure}");
            assert_eq!(failure.exit, Exit::Usage);
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let padding = " ".repeat(70_000);
        assert!(read(padding.as_bytes(), "f").unwrap_err().message.contains("over 64 KiB"));
        let long = format!("{{\"refresh_token\":\"{}\"}}", "a".repeat(MAX_REFRESH_TOKEN + 1));
        assert!(read(long.as_bytes(), "f").unwrap_err().message.contains("over 32 KiB"));
    }
}
