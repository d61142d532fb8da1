//! The state folder: every system call on a record's file is here, relative to one descriptor, so that a folder that
//! is moved or replaced under the daemon cannot lead it elsewhere.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, FallocateFlags, OFlag, fallocate, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, linkat, unlinkat};
use zeroize::Zeroizing;

use super::calls::fsync;
use crate::store::StoreError;

/// Of every file here: its owner reads and writes, nobody else does anything.
const FILE_MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
const FOLDER_MODE: u32 = 0o700;

/// `Read::read_to_end` looks for more with a buffer on the stack when the one that it is given is shorter.
const SHORTEST_BUFFER: usize = 64;

/// An open folder.
pub(in crate::store) struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
    #[cfg(test)]
    pub(in crate::store) fault: crate::store::tests::Fault,
}

impl Folder {
    /// Opens the folder, made if it is not there. It may be a symbolic link (systemd makes StateDirectory= one with
    /// DynamicUser=); what it leads to has to be ours.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |doing| move |source| StoreError::io(doing, path.to_owned(), source);
        match DirBuilder::new().mode(FOLDER_MODE).create(path) {
            // What is in it is durable only if it is itself.
            Ok(()) => parent(path).and_then(fsync).map_err(failed("fsync the parent of"))?,
            Err(_) if path.exists() => {}
            Err(error) => return Err(failed("make the state folder")(error)),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let descriptor = nix::fcntl::open(path, flags, Mode::empty())
            .map_err(|errno| failed("open the state folder")(errno.into()))?;
        let folder = File::from(descriptor);
        let metadata = folder.metadata().map_err(failed("examine"))?;
        let ours = geteuid().as_raw();
        if metadata.uid() != ours && metadata.uid() != 0 {
            return Err(StoreError::Unsafe {
                path: path.to_owned(),
                fault: format!("belongs to uid {}, tokend runs as uid {ours}", metadata.uid()),
                remedy: format!("`chown {ours}` it, or name another `state_dir`"),
            });
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(StoreError::Unsafe {
                path: path.to_owned(),
                fault: format!("can be written by others (mode {:04o})", metadata.mode() & 0o7777),
                remedy: "`chmod 0700` it".to_owned(),
            });
        }
        Ok(Self {
            descriptor: folder.into(),
            path: path.to_owned(),
            #[cfg(test)]
            fault: crate::store::tests::Fault::default(),
        })
    }

    /// Where a file is, for messages.
    pub(in crate::store) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder itself, for messages.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all files. A name that is not UTF-8 is none of ours.
    pub(in crate::store) fn names(&self) -> Result<Vec<String>, StoreError> {
        let failed = |errno: Errno| StoreError::io("list", self.path.clone(), errno.into());
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = Dir::openat(&self.descriptor, ".", flags, Mode::empty()).map_err(failed)?;
        let mut names = Vec::new();
        for entry in folder {
            let entry = entry.map_err(failed)?;
            names.extend(OsStr::from_bytes(entry.file_name().to_bytes()).to_str().map(str::to_owned));
        }
        Ok(names)
    }

    /// The content of a file that nobody else can have touched, at most `limit + 1` bytes of it; none if there is no
    /// such file. `links` is how many names it has at most.
    pub(in crate::store) fn read(
        &self,
        name: &str,
        limit: usize,
        links: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let Some(file) = self.open_linked(name, OFlag::O_RDONLY, links)? else { return Ok(None) };
        let length = file.metadata().map_err(|source| self.failed("examine", name, source))?.len();
        // A byte more than there are: a buffer that grew would leave copies behind.
        let wanted = usize::try_from(length).unwrap_or(limit).clamp(SHORTEST_BUFFER, limit) + 1;
        let mut content = Zeroizing::new(Vec::with_capacity(wanted + 1));
        file.take(u64::try_from(wanted).unwrap_or(u64::MAX))
            .read_to_end(&mut content)
            .map_err(|source| self.failed("read", name, source))?;
        Ok(Some(content))
    }

    /// Opens a file, never a symbolic link or a device, and checks that nobody else can have touched it.
    pub(in crate::store) fn open_file(&self, name: &str, access: OFlag) -> Result<Option<File>, StoreError> {
        self.open_linked(name, access, 1)
    }

    /// The same for a file that may have this many names.
    pub(in crate::store) fn open_linked(
        &self,
        name: &str,
        access: OFlag,
        links: u64,
    ) -> Result<Option<File>, StoreError> {
        let refuse = |fault: String, remedy: &str| {
            Err(StoreError::Unsafe { path: self.path_of(name), fault, remedy: remedy.to_owned() })
        };
        let ours = geteuid().as_raw();
        // O_NONBLOCK: a FIFO must not hold the daemon up. It means nothing for a regular file.
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match openat(&self.descriptor, name, flags, FILE_MODE) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => {
                return refuse("is a symbolic link".to_owned(), "put the file itself there, or remove the link");
            }
            Err(Errno::EACCES) => {
                return refuse("may not be opened".to_owned(), &format!("`chown {ours}` it if you trust its content"));
            }
            Err(errno) => return Err(self.failed("open", name, errno.into())),
        };
        let metadata = file.metadata().map_err(|source| self.failed("examine", name, source))?;
        if !metadata.is_file() {
            return refuse("is not a regular file".to_owned(), "remove it");
        }
        if metadata.uid() != ours && metadata.uid() != 0 {
            let fault = format!("belongs to uid {}, tokend runs as uid {ours}", metadata.uid());
            return refuse(fault, &format!("`chown {ours}` it if you trust its content, else remove it"));
        }
        if metadata.mode() & 0o077 != 0 {
            let fault = format!("can be reached by others (mode {:04o})", metadata.mode() & 0o7777);
            return refuse(fault, "`chmod 0600` it if you trust its content, else remove it");
        }
        if metadata.nlink() == 0 || metadata.nlink() > links {
            let fault = format!("has {} names (hard links)", metadata.nlink());
            return refuse(fault, "replace it by a copy of its own, or remove it");
        }
        Ok(Some(file))
    }

    /// A new file with this content, on disk when it returns. What had the name before is gone.
    pub(in crate::store) fn create(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        self.remove(name)?;
        self.step("create", name)?;
        let mut file = self.new_file(name)?;
        self.step("write", name)?;
        file.write_all(content).map_err(|source| self.failed("write", name, source))?;
        self.sync_file(&file, name)
    }

    /// Puts this content in place of a file's own, on disk when it returns. Takes no space that the file does not have.
    pub(in crate::store) fn overwrite(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let missing = || self.failed("open", name, io::ErrorKind::NotFound.into());
        let file = self.open_file(name, OFlag::O_WRONLY)?.ok_or_else(missing)?;
        self.step("overwrite", name)?;
        file.write_all_at(content, 0).map_err(|source| self.failed("write", name, source))?;
        self.step("truncate", name)?;
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        file.set_len(length).map_err(|source| self.failed("truncate", name, source))?;
        self.sync_file(&file, name)
    }

    /// Makes sure of `size` bytes on disk under this name. Returns whether they are new.
    ///
    /// The blocks are allocated and then written: overwriting them later changes neither the file system's free space
    /// nor, on ext4 and XFS, its metadata. A file system that never overwrites (Btrfs, ZFS, or a compressing one)
    /// cannot promise that; there this finds a disk that is full now, and a later write can still fail.
    pub(in crate::store) fn reserve(&self, name: &str, size: usize) -> Result<bool, StoreError> {
        let whole = u64::try_from(size).unwrap_or(u64::MAX);
        if let Some(file) = self.open_file(name, OFlag::O_RDONLY)? {
            let metadata = file.metadata().map_err(|source| self.failed("examine", name, source))?;
            // st_blocks counts 512 bytes, stat(2).
            if metadata.len() == whole && metadata.blocks() >= whole / 512 {
                return Ok(false);
            }
        }
        let reserved = self.allocate(name, size);
        if reserved.is_err() {
            // Best effort: load clears what is left.
            let _ = self.remove(name);
        }
        reserved.map(|()| true)
    }

    fn allocate(&self, name: &str, size: usize) -> Result<(), StoreError> {
        self.remove(name)?;
        self.step("reserve", name)?;
        let failed = |source| self.failed("reserve", name, source);
        let mut file = self.new_file(name)?;
        let length = i64::try_from(size).unwrap_or(i64::MAX);
        match fallocate(&file, FallocateFlags::empty(), 0, length) {
            // Without it, writing allocates.
            Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        write_zeros(&mut file, size).map_err(failed)?;
        self.sync_file(&file, name)
    }

    /// Takes back what a file holds: zeros again, as many as `size`, on disk when it returns.
    pub(in crate::store) fn blank(&self, name: &str, size: usize) -> Result<(), StoreError> {
        let missing = || self.failed("open", name, io::ErrorKind::NotFound.into());
        let mut file = self.open_file(name, OFlag::O_WRONLY)?.ok_or_else(missing)?;
        self.step("blank", name)?;
        write_zeros(&mut file, size).map_err(|source| self.failed("blank", name, source))?;
        self.sync_file(&file, name)
    }

    /// Cuts a file to this length and makes it durable.
    pub(in crate::store) fn trim(&self, name: &str, length: usize) -> Result<(), StoreError> {
        let missing = || self.failed("open", name, io::ErrorKind::NotFound.into());
        let file = self.open_file(name, OFlag::O_WRONLY)?.ok_or_else(missing)?;
        let metadata = file.metadata().map_err(|source| self.failed("examine", name, source))?;
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        if metadata.len() != length {
            self.step("truncate", name)?;
            file.set_len(length).map_err(|source| self.failed("truncate", name, source))?;
        }
        self.sync_file(&file, name)
    }

    fn sync_file(&self, file: &File, name: &str) -> Result<(), StoreError> {
        self.step("fsync", name)?;
        fsync(file).map_err(|source| self.failed("fsync", name, source))
    }

    fn new_file(&self, name: &str) -> Result<File, StoreError> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let descriptor = openat(&self.descriptor, name, flags, FILE_MODE);
        descriptor.map(File::from).map_err(|errno| self.failed("create", name, errno.into()))
    }

    /// A second name for a file.
    pub(in crate::store) fn link(&self, name: &str, second: &str) -> Result<(), StoreError> {
        self.step("link", second)?;
        linkat(&self.descriptor, name, &self.descriptor, second, AtFlags::empty())
            .map_err(|errno| self.failed("link", second, errno.into()))
    }

    /// Another name for a file, in place of what has that name. Does nothing when both are the same file, rename(2).
    pub(in crate::store) fn rename(&self, name: &str, to: &str) -> Result<(), StoreError> {
        self.step("rename", to)?;
        renameat(&self.descriptor, name, &self.descriptor, to)
            .map_err(|errno| self.failed("rename to", to, errno.into()))
    }

    /// Takes a name away; returns whether there was one.
    pub(in crate::store) fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.step("remove", name)?;
        match unlinkat(&self.descriptor, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.failed("remove", name, errno.into())),
        }
    }

    /// Makes names durable.
    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        self.step("fsync", ".")?;
        fsync(&self.descriptor).map_err(|source| StoreError::io("fsync", self.path.clone(), source))
    }

    /// Device and inode of what has this name.
    pub(in crate::store) fn identity(&self, name: &str) -> Result<Option<(u64, u64)>, StoreError> {
        match fstatat(&self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(Some((status.st_dev, status.st_ino))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.failed("examine", name, errno.into())),
        }
    }

    /// Whether this is a regular file with something in it.
    pub(in crate::store) fn holds_data(&self, name: &str) -> bool {
        let status = fstatat(&self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        status.is_ok_and(|status| status.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits() && status.st_size > 0)
    }

    fn failed(&self, doing: &'static str, name: &str, source: io::Error) -> StoreError {
        StoreError::io(doing, self.path_of(name), source)
    }

    #[cfg(not(test))]
    #[expect(clippy::unnecessary_wraps, reason = "tests let a step fail")]
    #[inline]
    fn step(&self, _doing: &'static str, _name: &str) -> Result<(), StoreError> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self, doing: &'static str, name: &str) -> Result<(), StoreError> {
        self.fault.step(doing, name).map_err(|source| self.failed(doing, name, source))
    }
}

fn write_zeros(file: &mut File, size: usize) -> io::Result<()> {
    const ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];
    let mut left = size;
    while left > 0 {
        let part = left.min(ZEROS.len());
        file.write_all(&ZEROS[..part])?;
        left -= part;
    }
    Ok(())
}

fn parent(path: &Path) -> io::Result<File> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent),
        _ => File::open("."),
    }
}
