//! Descriptors that the service manager hands over, sd_listen_fds(3): the listening socket, and tokens in memory.
//!
//! The crate `listenfd` takes sockets only. A file in memory is opened again through /proc and its descriptor closed:
//! that gives an owned descriptor of the same file without a word of `unsafe`.

use std::fs::{self, File};
use std::os::fd::RawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::{env, io};

use listenfd::ListenFd;

use super::fd_store::memfd;

/// What was handed over to this process.
#[derive(Debug, Default)]
pub struct ListenFds {
    /// Sockets. An error is one that cannot listen, or is gone.
    pub sockets: Vec<io::Result<UnixListener>>,
    /// Files under the name of [`memfd::NAME`].
    pub token_files: Vec<File>,
    /// What is odd about the others, for the log.
    pub warnings: Vec<String>,
}

impl ListenFds {
    /// Takes all of them. Whatever is of no use here is closed, with a warning; the log need not be there yet. To be
    /// called once, first thing: what the process opens itself differs from what it was given by its flags.
    #[must_use]
    pub fn take() -> Self {
        let names = env::var("LISTEN_FDNAMES").ok();
        let mut descriptors = ListenFd::from_env();
        let names = names_of(names.as_deref(), descriptors.len());
        let mut passed = Self::default();
        for (index, name) in names.into_iter().enumerate() {
            passed.take_one(&mut descriptors, index, name);
        }
        passed
    }

    fn take_one(&mut self, descriptors: &mut ListenFd, index: usize, name: Option<&str>) {
        let number = FIRST + RawFd::try_from(index).expect("fewer than there can be");
        let found = match look_at(number) {
            Ok(found) => found,
            Err(error) if name == Some(memfd::NAME) => {
                return self.warn(format!("descriptor {number}, named {:?}, is gone: {error}", memfd::NAME));
            }
            Err(error) => return self.sockets.push(Err(error)),
        };
        match found {
            Found::Socket => match descriptors.take_unix_listener(index) {
                Ok(Some(socket)) => return self.sockets.push(Ok(socket)),
                Ok(None) => return,
                Err(error) => self.sockets.push(Err(error)),
            },
            Found::Memory if name.is_none_or(|name| name == memfd::NAME) => {
                match File::options().read(true).write(true).open(path(number)) {
                    Ok(file) => self.token_files.push(file),
                    Err(error) => self.warn(format!("descriptor {number} cannot be opened again: {error}")),
                }
            }
            Found::Ours => {
                return self.warn(format!("LISTEN_FDS counts descriptor {number}, which was not handed over"));
            }
            Found::Memory | Found::Other => {
                let name = name.unwrap_or("(no name)");
                self.warn(format!("descriptor {number}, named {name:?}, is of no use here: it is closed"));
            }
        }
        // It can only be closed already.
        let _ = nix::unistd::close(number);
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }
}

/// SD_LISTEN_FDS_START.
const FIRST: RawFd = 3;

enum Found {
    Socket,
    Memory,
    /// Opened by this process.
    Ours,
    Other,
}

/// A name for each descriptor, or none for all where the names do not match the descriptors.
fn names_of(names: Option<&str>, count: usize) -> Vec<Option<&str>> {
    let names: Vec<Option<&str>> = names.map(|names| names.split(':').map(Some).collect()).unwrap_or_default();
    if names.len() == count { names } else { vec![None; count] }
}

fn path(number: RawFd) -> String {
    format!("/proc/self/fd/{number}")
}

fn look_at(number: RawFd) -> io::Result<Found> {
    let kind = fs::metadata(path(number))?.file_type();
    Ok(if closes_on_exec(&fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?) {
        Found::Ours
    } else if kind.is_socket() {
        Found::Socket
    } else if kind.is_file() && fs::read_link(path(number))?.to_string_lossy().starts_with("/memfd:") {
        Found::Memory
    } else {
        Found::Other
    })
}

/// proc_pid_fdinfo(5): the flags are octal. What has crossed an exec(2) does not have this one, and everything that the
/// standard library and tokio open has it.
fn closes_on_exec(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & nix::libc::O_CLOEXEC.cast_unsigned() != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_believed_only_if_there_is_one_for_each() {
        assert_eq!(names_of(Some("tokend.socket:tokens"), 2), [Some("tokend.socket"), Some("tokens")]);
        assert_eq!(names_of(Some(":tokens"), 2), [Some(""), Some("tokens")]);
        assert_eq!(names_of(Some("tokens"), 2), [None, None]);
        assert_eq!(names_of(None, 1), [None]);
        assert_eq!(names_of(None, 0), []);
    }

    #[test]
    fn what_this_process_has_opened_was_not_handed_over() {
        use std::os::fd::AsRawFd;
        let ours = File::open("/dev/null").unwrap();
        assert!(matches!(look_at(ours.as_raw_fd()), Ok(Found::Ours)));
        assert!(!closes_on_exec("pos:\t0\nflags:\t0100002\nmnt_id:\t15\n"));
        assert!(closes_on_exec("pos:\t0\nflags:\t02100002\nmnt_id:\t15\n"));
    }
}
