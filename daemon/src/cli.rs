//! What may be typed after `tokend`. The manual page and the completions are generated from it.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::keys::ProfileKind;
use crate::log::LogFormat;
use crate::{config, log};

const STATUSES: &str = "\
Exit status:
  0  done, or ended by SIGTERM or SIGINT
  1  the configuration or something that it needs is wrong; stderr says what is expected
  2  usage";

/// Keeps tokens for HPE Aruba Networking Central, HPE GreenLake and Classic Central fresh, and hands them to the
/// processes of this machine over a Unix socket.
#[derive(Debug, Parser)]
#[command(name = "tokend", version, after_help = STATUSES, max_term_width = 100)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", env = "TOKEND_CONFIG", default_value = config::DEFAULT_PATH, global = true)]
    pub config: PathBuf,
    /// What is logged, for example `info` or `tokend=debug`: the syntax of tracing's EnvFilter.
    #[arg(long, value_name = "FILTER", env = "TOKEND_LOG", default_value = log::DEFAULT_FILTER, global = true)]
    pub log: String,
    /// How it is logged: text or json on stderr, or journald.
    #[arg(long, value_name = "FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Validates the configuration and the secrets that can be read, and ends.
    ///
    /// Says everything that is wrong or odd at once, each with its line. Runs no command; reads credentials only where
    /// $CREDENTIALS_DIRECTORY is set.
    Check {
        /// Only what would keep the daemon from starting is an error.
        ///
        /// A secret or a ca_file that cannot be read costs its profile and nobody else, and the daemon reads it again:
        /// with this option it is a warning. The unit runs this before each start.
        #[arg(long)]
        start: bool,
    },
    /// Writes a commented configuration to begin with, and says where its secrets belong.
    ///
    /// It is written to --config, or to stdout with `--config -`. A file that is there already is not touched, unless
    /// it still is the one that was installed, with every key commented out.
    Init {
        /// What there are credentials for.
        #[arg(required = true, value_enum, value_name = "KIND")]
        kinds: Vec<ProfileKind>,
    },
}

/// What may be typed, for the manual page and the completions.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definition_is_sound() {
        super::command().debug_assert();
    }
}
