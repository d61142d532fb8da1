//! Names of files.

use sha2::{Digest, Sha256};

use crate::core::record::RecordKey;

/// The record itself.
pub(in crate::store) const MAIN: &str = ".rec";
/// The record before it.
pub(in crate::store) const PREVIOUS: &str = ".prev";
/// Space for the record that follows.
pub(in crate::store) const SPARE: &str = ".spare";
/// A record being written.
pub(in crate::store) const FRESH: &str = ".tmp";
/// The record before, on its way to [`PREVIOUS`]. As long as [`FRESH`], so that on a full disk it finds the room in
/// the folder that the one left.
pub(in crate::store) const LINK: &str = ".old";

/// The files of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Names {
    pub(in crate::store) main: String,
    pub(in crate::store) previous: String,
    pub(in crate::store) spare: String,
    pub(in crate::store) fresh: String,
    pub(in crate::store) link: String,
}

impl Names {
    pub(in crate::store) fn of(key: &RecordKey) -> Self {
        Self::from_stem(&stem(key))
    }

    pub(in crate::store) fn from_stem(stem: &str) -> Self {
        let name = |extension: &str| format!("{stem}{extension}");
        Self { main: name(MAIN), previous: name(PREVIOUS), spare: name(SPARE), fresh: name(FRESH), link: name(LINK) }
    }
}

/// `chain-PROFILE-HASH`, `candidate-PROFILE-HASH` or `quota-HASH`: what people want to read of the key, and a hash of
/// all of it. Of the key's parts only a profile's name is safe as part of a file's.
pub(in crate::store) fn stem(key: &RecordKey) -> String {
    match key {
        RecordKey::Chain(key) => {
            let profile = key.profile.as_str();
            format!("chain-{profile}-{}", hash([profile, &key.gateway, &key.client_id]))
        }
        RecordKey::Candidate(key) => {
            let profile = key.profile.as_str();
            format!("candidate-{profile}-{}", hash([profile, &key.gateway, &key.client_id]))
        }
        RecordKey::Quota(key) => format!("quota-{}", hash(["", &key.gateway, &key.client_id])),
    }
}

/// The stem and the extension, if it is a name of ours.
pub(in crate::store) fn split(name: &str) -> Option<(&str, &str)> {
    if !["chain-", "candidate-", "quota-"].iter().any(|kind| name.starts_with(kind)) {
        return None;
    }
    [MAIN, PREVIOUS, SPARE, FRESH, LINK].iter().find_map(|extension| Some((name.strip_suffix(extension)?, *extension)))
}

/// 64 bits in hex. Each part is led by its length, so that no two keys are hashed alike.
fn hash(parts: [&str; 3]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::core::record::{ChainKey, QuotaKey};

    use super::*;

    fn chain(profile: &str, gateway: &str, client_id: &str) -> RecordKey {
        RecordKey::Chain(ChainKey {
            profile: profile.parse().unwrap(),
            gateway: gateway.to_owned(),
            client_id: client_id.to_owned(),
        })
    }

    #[test]
    fn a_name_is_safe_whatever_the_key_holds() {
        let hostile = [
            chain("a", "../../etc/passwd", "\0\n/"),
            chain(&"p".repeat(64), &"g".repeat(5000), &"c".repeat(5000)),
            RecordKey::Quota(QuotaKey { gateway: "/".to_owned(), client_id: "..".to_owned() }),
        ];
        for key in hostile {
            let name = Names::of(&key).spare;
            assert!(name.len() < 255, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)), "{name}");
            assert_eq!(split(&name), Some((stem(&key).as_str(), SPARE)));
        }
    }

    #[test]
    fn different_keys_have_different_names() {
        let keys = [chain("a", "g", "c"), chain("a", "gc", ""), chain("a", "", "gc"), chain("a-b", "g", "c")];
        let names: std::collections::BTreeSet<_> = keys.iter().map(stem).collect();
        assert_eq!(names.len(), keys.len());
    }

    #[test]
    fn a_foreign_file_is_not_ours() {
        for name in ["lock", "lost+found", "chain-a-b", "notes.rec", ".rec", "chain-a-b.rec~"] {
            assert_eq!(split(name), None, "{name}");
        }
    }
}
