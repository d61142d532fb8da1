//! `wait`: waits until names have a good token.
//!
//! It does not poll: the daemon answers a `Get` that has a `wait` once the token is there. This also starts tenants
//! that are fetched only on demand. The tokens themselves are dropped unread.

use std::time::Duration;

use clap::Args;
use tokend_client::{Client, Error, Health, TokenOptions};
use tokend_proto::TokenRef;
use tokio::task::JoinSet;

use crate::args::OutputArgs;
use crate::duration;
use crate::exit::{Exit, Failure};
use crate::output::Report;
use crate::text::Format;

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// PROFILE or PROFILE/TENANT [default: all that you may read]
    pub(crate) names: Vec<TokenRef>,
    /// How long to wait, 10m at most, also for the daemon itself
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "10s")]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

pub(crate) async fn run(client: &Client, args: &WaitArgs) -> Result<Report, Failure> {
    let start = tokio::time::Instant::now();
    let mut ready = Vec::new();
    let mut waited_for: Vec<String> = args.names.iter().map(ToString::to_string).collect();
    if waited_for.is_empty() {
        for name in client.status(None).await?.names {
            match name.health {
                Health::Good | Health::Failing => ready.push(name.name),
                _ => waited_for.push(name.name),
            }
        }
        if ready.is_empty() && waited_for.is_empty() {
            return Err(Failure::new(Exit::NoSuchName, "no_such_name", "there is no name that you may read"));
        }
    }
    let left = args.wait.saturating_sub(start.elapsed());
    let options = TokenOptions { wait: Some(left), ..TokenOptions::default() };
    let mut asked = JoinSet::new();
    for name in waited_for {
        let client = client.clone();
        asked.spawn(async move {
            match client.token_with(&name, options).await {
                Ok(_) => Ok(name),
                Err(error) => Err((name, error)),
            }
        });
    }
    let mut failed = Vec::new();
    for outcome in asked.join_all().await {
        match outcome {
            Ok(name) => ready.push(name),
            Err(failure) => failed.push(failure),
        }
    }
    ready.sort_unstable();
    if !failed.is_empty() {
        return Err(not_ready(failed));
    }
    Ok(match args.output.format {
        Format::Text => Report::new(String::new()),
        Format::Json => Report::json(&serde_json::json!({ "ready": ready })),
    })
}

/// One failure for many names: the status of the one that waiting helps least, and a message that names them all.
fn not_ready(mut failed: Vec<(String, Error)>) -> Failure {
    failed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut failures: Vec<(String, Failure)> =
        failed.into_iter().map(|(name, error)| (name, Failure::from(error))).collect();
    let message: Vec<String> = failures.iter().map(|(name, it)| format!("{name}: {}", it.message)).collect();
    let graver = |exit: Exit| match exit {
        Exit::Unreachable => 5,
        Exit::Operator => 4,
        Exit::Denied => 3,
        Exit::NoSuchName => 2,
        Exit::TryLater => 0,
        _ => 1,
    };
    failures.sort_by_key(|(_, it)| std::cmp::Reverse(graver(it.exit)));
    let gravest = failures.swap_remove(0).1;
    Failure { message: message.join("; "), ..gravest }
}
