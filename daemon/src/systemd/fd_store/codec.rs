//! What is handed on, as bytes. Numbers are big-endian, texts and lists begin with their length (u32), moments are
//! milliseconds of boot time. A slot's checksum is around it; what does not read to its end is dropped all the same.
//!
//! ```text
//! version (u16) · boot id (16) · at (u64) · profiles
//! profile  name · kind (u8: 1 central; 2 glp, with the workspace, 16) · endpoint · client id · next distrust (u64)
//!          listed (u8) [fetched (u64) · tenants, each id (16) and workspace name] · names
//! name     is a tenant (u8) [id (16)] · flags (u8) · throttled until, throttle (u64 each)
//!          issued, expires, refresh (u64 each) · token type · access token
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokend_proto::{Fingerprint, Secret, WorkspaceId};
use zeroize::Zeroizing;

use crate::core::handoff::{Binding, Held, HeldKind, HeldListing, HeldName, HeldProfile};
use crate::core::issued;
use crate::core::issued::AccessToken;
use crate::core::time::{BootId, BootTime};

/// The only version known. Another one is dropped: its tokens are fetched again.
const VERSION: u16 = 1;

const WAS_FORCED: u8 = 1;
const REJECTED: u8 = 2;
const DISTRUSTED: u8 = 4;

/// Longest piece, unless a text is longer.
const PIECE: usize = 64 * 1024;

/// A content that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Written by another release.
    #[error("is of another version of tokend")]
    Version,
    /// By whomever.
    #[error("does not read as what tokend writes")]
    Malformed,
}

/// Gives the sink one piece after the other: in one piece ten thousand names would take 16 MB each time.
pub(crate) fn encode(held: &Held, sink: Sink<'_>) -> io::Result<()> {
    // Allocated once: a growing buffer would leave copies behind.
    let mut out = Writer { buffer: Zeroizing::new(Vec::with_capacity(PIECE)), sink, result: Ok(()) };
    out.bytes(&VERSION.to_be_bytes());
    out.bytes(&held.boot_id.0);
    out.moment(held.at);
    out.count(held.profiles.len());
    for profile in &held.profiles {
        out.profile(profile);
    }
    out.flush();
    out.result
}

/// Takes what is encoded.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> io::Result<()>;

struct Writer<'s> {
    buffer: Zeroizing<Vec<u8>>,
    sink: Sink<'s>,
    /// After a failure nothing more is taken.
    result: io::Result<()>,
}

impl Writer<'_> {
    fn profile(&mut self, profile: &HeldProfile) {
        let Binding { profile: name, kind, endpoint, client_id } = &profile.binding;
        self.text(name.as_str());
        match kind {
            HeldKind::ClientCredentials { word, scope, audience } => {
                self.bytes(&[3]);
                self.text(word);
                self.optional(scope.as_deref());
                self.optional(audience.as_deref());
            }
            HeldKind::Glp(workspace) => {
                self.bytes(&[2]);
                self.bytes(&workspace.to_bytes());
            }
        }
        self.text(endpoint);
        self.text(client_id);
        self.moment(profile.next_distrust);
        self.bytes(&[u8::from(profile.listing.is_some())]);
        if let Some(listing) = &profile.listing {
            self.moment(listing.fetched);
            self.count(listing.tenants.len());
            for (id, name) in &listing.tenants {
                self.bytes(&id.to_bytes());
                self.text(name);
            }
        }
        self.count(profile.names.len());
        for name in &profile.names {
            self.name(name);
        }
    }

    fn name(&mut self, name: &HeldName) {
        self.bytes(&[u8::from(name.tenant.is_some())]);
        if let Some(tenant) = &name.tenant {
            self.bytes(&tenant.to_bytes());
        }
        let flags = [(name.was_forced, WAS_FORCED), (name.rejected, REJECTED), (name.distrusted, DISTRUSTED)];
        self.bytes(&[flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag)]);
        self.moment(name.throttled_until);
        self.bytes(&u64::try_from(name.throttle.as_millis()).unwrap_or(u64::MAX).to_be_bytes());
        let token = &name.token;
        for moment in [token.issued, token.expires, token.refresh] {
            self.moment(moment);
        }
        self.text(&token.token_type);
        self.text(token.access_token.expose());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > PIECE {
            self.flush();
        }
        if bytes.len() > PIECE {
            self.take(|sink| sink(bytes));
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn flush(&mut self) {
        let piece = std::mem::take(&mut *self.buffer);
        self.take(|sink| sink(&piece));
        *self.buffer = piece;
        self.buffer.clear();
    }

    fn take(&mut self, how: impl FnOnce(Sink<'_>) -> io::Result<()>) {
        if self.result.is_ok() {
            self.result = how(&mut *self.sink);
        }
    }

    fn moment(&mut self, moment: BootTime) {
        self.bytes(&moment.0.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.bytes(&u32::try_from(count).expect("a slot holds fewer").to_be_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.bytes(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Held, DecodeError> {
    let mut from = Reader(bytes);
    if from.array().map(u16::from_be_bytes).ok_or(DecodeError::Malformed)? != VERSION {
        return Err(DecodeError::Version);
    }
    from.held().filter(|_| from.0.is_empty()).ok_or(DecodeError::Malformed)
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn held(&mut self) -> Option<Held> {
        let boot_id = BootId(self.array()?);
        let at = self.moment()?;
        Some(Held { boot_id, at, profiles: self.list(Self::profile)? })
    }

    fn profile(&mut self) -> Option<HeldProfile> {
        let profile = self.text()?.parse().ok()?;
        let kind = match self.array()? {
            [3] => HeldKind::ClientCredentials {
                word: self.text()?.to_owned(),
                scope: self.optional()?,
                audience: self.optional()?,
            },
            [2] => HeldKind::Glp(self.id()?),
            _ => return None,
        };
        let (endpoint, client_id) = (self.text()?.to_owned(), self.text()?.to_owned());
        let binding = Binding { profile, kind, endpoint, client_id };
        let next_distrust = self.moment()?;
        let listing = match self.flag()? {
            false => None,
            true => {
                let fetched = self.moment()?;
                let tenants = self.list(|from| Some((from.id()?, Arc::from(from.text()?))))?;
                Some(HeldListing { fetched, tenants })
            }
        };
        Some(HeldProfile { binding, next_distrust, listing, names: self.list(Self::name)? })
    }

    fn name(&mut self) -> Option<HeldName> {
        let tenant = if self.flag()? { Some(self.id()?) } else { None };
        let [flags] = self.array()?;
        if flags & !(WAS_FORCED | REJECTED | DISTRUSTED) != 0 {
            return None;
        }
        let throttled_until = self.moment()?;
        let throttle = Duration::from_millis(u64::from_be_bytes(self.array()?));
        let [issued, expires, refresh] = [self.moment()?, self.moment()?, self.moment()?];
        let token_type = issued::token_type(self.text()?);
        let access_token = Secret::from(self.text()?);
        let fingerprint = Fingerprint::of(&access_token);
        Some(HeldName {
            tenant,
            token: Arc::new(AccessToken { access_token, token_type, fingerprint, issued, expires, refresh }),
            was_forced: flags & WAS_FORCED != 0,
            rejected: flags & REJECTED != 0,
            distrusted: flags & DISTRUSTED != 0,
            throttled_until,
            throttle,
        })
    }

    /// What the list says of its length is not believed beforehand: each item takes bytes.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = u32::from_be_bytes(self.array()?);
        (0..count).map(|_| item(self)).collect()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn id(&mut self) -> Option<WorkspaceId> {
        self.array().map(WorkspaceId::from_bytes)
    }

    fn moment(&mut self) -> Option<BootTime> {
        self.array().map(|bytes| BootTime(u64::from_be_bytes(bytes)))
    }

    fn optional(&mut self) -> Option<Option<String>> {
        if self.flag()? { Some(Some(self.text()?.to_owned())) } else { Some(None) }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u32::from_be_bytes(self.array()?);
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}
