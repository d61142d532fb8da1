//! Keeps a second daemon off the same folder.

use std::fs::File;
use std::io::{Read, Write};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::StoreError;
use super::folder::Folder;

const NAME: &str = "lock";

/// Of how another daemon names itself; it is shown to people.
const MAX_HOLDER: u64 = 200;

/// Held while it lives; the end of the process ends it too, however it comes.
pub(super) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock of this folder.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it.
    pub(super) fn take(folder: &Folder) -> Result<Self, StoreError> {
        let failed = |doing| move |source| StoreError::io(doing, folder.path_of(NAME), source);
        let missing = || failed("open")(std::io::ErrorKind::NotFound.into());
        let file = folder.open_file(NAME, OFlag::O_RDWR | OFlag::O_CREAT)?.ok_or_else(missing)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(mut file, errno)| match errno {
            Errno::EWOULDBLOCK => StoreError::Locked { folder: folder.path().to_owned(), by: holder(&mut file) },
            errno => failed("lock")(errno.into()),
        })?;
        // For people only: a full disk must not keep the daemon from starting.
        let _ = file.set_len(0);
        let _ = writeln!(file, "pid {}, tokend {}", std::process::id(), env!("CARGO_PKG_VERSION"));
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(MAX_HOLDER).read_to_string(&mut text) {
        // It has locked the file and not yet written to it.
        Err(_) | Ok(0) => "it has only just started".to_owned(),
        Ok(_) => text.trim_end().escape_debug().to_string(),
    }
}
