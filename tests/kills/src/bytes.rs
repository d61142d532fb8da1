//! What the files of a state folder hold, whatever the daemon makes of it: every token that stands in them as text.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use tokend_proto::{Fingerprint, Secret};

/// Tokens, by where they were found.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// In any file.
    pub(super) all: HashSet<Fingerprint>,
    /// Refresh tokens of chains that stand under a temporary name, and in no record nor in one before it.
    pub(super) astray: HashSet<Fingerprint>,
}

const REFRESH: &[u8] = b"\"refresh_token\":\"";
const ACCESS: &[u8] = b"\"token\":\"";

impl Tokens {
    /// Reads every file there.
    ///
    /// # Panics
    /// When one cannot be read.
    pub(super) fn of(folder: &Path) -> Self {
        let mut tokens = Self::default();
        let mut settled = HashSet::new();
        for entry in fs::read_dir(folder).expect("the state folder is ours") {
            let entry = entry.expect("the state folder is ours");
            if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue; // lost+found
            }
            let name = entry.file_name().into_string().expect("a name of ours");
            let content = fs::read(entry.path()).expect("a file of ours");
            let refresh = after(&content, REFRESH);
            if name.ends_with(".rec") || name.ends_with(".prev") || name.ends_with(".old") {
                settled.extend(refresh.iter().copied());
            } else if !name.starts_with("candidate-") {
                tokens.astray.extend(refresh.iter().copied());
            }
            tokens.all.extend(refresh);
            tokens.all.extend(after(&content, ACCESS));
        }
        tokens.astray.retain(|token| !settled.contains(token));
        tokens
    }
}

/// The texts that follow these words, up to the next quotation mark. The sandbox's tokens need no escapes.
fn after(content: &[u8], words: &[u8]) -> Vec<Fingerprint> {
    let mut found = Vec::new();
    for at in 0..content.len() {
        let Some(rest) = content[at..].strip_prefix(words) else { continue };
        let Some(end) = rest.iter().position(|byte| *byte == b'"') else { continue };
        if let Ok(text) = std::str::from_utf8(&rest[..end]) {
            found.push(Fingerprint::of(&Secret::from(text)));
        }
    }
    found
}
