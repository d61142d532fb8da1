//! How one file replaces another. At every moment, and in each order in which the names may reach the disk, the
//! record's name leads to the whole old record or the whole new one:
//!
//! 1. the new record is written under a name of its own and fsynced: from then on [`super::load`] finds it there;
//! 2. the old one gets a second name, which is renamed over that of the one before it. Where there is no hard link to
//!    be had (vfat, some network file systems, a folder with no room for a name) the old one itself is renamed: after a
//!    crash right then `load` finds the new one under its own name;
//! 3. the new one is renamed over the old one; its second name is then its only one;
//! 4. the folder is fsynced.
//!
//! The caller goes on from the old record when a step fails, so the steps before it are undone: the old record gets its
//! name back, and no file is left that `load` would take for the newest record.
//!
//! A removal takes everything else first, so that a crash cannot bring it back in place of a newer one.

use super::folder::Folder;
use super::names::Names;
use crate::store::StoreError;
use crate::store::envelope::MAX_RECORD;

/// Puts `content` in place of the record. With `keep`, what is there becomes the previous record; without, it is not
/// worth it and the previous one stays. Of the reserved space under `spares` the first that is there is used.
pub(in crate::store) fn replace(
    folder: &Folder,
    names: &Names,
    content: &[u8],
    keep: bool,
    spares: &[String],
) -> Result<(), StoreError> {
    let fresh = write_fresh(folder, names, content, spares)?;
    let replacement = Replacement { folder, names, fresh, of: folder.identity(fresh)? };
    replacement.put(keep)
}

/// Writes the record under a name of its own; which one.
fn write_fresh<'a>(
    folder: &Folder,
    names: &'a Names,
    content: &[u8],
    spares: &'a [String],
) -> Result<&'a str, StoreError> {
    for spare in spares {
        if folder.identity(spare)?.is_none() {
            continue;
        }
        if folder.overwrite(spare, content).is_ok() {
            // A file of an earlier failure must not outlive this record.
            folder.remove(&names.fresh).inspect_err(|_| clear(folder, spare))?;
            return Ok(spare);
        }
        // It has failed; the next reservation makes another.
        clear(folder, spare);
        break;
    }
    folder.create(&names.fresh, content).inspect_err(|_| clear(folder, &names.fresh))?;
    Ok(&names.fresh)
}

/// A record that is on disk under a name of its own.
struct Replacement<'a> {
    folder: &'a Folder,
    names: &'a Names,
    fresh: &'a str,
    of: Option<(u64, u64)>,
}

/// Where the old record is while the new one takes its name.
enum Aside<'a> {
    /// There was none.
    Nothing,
    /// Under this name.
    Under(&'a str),
    /// There is one that is worth nothing, under its own name alone.
    Left,
}

impl Replacement<'_> {
    fn put(&self, keep: bool) -> Result<(), StoreError> {
        let Self { folder, names, .. } = *self;
        let aside = set_aside(folder, names, keep).inspect_err(|_| self.undo(&Aside::Left))?;
        let put = folder.rename(self.fresh, &names.main).and_then(|()| folder.sync());
        put.inspect_err(|_| self.undo(&aside))?;
        if matches!(aside, Aside::Under(name) if name == names.link) {
            discard(folder, &names.link);
        }
        Ok(())
    }

    /// The write has failed: as far as the disk allows it, all is as before.
    fn undo(&self, aside: &Aside<'_>) {
        let Self { folder, names, .. } = *self;
        let has_the_name = folder.identity(&names.main).is_ok_and(|main| main == self.of);
        match aside {
            Aside::Under(old) if *old == names.previous => {
                let linked = folder.link(old, &names.link).and_then(|()| folder.rename(&names.link, &names.main));
                if linked.is_err() {
                    let _ = folder.rename(old, &names.main);
                }
            }
            Aside::Under(old) => drop(folder.rename(old, &names.main)),
            Aside::Nothing if has_the_name => discard(folder, &names.main),
            Aside::Nothing | Aside::Left => {}
        }
        discard(folder, &names.link);
        if self.fresh == names.fresh {
            clear(folder, self.fresh);
        } else {
            empty(folder, self.fresh);
        }
    }
}

/// Gives the old record another name, beside its own where that can be.
fn set_aside<'a>(folder: &Folder, names: &'a Names, keep: bool) -> Result<Aside<'a>, StoreError> {
    folder.remove(&names.link)?;
    if folder.identity(&names.main)?.is_none() {
        return Ok(Aside::Nothing);
    }
    let linked = folder.link(&names.main, &names.link);
    match (keep, linked) {
        (true, Ok(())) => {
            folder.rename(&names.link, &names.previous)?;
            // A rename between two names of one file does nothing: after a failed write they may be that.
            folder.remove(&names.link)?;
            Ok(Aside::Under(&names.previous))
        }
        (true, Err(_)) => {
            // While the record has no name, the new one has to have its own, also after a power cut.
            folder.sync()?;
            folder.rename(&names.main, &names.previous)?;
            Ok(Aside::Under(&names.previous))
        }
        (false, Ok(())) => Ok(Aside::Under(&names.link)),
        (false, Err(_)) => Ok(Aside::Left),
    }
}

/// Puts a record that a crash has left under `fresh`, and that takes this many bytes there, in its place. As with
/// [`replace`]; but when it fails nothing is undone: the next start tries it once more.
pub(in crate::store) fn adopt(
    folder: &Folder,
    names: &Names,
    fresh: &str,
    length: usize,
    keep: bool,
) -> Result<(), StoreError> {
    // Only now is it certain that it outlives a power cut.
    folder.trim(fresh, length)?;
    if keep {
        set_aside(folder, names, true)?;
    }
    folder.rename(fresh, &names.main)?;
    folder.sync()
}

/// Takes the record away, with all that belongs to it.
pub(in crate::store) fn remove(folder: &Folder, names: &Names) -> Result<(), StoreError> {
    let mut changed = false;
    for name in [&names.previous, &names.spare, &names.fresh, &names.link] {
        changed |= folder.remove(name)?;
    }
    if changed {
        folder.sync()?;
    }
    folder.remove(&names.main)?;
    folder.sync()
}

/// Makes sure of the space for the record that follows. Returns whether it was not there before.
pub(in crate::store) fn reserve(folder: &Folder, names: &Names) -> Result<bool, StoreError> {
    let new = folder.reserve(&names.spare, MAX_RECORD)?;
    if new {
        folder.sync().inspect_err(|_| discard(folder, &names.spare))?;
    }
    Ok(new)
}

/// Makes reserved space empty that holds something; if that fails, it goes.
pub(in crate::store) fn empty(folder: &Folder, spare: &str) {
    if folder.blank(spare, MAX_RECORD).is_err() {
        clear(folder, spare);
    }
}

/// Removes a file whose content must not be found again, for good: the name or the content at least.
pub(in crate::store) fn clear(folder: &Folder, name: &str) {
    let _ = folder.trim(name, 0);
    discard(folder, name);
    let _ = folder.sync();
}

/// Removes a file that is only in the way; if that fails, the next `load` will.
pub(in crate::store) fn discard(folder: &Folder, name: &str) {
    let _ = folder.remove(name);
}
