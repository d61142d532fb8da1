//! How one file replaces another. At every moment, and in whatever order the names reach the disk, the record's name
//! leads to the whole old record or the whole new one:
//!
//! 1. the new record is written under a name of its own and fsynced;
//! 2. the old one gets a second name, which is renamed over that of the one before it. Where there is no hard link to
//!    be had (vfat, some network file systems, a folder with no room for a name) the old one itself is renamed: a
//!    crash right then leaves only the previous record, and `load` says so;
//! 3. the new one is renamed over the old one; its second name is then its only one;
//! 4. the folder is fsynced.
//!
//! A removal takes the previous record first, so that a crash cannot bring it back in place of a newer one.

use super::StoreError;
use super::envelope::MAX_RECORD;
use super::folder::Folder;
use super::names::Names;

/// Puts `content` in place of the record. With `keep`, what is there becomes the previous record; without, it is not
/// worth it and the previous one stays. Of the reserved space under `spares` the first that is there is used.
pub(super) fn replace(
    folder: &Folder,
    names: &Names,
    content: &[u8],
    keep: bool,
    spares: &[String],
) -> Result<(), StoreError> {
    let mut there = None;
    for spare in spares {
        if there.is_none() && folder.identity(spare)?.is_some() {
            there = Some(spare);
        }
    }
    let fresh = match there {
        Some(spare) if folder.overwrite(spare, content).is_ok() => spare,
        _ => {
            folder.create(&names.fresh, content).inspect_err(|_| discard(folder, &names.fresh))?;
            &names.fresh
        }
    };
    if keep {
        keep_previous(folder, names)?;
    }
    folder.rename(fresh, &names.main)?;
    folder.sync()?;
    if let Some(spare) = there.filter(|spare| *spare != fresh) {
        // It has failed; the next reservation makes another.
        discard(folder, spare);
    }
    Ok(())
}

fn keep_previous(folder: &Folder, names: &Names) -> Result<(), StoreError> {
    folder.remove(&names.link)?;
    if folder.identity(&names.main)?.is_none() {
        return Ok(());
    }
    if folder.link(&names.main, &names.link).is_err() {
        return folder.rename(&names.main, &names.previous);
    }
    folder.rename(&names.link, &names.previous)?;
    // A rename between two names of one file does nothing: after a failed write they may be that.
    folder.remove(&names.link).map(drop)
}

/// Takes the record away, with all that belongs to it.
pub(super) fn remove(folder: &Folder, names: &Names) -> Result<(), StoreError> {
    if folder.remove(&names.previous)? {
        folder.sync()?;
    }
    for name in [&names.spare, &names.fresh, &names.link, &names.main] {
        folder.remove(name)?;
    }
    folder.sync()
}

/// Makes sure of the space for the record that follows. Returns whether it was not there before.
pub(super) fn reserve(folder: &Folder, names: &Names) -> Result<bool, StoreError> {
    let new = folder.reserve(&names.spare, MAX_RECORD)?;
    if new {
        folder.sync()?;
    }
    Ok(new)
}

/// Removes a file that is only in the way; if that fails, the next `load` will.
pub(super) fn discard(folder: &Folder, name: &str) {
    let _ = folder.remove(name);
}
