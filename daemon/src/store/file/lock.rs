//! Keeps a second daemon off the same folder.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::folder::Folder;
use crate::store::StoreError;

const NAME: &str = "lock";

/// Of how another daemon names itself; it is shown to people.
const MAX_HOLDER: u64 = 200;

/// Held while it lives; the end of the process ends it too, however it comes.
pub(in crate::store) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock of this folder.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it.
    pub(in crate::store) fn take(folder: &Folder) -> Result<Self, StoreError> {
        let failed = |doing| move |source| StoreError::io(doing, folder.path_of(NAME), source);
        let missing = || failed("open")(std::io::ErrorKind::NotFound.into());
        let file = folder.open_file(NAME, OFlag::O_RDWR | OFlag::O_CREAT)?.ok_or_else(missing)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(mut file, errno)| match errno {
            Errno::EWOULDBLOCK => StoreError::Locked { folder: folder.path().to_owned(), by: holder(&mut file) },
            errno => failed("lock")(errno.into()),
        })?;
        // For people only: a full disk must not keep the daemon from starting.
        let _ = sign(&file);
        Ok(Self { _file: file })
    }
}

fn sign(file: &File) -> io::Result<()> {
    let text = format!("pid {}, tokend {}\n", std::process::id(), env!("CARGO_PKG_VERSION"));
    let longer = file.metadata()?.len() > text.len() as u64;
    file.write_all_at(text.as_bytes(), 0)?;
    // As a rule the one before was as long, and the file system is spared a transaction.
    if longer { file.set_len(text.len() as u64) } else { Ok(()) }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(MAX_HOLDER).read_to_string(&mut text) {
        // It has locked the file and not yet written to it.
        Err(_) | Ok(0) => "it has only just started".to_owned(),
        Ok(_) => text.trim_end().escape_debug().to_string(),
    }
}
