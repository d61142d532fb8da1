//! A page of a list on its way: the core looks at a bounded number of names for each question, so one page may take
//! several.

use std::sync::Arc;

use crate::access::policy::{Access, PeerIdentity};
use crate::core::report::page::{Page, Part, Reader, Rest};
use crate::socket::admission::Permit;

/// As much of a page as there is so far.
pub(in crate::socket) struct Listed<T, K> {
    /// Where the page begins.
    after: Option<K>,
    /// Entries that it has at most.
    room: usize,
    so_far: Vec<T>,
    /// The rules that these entries were chosen by.
    access: Arc<Access>,
    /// Given back when the page is sent.
    _permit: Permit,
}

/// What a part makes of it.
pub(in crate::socket) enum Progress<T, K> {
    /// All entries of the page, and whether there are more.
    Page(Vec<T>, bool),
    /// It goes on after this.
    On(Option<K>, Listed<T, K>),
}

impl<T, K: Clone> Listed<T, K> {
    pub(in crate::socket) fn new(after: Option<K>, room: usize, access: Arc<Access>, permit: Permit) -> Self {
        Self { after, room, so_far: Vec::new(), access, _permit: permit }
    }

    /// Where it begins.
    pub(in crate::socket) fn after(&self) -> Option<K> {
        self.after.clone()
    }

    /// The rules that its entries are chosen by.
    pub(in crate::socket) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// What the core is asked for to go on after this.
    pub(in crate::socket) fn page(&self, after: Option<K>, peer: &PeerIdentity) -> Box<Page<K>> {
        let reader = Reader { access: Arc::clone(&self.access), peer: peer.clone() };
        Box::new(Page { reader, after, room: self.room.saturating_sub(self.so_far.len()) })
    }

    /// Adds a part. If other rules are in force by now, the page begins again.
    pub(in crate::socket) fn add(mut self, part: Part<T, K>, access: Arc<Access>) -> Progress<T, K> {
        if !Arc::ptr_eq(&self.access, &access) {
            self.so_far.clear();
            self.access = access;
            return Progress::On(self.after(), self);
        }
        self.so_far.extend(part.entries);
        match part.rest {
            Rest::Nothing => Progress::Page(self.so_far, false),
            Rest::More => Progress::Page(self.so_far, true),
            Rest::After(last) => Progress::On(Some(last), self),
        }
    }
}
