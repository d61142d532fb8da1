//! Why a secret could not be read. The caller that prints this names the source. Nobody names the secret.

use std::path::PathBuf;
use std::time::Duration;

use super::said::Said;

/// Longest secret accepted, in bytes, with its trailing newlines.
pub const MAX_SECRET: usize = 64 * 1024;

/// Why a secret could not be read, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing but newlines.
    #[error("there is nothing in it; it has to hold the secret alone")]
    Empty,
    /// More than [`MAX_SECRET`].
    #[error("it is longer than {} KiB; it has to hold the secret alone", MAX_SECRET / 1024)]
    TooLong,
    /// Not text.
    #[error("it is not UTF-8 text; it has to hold the secret alone")]
    NotUtf8,
    /// No such environment variable.
    #[error(
        "the variable is not set in the daemon's environment; set it (in a unit: EnvironmentFile=), or name another source"
    )]
    NoVariable {
        /// Its name.
        variable: String,
    },
    /// No credentials at all.
    #[error(
        "$CREDENTIALS_DIRECTORY is not set; credentials exist only in a systemd unit, with LoadCredential={name}:PATH or \
         SetCredential=; elsewhere use file, env or command"
    )]
    NoCredentials {
        /// The credential's name.
        name: String,
    },
    /// No credential of this name.
    #[error("the unit has no such credential; add LoadCredential={name}:PATH to it and restart it")]
    NoCredential {
        /// The credential's name.
        name: String,
    },
    /// No such file.
    #[error(
        "the file does not exist; create it with the secret alone in it, mode 0600, owned by root or by the daemon's user"
    )]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// The daemon may not open it.
    #[error("the daemon (uid {uid}) may not read it; chown {uid} {}, or give its folder x for that user", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The daemon's user.
        uid: u32,
    },
    /// A symbolic link.
    #[error(
        "it is a symbolic link, and the owner of its folder can turn it elsewhere; name the file that it points to"
    )]
    SymbolicLink,
    /// A folder, a device, a pipe, a socket.
    #[error("it is not a regular file; name a file that holds the secret alone")]
    NotAFile,
    /// Neither root's nor the daemon's.
    #[error("it belongs to uid {owner}, who can read and change it; chown root {}", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others have access.
    #[error("others have access to it (mode {mode:04o}); chmod o= {}", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A group that is not the daemon's has access.
    #[error(
        "its group (gid {group}) has access to it (mode {mode:04o}) and is not the daemon's primary group (gid {ours}); \
         chmod g= {}",
        path.display()
    )]
    OpenToGroup {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Its group.
        group: u32,
        /// The daemon's group.
        ours: u32,
    },
    /// The daemon's group may do more than read.
    #[error("its group may change it (mode {mode:04o}); chmod g=r {}", path.display())]
    GroupMayWrite {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Any other failure of the operating system.
    #[error("it cannot be read: {why}")]
    Io {
        /// As the operating system says it.
        why: String,
    },
    /// Neither an answer nor a failure.
    #[error("it did not answer within {} s; its file system hangs, or one on the way to it", limit.as_secs())]
    Hangs {
        /// How long it may take.
        limit: Duration,
    },
    /// It was not even tried.
    #[error("it was not read: {why}")]
    NotTried {
        /// What keeps it.
        why: String,
    },
    /// The command could not be started.
    #[error("it cannot be started: {why}; name an executable file by its absolute path")]
    NotStarted {
        /// As the operating system says it.
        why: String,
    },
    /// The command ended with another status than 0.
    #[error("it ended with {how}{said}; it has to print the secret and end with status 0")]
    CommandFailed {
        /// Its status or signal.
        how: String,
        /// What it said last.
        said: Said,
    },
    /// The command ended well and printed nothing.
    #[error("it printed nothing{said}; it has to print the secret and end with status 0")]
    NothingPrinted {
        /// What it said last.
        said: Said,
    },
    /// The command took too long.
    #[error("it did not end within {} s and was killed{said}; it has to be quicker", limit.as_secs())]
    TimedOut {
        /// How long it may take.
        limit: Duration,
        /// What it said last.
        said: Said,
    },
}
