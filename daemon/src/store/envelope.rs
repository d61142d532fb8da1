//! The bytes of a record's file. All numbers are big-endian.
//!
//! ```text
//! preamble  magic (8) · version (u16) · CRC-32 of these (u32): frozen, so that a later format is recognised
//! head      flags (u16) · revision (u64) · length of key (u32) · length of body (u32)
//!           key (JSON) · CRC-32 of everything so far (u32): names the record even when its body is damaged
//! body      if sealed, a nonce (24) and the record (JSON) in XChaCha20-Poly1305 with its tag, everything before the
//!           body being the associated data; else the record as it is
//! check     CRC-32 of everything so far (u32)
//! ```
//!
//! The check stands outside of the seal too: it tells a damaged file from a wrong key. What a seal does not do: it
//! does not keep somebody who can write to the folder from putting an old file of the same record back, and it does not
//! wipe the blocks of plain files that were there before there was a key.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::payload::{Buffer, read_key, read_record, write_key, write_record};
use super::state_key::StateKey;
use super::{StoreError, Subject};
use crate::core::record::{Record, RecordKey, Revision};

/// The format written here, and the only one known.
pub(super) const VERSION: u16 = 1;

/// A whole file. Two tokens of the longest kind that a provider may send, however they are escaped, fit with room.
pub(super) const MAX_RECORD: usize = 256 * 1024;

const MAGIC: [u8; 8] = *b"tokend\x1aR";
const SEALED: u16 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const CHECK: usize = 4;

/// Bytes of a sealed file beside its key and its record: preamble, the rest of the head, nonce, check.
const BESIDE_KEY_AND_BODY: usize = (MAGIC.len() + 2 + CHECK) + (2 + 8 + 4 + 4 + CHECK) + NONCE + CHECK;

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Which record it is.
    pub key: RecordKey,
    /// Its revision.
    pub revision: Revision,
    /// Its content, of the key's kind.
    pub record: Record,
}

/// Why a file says nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Of a later format.
    Newer(u16),
    /// Whole, but sealed, and there is no key.
    NoKey,
    /// Whole, but the key does not open it.
    WrongKey,
    /// Not what was written.
    Damaged {
        /// In what way.
        why: &'static str,
        /// The record's name and revision, if the head is intact.
        head: Option<(RecordKey, Revision)>,
    },
}

/// A file for this record.
///
/// # Errors
/// [`StoreError::TooLarge`], and [`StoreError::NoRandomness`] where it is to be sealed.
pub fn encode(
    key: &RecordKey,
    revision: Revision,
    record: &Record,
    seal: Option<&StateKey>,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let name = write_key(key);
    let mut body = Buffer::with_limit(MAX_RECORD);
    let too_large = |bytes| StoreError::TooLarge { what: Subject(key.clone()), bytes };
    write_record(record, &mut body).map_err(|_| too_large(MAX_RECORD + 1))?;
    let mut body = body.into_bytes();
    let sealed_length = body.len() + if seal.is_some() { TAG } else { 0 };

    // Allocated once: a buffer that grew would leave copies behind.
    let whole = BESIDE_KEY_AND_BODY + name.len() + sealed_length;
    let mut file = Zeroizing::new(Vec::with_capacity(whole));
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_be_bytes());
    push_check(&mut file);
    file.extend_from_slice(&(if seal.is_some() { SEALED } else { 0 }).to_be_bytes());
    file.extend_from_slice(&revision.0.to_be_bytes());
    file.extend_from_slice(&length(name.len()));
    file.extend_from_slice(&length(sealed_length));
    file.extend_from_slice(&name);
    push_check(&mut file);
    if let Some(seal) = seal {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(StoreError::NoRandomness)?;
        file.extend_from_slice(&nonce);
        let tag = XChaCha20Poly1305::new(seal.bytes().into())
            .encrypt_inout_detached(&XNonce::from(nonce), &file, body.as_mut_slice().into())
            .map_err(|_| too_large(sealed_length))?;
        file.extend_from_slice(&body);
        file.extend_from_slice(&tag);
    } else {
        file.extend_from_slice(&body);
    }
    push_check(&mut file);
    debug_assert!(file.len() <= whole, "it was allocated for {whole} bytes and has {}", file.len());
    if file.len() > MAX_RECORD { Err(too_large(file.len())) } else { Ok(file) }
}

/// What a file says that may have been longer than the record, which zeros follow then; and the record's own length.
///
/// # Errors
/// As of [`decode`].
pub(super) fn decode_padded(file: &[u8], seal: Option<&StateKey>) -> Result<(Decoded, usize), DecodeError> {
    let is_padded = |length: &usize| file.get(*length..).is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
    let length = record_length(file).filter(is_padded).unwrap_or(file.len());
    decode(&file[..length], seal).map(|decoded| (decoded, length))
}

/// How long a file is according to its head; none if that cannot be read.
fn record_length(file: &[u8]) -> Option<usize> {
    let mut reader = Reader { file, at: 0 };
    let preamble = reader.take() == Some(MAGIC) && reader.u16() == Some(VERSION) && reader.check();
    let head = Head::read(&mut reader).filter(|_| preamble)?;
    head.file_length(reader.at)
}

/// What this file says.
///
/// # Errors
/// When it is not a whole file of this format, or the key does not open it. It is never believed in part.
pub fn decode(file: &[u8], seal: Option<&StateKey>) -> Result<Decoded, DecodeError> {
    let damaged = |why| DecodeError::Damaged { why, head: None };
    let mut reader = Reader { file, at: 0 };
    if reader.take::<8>() != Some(MAGIC) {
        return Err(damaged("it does not begin like a record"));
    }
    let version = reader.u16().ok_or(damaged("it is cut off"))?;
    if !reader.check() {
        return Err(damaged("its beginning does not match its checksum"));
    }
    if version > VERSION {
        return Err(DecodeError::Newer(version));
    }
    if version < VERSION {
        return Err(damaged("its format never existed"));
    }
    let head = Head::read(&mut reader).ok_or(damaged("its head is cut off or does not match its checksum"))?;
    head.read_body(file, reader.at, seal)
}

struct Head {
    key: RecordKey,
    revision: Revision,
    sealed: bool,
    body: usize,
}

impl Head {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let flags = reader.u16()?;
        let revision = Revision(u64::from_be_bytes(reader.take()?));
        let name_length = reader.u32()?;
        let body = reader.u32()?;
        let name = reader.slice(name_length)?;
        if !reader.check() || flags & !SEALED != 0 {
            return None;
        }
        Some(Self { key: read_key(name)?, revision, sealed: flags & SEALED != 0, body })
    }

    fn nonce_length(&self) -> usize {
        if self.sealed { NONCE } else { 0 }
    }

    /// The head ends at `start`.
    fn file_length(&self, start: usize) -> Option<usize> {
        (start + self.nonce_length() + CHECK).checked_add(self.body)
    }

    fn read_body(self, file: &[u8], start: usize, seal: Option<&StateKey>) -> Result<Decoded, DecodeError> {
        let damaged = |why, head: &Self| DecodeError::Damaged { why, head: Some((head.key.clone(), head.revision)) };
        if Some(file.len()) != self.file_length(start) {
            return Err(damaged("its length is not what its head says", &self));
        }
        let (whole, check) = file.split_at(file.len() - CHECK);
        if crc32fast::hash(whole).to_be_bytes() != check {
            return Err(damaged("it does not match its checksum", &self));
        }
        let (associated, body) = whole.split_at(start + self.nonce_length());
        let body = if self.sealed { &open(associated, body, seal.ok_or(DecodeError::NoKey)?)? } else { body };
        let record = read_record(body).map_err(|_| damaged("its content is not a record", &self))?;
        if !belongs(&self.key, &record) {
            return Err(damaged("it holds a record of another kind", &self));
        }
        Ok(Decoded { key: self.key, revision: self.revision, record })
    }
}

/// Opens a sealed body; the nonce is at the end of what is associated.
fn open(associated: &[u8], body: &[u8], seal: &StateKey) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let nonce = associated.last_chunk::<NONCE>().ok_or(DecodeError::WrongKey)?;
    let (text, tag) = body.split_last_chunk::<TAG>().ok_or(DecodeError::WrongKey)?;
    let mut text = Zeroizing::new(text.to_vec());
    XChaCha20Poly1305::new(seal.bytes().into())
        .decrypt_inout_detached(&XNonce::from(*nonce), associated, text.as_mut_slice().into(), tag.into())
        .map_err(|_| DecodeError::WrongKey)?;
    Ok(text)
}

/// Whether a record is of its key's kind.
pub(super) fn belongs(key: &RecordKey, record: &Record) -> bool {
    matches!(
        (key, record),
        (RecordKey::Chain(_), Record::Chain(_))
            | (RecordKey::Candidate(_), Record::Candidate(_))
            | (RecordKey::Quota(_), Record::Quota(_))
    )
}

fn length(bytes: usize) -> [u8; 4] {
    // What does not fit is refused as too large in the end.
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

fn push_check(file: &mut Vec<u8>) {
    let check = crc32fast::hash(file);
    file.extend_from_slice(&check.to_be_bytes());
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let slice = self.file.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(slice)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<usize> {
        self.take().and_then(|bytes| usize::try_from(u32::from_be_bytes(bytes)).ok())
    }

    /// Whether the next four bytes are the checksum of all before them.
    fn check(&mut self) -> bool {
        let sum = self.file.get(..self.at).map(crc32fast::hash);
        self.take().map(u32::from_be_bytes) == sum
    }
}
