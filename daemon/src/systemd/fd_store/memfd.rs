//! Where short-lived tokens outlive the daemon without touching the disk: a file in memory (memfd_create(2)) that the
//! service manager keeps for the next start.
//!
//! ```text
//! slot      two, at 0 and SLOT_SPACE; written in turn, so that one is whole whenever a write is cut short
//!   head    magic (8) · generation (u64) · length of the content (u64) · CRC-32 of these and the content (u32)
//!   marks   at MARKS: tokens that became bad after the slot was written, each a fingerprint (16) and its CRC-32 (u32)
//!   content at CONTENT: see `codec`
//! ```
//!
//! All numbers are big-endian. The slot of the highest generation whose check holds counts; marks of both slots do. A
//! slot's head is zeroed before anything of it is replaced and written last. What a slot held before is overwritten.
//!
//! The disk is out of reach of it as long as the unit keeps its memory out of the swap (`MemorySwapMax=0`).
//!
//! Not here: what is handed on and what is taken in (`crate::core::restore`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tokend_proto::Fingerprint;
use zeroize::Zeroizing;

use super::codec::Sink;

/// What the service manager knows it as (`FDNAME=`).
pub const NAME: &str = "tokens";

/// What it is called in /proc.
const FILE_NAME: &str = "tokend-tokens";

/// memfd_create(2): can never be executed. Since Linux 6.3; unknown to nix 0.31.
const MFD_NOEXEC_SEAL: u32 = 0x0008;

const MAGIC: [u8; 8] = *b"tokend\x1aT";
const HEAD: usize = 28;
const MARKS: usize = 64;
const MARK: usize = 20;
const CONTENT: usize = 4096;

/// Marks that a slot has room for; when there are more, the whole content is written.
const MAX_MARKS: usize = (CONTENT - MARKS) / MARK;

/// From one slot to the other. Only pages that were written take memory. The largest content that fits is some hundred
/// thousand tokens of the usual length.
const SLOT_SPACE: u64 = 256 * 1024 * 1024;

/// How much is zeroed at a time.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The file.
#[derive(Debug)]
pub(super) struct TokenFile {
    file: File,
    generation: u64,
    /// Which slot was written last; `None` in a file without a whole one.
    newest: Option<usize>,
    /// Marks in that slot.
    marks: usize,
    /// Bytes of content that each slot may hold.
    extents: [u64; 2],
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whole contents, the newest first.
    pub(super) contents: Vec<Zeroizing<Vec<u8>>>,
    /// Tokens that became bad after they were written.
    pub(super) condemned: BTreeSet<Fingerprint>,
    /// For the log.
    pub(super) problems: Vec<String>,
}

#[derive(Debug)]
enum Slot {
    Empty,
    Whole { generation: u64, content: Zeroizing<Vec<u8>> },
    Damaged(&'static str),
}

impl TokenFile {
    /// An empty one.
    pub(super) fn new() -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC;
        let memory = match memfd_create(FILE_NAME, flags | MFdFlags::from_bits_retain(MFD_NOEXEC_SEAL)) {
            Err(Errno::EINVAL) => memfd_create(FILE_NAME, flags),
            other => other,
        };
        Ok(Self { file: memory?.into(), generation: 0, newest: None, marks: 0, extents: [0; 2] })
    }

    /// One that was handed on, with what is in it. What is damaged is wiped.
    ///
    /// # Errors
    /// When it is not in memory or cannot be written: it cannot be used.
    pub(super) fn adopt(file: File) -> io::Result<(Self, Found)> {
        // memfd_create(2): files on a disk have no seals.
        let seals = fcntl(&file, FcntlArg::F_GET_SEALS).map_err(|_| io::Error::other("it is no file in memory"))?;
        let sealed = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW;
        if SealFlag::from_bits_retain(seals).intersects(sealed) {
            return Err(io::Error::other("it is sealed"));
        }
        let mut this = Self { file, generation: 0, newest: None, marks: 0, extents: [0; 2] };
        let (mut found, mut whole) = (Found::default(), Vec::new());
        for slot in 0..2 {
            let marks = this.read_marks(slot)?;
            match this.read_slot(slot)? {
                Slot::Empty => {}
                Slot::Whole { generation, content } => {
                    this.extents[slot] = content.len() as u64;
                    whole.push((generation, slot, marks.len(), content));
                }
                Slot::Damaged(why) => {
                    found.problems.push(format!("slot {slot} {why}"));
                    this.wipe(slot)?;
                }
            }
            found.condemned.extend(marks);
        }
        whole.sort_unstable_by_key(|(generation, ..)| std::cmp::Reverse(*generation));
        if let Some((generation, slot, marks, _)) = whole.first() {
            (this.generation, this.newest, this.marks) = (*generation, Some(*slot), *marks);
        }
        found.contents = whole.into_iter().map(|(.., content)| content).collect();
        Ok((this, found))
    }

    /// Writes what `content` gives, piece by piece, over the older content. Returns how many bytes it wrote.
    pub(super) fn write(&mut self, content: impl FnOnce(Sink<'_>) -> io::Result<()>) -> io::Result<u64> {
        let slot = self.newest.map_or(0, |newest| 1 - newest);
        let generation = self.generation.saturating_add(1);
        self.file.write_all_at(&[0; CONTENT], base(slot))?;
        let (mut length, mut check) = (0, crc32fast::Hasher::new());
        let (file, extent) = (&self.file, &mut self.extents[slot]);
        content(&mut |piece| {
            let end = length + piece.len() as u64;
            if end > SLOT_SPACE - CONTENT as u64 {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            *extent = (*extent).max(end);
            file.write_all_at(piece, base(slot) + CONTENT as u64 + length)?;
            check.update(piece);
            length = end;
            Ok(())
        })?;
        self.zero(slot, length)?;
        self.extents[slot] = length;
        self.file.write_all_at(&head(generation, length, &check), base(slot))?;
        (self.generation, self.newest, self.marks) = (generation, Some(slot), 0);
        Ok(length)
    }

    /// This token is bad, if it is in here. Whether there was room to say so.
    pub(super) fn invalidate(&mut self, token: Fingerprint) -> io::Result<bool> {
        let Some(slot) = self.newest else { return Ok(true) };
        if self.marks >= MAX_MARKS {
            return Ok(false);
        }
        let at = base(slot) + (MARKS + self.marks * MARK) as u64;
        self.file.write_all_at(&mark(token), at)?;
        self.marks += 1;
        Ok(true)
    }

    fn read_slot(&self, slot: usize) -> io::Result<Slot> {
        let mut bytes = [0; HEAD];
        if !self.read(&mut bytes, base(slot))? || bytes == [0; HEAD] {
            return Ok(Slot::Empty);
        }
        let (magic, rest) = bytes.split_at(MAGIC.len());
        if magic != MAGIC {
            return Ok(Slot::Damaged("holds something else"));
        }
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
        let (generation, length) = (number(&rest[..8]), number(&rest[8..16]));
        let room = self.file.metadata()?.len().saturating_sub(base(slot) + CONTENT as u64);
        if length > room.min(SLOT_SPACE - CONTENT as u64) {
            return Ok(Slot::Damaged("is shorter than it says"));
        }
        let mut content = Zeroizing::new(vec![0; usize::try_from(length).expect("not over 256 MiB")]);
        self.file.read_exact_at(&mut content, base(slot) + CONTENT as u64)?;
        let mut check = crc32fast::Hasher::new();
        check.update(&content);
        Ok(if head(generation, length, &check) == bytes {
            Slot::Whole { generation, content }
        } else {
            Slot::Damaged("is damaged or was not written to its end")
        })
    }

    /// A mark that is damaged is none: it is of one token, and costs a peer's complaint.
    fn read_marks(&self, slot: usize) -> io::Result<Vec<Fingerprint>> {
        let mut bytes = [0; CONTENT - MARKS];
        if !self.read(&mut bytes, base(slot) + MARKS as u64)? {
            return Ok(Vec::new());
        }
        let marks = bytes.chunks_exact(MARK).map_while(|bytes| {
            let token = Fingerprint::from_bytes(bytes[..16].try_into().expect("sixteen bytes"));
            (mark(token) == bytes).then_some(token)
        });
        Ok(marks.collect())
    }

    /// Whether there were that many bytes.
    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<bool> {
        match self.file.read_exact_at(bytes, at) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Overwrites what was in a slot's content after its first `from` bytes, and gives the memory back.
    fn zero(&self, slot: usize, from: u64) -> io::Result<()> {
        let start = base(slot) + CONTENT as u64;
        let (mut at, end) = (start + from, start + self.extents[slot]);
        while at < end {
            let count = (end - at).min(ZEROS.len() as u64);
            self.file.write_all_at(&ZEROS[..usize::try_from(count).expect("64 KiB")], at)?;
            at += count;
        }
        if start + from < end {
            self.punch(start + from, end)?;
        }
        Ok(())
    }

    /// Takes away all of a slot, however much that is.
    fn wipe(&self, slot: usize) -> io::Result<()> {
        self.punch(base(slot), base(slot) + SLOT_SPACE)
    }

    fn punch(&self, from: u64, to: u64) -> io::Result<()> {
        let offset = |at: u64| libc_offset(at);
        let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        Ok(fallocate(&self.file, how, offset(from), offset(to - from))?)
    }
}

impl AsFd for TokenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn base(slot: usize) -> u64 {
    slot as u64 * SLOT_SPACE
}

fn libc_offset(at: u64) -> nix::libc::off_t {
    nix::libc::off_t::try_from(at).expect("not over 512 MiB")
}

/// `content` is the check of the content alone.
fn head(generation: u64, length: u64, content: &crc32fast::Hasher) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&generation.to_be_bytes());
    head[16..24].copy_from_slice(&length.to_be_bytes());
    let mut check = crc32fast::Hasher::new();
    check.update(&head[..24]);
    check.combine(content);
    head[24..].copy_from_slice(&check.finalize().to_be_bytes());
    head
}

fn mark(token: Fingerprint) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark[..16].copy_from_slice(&token.to_bytes());
    // Never that of zeros, so that zeros are no mark.
    let check = !crc32fast::hash(&mark[..16]) | 1;
    mark[16..].copy_from_slice(&check.to_be_bytes());
    mark
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
