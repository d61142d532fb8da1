//! Arguments that several commands have.

use std::time::Duration;

use clap::Args;
use tokend_client::{Token, TokenOptions};

use crate::clock;
use crate::duration;
use crate::exit::{Exit, Failure};
use crate::text::Format;

/// How to show the result.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// How the result is shown; with json, errors are JSON on stderr
    #[arg(long = "output", value_name = "OUTPUT", value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// What kind of token the command wants.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct TokenArgs {
    /// Life that the token should have left, as in 90s or 20m
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "0s", hide_default_value = true)]
    pub(crate) min_ttl: Duration,
    /// How long to wait for a token, 10m at most
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "10s")]
    pub(crate) wait: Duration,
    /// Accept a token that has less life than --min-ttl (get still ends with status 8)
    #[arg(long)]
    pub(crate) accept_short: bool,
}

impl TokenArgs {
    pub(crate) fn options(&self) -> TokenOptions {
        TokenOptions { min_ttl: self.min_ttl, wait: Some(self.wait) }
    }

    /// The failure of a token that has less life than `--min-ttl`.
    pub(crate) fn falls_short(&self, token: &Token) -> Option<Failure> {
        token.falls_short().then(|| {
            let left = token.remaining(clock::boot_ms()).as_secs();
            let wanted = self.min_ttl.as_secs();
            let message =
                format!("the newest token of {} expires in {left} s: expected {wanted} s or more", token.name());
            Failure::new(Exit::FallsShort, "falls_short", message)
        })
    }
}
