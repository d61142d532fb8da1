//! `watch`: prints a line for each new token and each change of health.

use std::io;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokend_client::{Change, Client, HealthReport, Secret, Token};
use tokend_proto::TokenRef;

use super::get::{self, Json as JsonToken};
use super::status::word;
use crate::clock;
use crate::exit::{Failure, with_sources};
use crate::output::{Report, moment, print_note, write_stdout};
use crate::text::{Format, escaped, json_line};

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// PROFILE or PROFILE/TENANT
    pub(crate) name: TokenRef,
    /// What a line holds
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: WatchFormat,
}

/// What a line of `watch` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum WatchFormat {
    /// Fields between tabs: token, its fingerprint, expiry and renewal; or health, the word, error and what to do
    #[default]
    Text,
    /// Each new token alone; health goes to stderr
    Raw,
    /// A JSON object, tokens in it
    Json,
}

/// Ends when the reader is gone, or when the watch cannot go on.
pub(crate) async fn run(client: &Client, args: &WatchArgs) -> Result<Report, Failure> {
    let name = args.name.to_string();
    let mut watch = client.watch(&name)?;
    let format = if args.output == WatchFormat::Json { Format::Json } else { Format::Text };
    let mut last = None;
    loop {
        let line = match watch.next().await? {
            // The same token, about to be replaced, is not news.
            Change::Token(token) if last.replace(token.fingerprint()) == Some(token.fingerprint()) => continue,
            Change::Token(token) => of_token(&token, args.output),
            Change::Health(report) => match of_health(&report, args.output) {
                Some(line) => line,
                None => {
                    print_note(&format!("{}: {}", report.name, in_words(&report)), format);
                    continue;
                }
            },
            Change::Interrupted(error) => {
                print_note(&format!("{}; trying again", with_sources(&error)), format);
                continue;
            }
            _ => continue,
        };
        match write_stdout(Secret::new(line).expose()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Report::new(String::new())),
            Err(error) => return Err(Failure::output(&error)),
        }
    }
}

/// A line for a token. Only formats that ask for the token itself show it.
fn of_token(token: &Token, format: WatchFormat) -> String {
    let (expires, refresh) = (moment(token.expires_at()), moment(token.refresh_at()));
    match format {
        WatchFormat::Text => format!("token\t{}\t{expires}\t{refresh}\n", token.fingerprint()),
        WatchFormat::Raw => format!("{}\n", token.secret()),
        WatchFormat::Json => {
            #[derive(Serialize)]
            struct Line<'a> {
                event: &'a str,
                #[serde(flatten)]
                token: JsonToken<'a>,
            }
            json_line(&Line { event: "token", token: get::json(token, clock::boot_ms()) }) + "\n"
        }
    }
}

/// A line for a health report. `None` if only tokens go to stdout.
fn of_health(report: &HealthReport, format: WatchFormat) -> Option<String> {
    let or_none = |text: &Option<String>| escaped(text.as_deref().unwrap_or("-")).into_owned();
    match format {
        WatchFormat::Text => {
            let (error, action) = (or_none(&report.last_error), or_none(&report.action));
            Some(format!("health\t{}\t{error}\t{action}\n", word(report.health)))
        }
        WatchFormat::Raw => None,
        WatchFormat::Json => {
            #[derive(Serialize)]
            struct Line<'a> {
                event: &'a str,
                name: &'a str,
                health: &'a str,
                last_error: Option<&'a str>,
                action: Option<&'a str>,
            }
            let line = Line {
                event: "health",
                name: &report.name,
                health: word(report.health),
                last_error: report.last_error.as_deref(),
                action: report.action.as_deref(),
            };
            Some(json_line(&line) + "\n")
        }
    }
}

fn in_words(report: &HealthReport) -> String {
    let parts = [Some(word(report.health)), report.last_error.as_deref(), report.action.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
