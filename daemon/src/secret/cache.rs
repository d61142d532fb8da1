//! The secrets that were read, by version: the core decides by versions, the HTTP side asks for the texts.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokend_proto::{Fingerprint, ProfileName, Secret};
use tokio::task::JoinSet;

use super::{ProcessEnv, SecretError, SecretSource};
use crate::core::provider::{SecretVersion, SecretVersions};

/// Texts kept of one profile at most. Only those of its newest reading and of the one before are: a request may still
/// name one of these, and a secret that was rolled over shall not stay.
const TEXTS_KEPT: usize = 32;

/// Versions remembered of one profile, by fingerprint, after their texts are gone: a source that fails for a while
/// and then gives the same text again has not changed, and a refused password must not look like a new one.
const VERSIONS_REMEMBERED: usize = 256;

/// Where the secrets of one profile come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileSecrets {
    /// At least one, in the order of the configuration.
    pub client: Vec<SecretSource>,
    /// Of a Classic login.
    pub password: Option<SecretSource>,
}

/// All secrets that were read. Shared by reference; no lock is held while a source is read.
pub struct SecretCache {
    process_env: Arc<ProcessEnv>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    profiles: BTreeMap<ProfileName, Texts>,
    last_version: u64,
}

/// Of one profile, oldest first.
#[derive(Default)]
struct Texts {
    texts: VecDeque<(SecretVersion, Secret)>,
    /// What the reading before the newest one named.
    before: Vec<SecretVersion>,
    /// What the newest reading named.
    newest: Vec<SecretVersion>,
    versions: VecDeque<(Fingerprint, SecretVersion)>,
}

impl fmt::Debug for SecretCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretCache").finish_non_exhaustive()
    }
}

impl SecretCache {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(process_env: Arc<ProcessEnv>) -> Self {
        Self { process_env, known: Mutex::default() }
    }

    /// Reads all sources of a profile at the same time, and says which versions of its secrets there are now.
    pub async fn read(&self, profile: &ProfileName, sources: &ProfileSecrets) -> SecretVersions {
        let mut versions = SecretVersions::default();
        let mut results = self.read_all(sources).await.into_iter();
        for (source, result) in sources.client.iter().zip(results.by_ref()) {
            match result {
                Ok(secret) => {
                    let version = self.lock().version_of(profile, secret);
                    // Two sources with one text are one secret: there is no use in trying it twice.
                    if !versions.client_secrets.contains(&version) {
                        versions.client_secrets.push(version);
                    }
                }
                Err(problem) => versions.problems.push(format!("client_secret from {source}: {problem}")),
            }
        }
        if let Some((source, result)) = sources.password.iter().zip(results).next() {
            match result {
                Ok(secret) => versions.password = Some(self.lock().version_of(profile, secret)),
                Err(problem) => versions.problems.push(format!("login.password from {source}: {problem}")),
            }
        }
        self.lock().end_reading(profile, &versions);
        versions
    }

    /// Reads the client's secrets and the password at the same time; their results are in this order.
    async fn read_all(&self, sources: &ProfileSecrets) -> Vec<Result<Secret, SecretError>> {
        let mut readings = JoinSet::new();
        for (place, source) in sources.client.iter().chain(&sources.password).enumerate() {
            let (source, process_env) = (source.clone(), Arc::clone(&self.process_env));
            readings.spawn(async move { (place, source.read(&process_env).await) });
        }
        let mut results: Vec<_> = readings.join_all().await;
        results.sort_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// The text of a version that a recent reading of this profile named.
    #[must_use]
    pub fn get(&self, profile: &ProfileName, version: SecretVersion) -> Option<Secret> {
        let known = self.lock();
        let (_, secret) = known.profiles.get(profile)?.texts.iter().find(|(kept, _)| *kept == version)?;
        Some(secret.clone())
    }

    /// Forgets the secrets of all profiles but these.
    pub fn keep_only(&self, wanted: impl Fn(&ProfileName) -> bool) {
        self.lock().profiles.retain(|profile, _| wanted(profile));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // A thread that panicked with the lock left whole entries: each change below is a single push.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn version_of(&mut self, profile: &ProfileName, secret: Secret) -> SecretVersion {
        let texts = self.profiles.entry(profile.clone()).or_default();
        let fingerprint = Fingerprint::of(&secret);
        let version = match texts.versions.iter().position(|(seen, _)| *seen == fingerprint) {
            Some(at) => texts.versions.remove(at).expect("its position was just found").1,
            None => {
                self.last_version += 1;
                SecretVersion(self.last_version)
            }
        };
        push_newest(&mut texts.versions, (fingerprint, version), VERSIONS_REMEMBERED);
        texts.texts.retain(|(kept, _)| *kept != version);
        push_newest(&mut texts.texts, (version, secret), TEXTS_KEPT);
        version
    }

    /// Lets go of the texts that neither this reading nor the one before named.
    fn end_reading(&mut self, profile: &ProfileName, versions: &SecretVersions) {
        let Some(texts) = self.profiles.get_mut(profile) else { return };
        let named = versions.client_secrets.iter().copied().chain(versions.password).collect();
        texts.before = std::mem::replace(&mut texts.newest, named);
        let Texts { texts, before, newest, .. } = texts;
        texts.retain(|(version, _)| newest.contains(version) || before.contains(version));
    }
}

fn push_newest<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::secret::file::chmod;

    fn cache() -> SecretCache {
        let variables = [("OLD".into(), "hunter1".into()), ("NEW".into(), "hunter2".into())];
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        SecretCache::new(Arc::new(ProcessEnv::new(variables, uid, gid)))
    }

    fn env(variable: &str) -> SecretSource {
        SecretSource::Env { variable: variable.to_owned() }
    }

    fn file(path: &Path) -> SecretSource {
        SecretSource::File { path: path.to_owned() }
    }

    fn write(path: &PathBuf, text: &str) {
        std::fs::write(path, text).expect("written");
        chmod(path, 0o600);
    }

    fn legacy() -> ProfileName {
        "legacy".parse().expect("a name")
    }

    #[tokio::test]
    async fn the_same_text_keeps_its_version_and_a_changed_one_gets_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let cache = cache();
        let sources = ProfileSecrets { client: vec![file(&path), env("OLD")], password: Some(env("NEW")) };

        write(&path, "one");
        let first = cache.read(&legacy(), &sources).await;
        assert_eq!(first.client_secrets.len(), 2);
        assert_eq!(cache.read(&legacy(), &sources).await, first);

        write(&path, "two");
        let second = cache.read(&legacy(), &sources).await;
        assert_ne!(second.client_secrets[0], first.client_secrets[0]);
        assert_eq!(second.client_secrets[1], first.client_secrets[1]);
        assert_eq!(second.password, first.password);
        assert_eq!(cache.get(&legacy(), second.client_secrets[0]), Some(Secret::from("two")));
        assert_eq!(cache.get(&legacy(), first.client_secrets[0]), Some(Secret::from("one")), "a request may use it");
        assert_eq!(cache.get(&legacy(), second.password.expect("read")), Some(Secret::from("hunter2")));

        assert_eq!(cache.read(&legacy(), &sources).await, second);
        assert_eq!(cache.get(&legacy(), first.client_secrets[0]), None, "rolled over, and not kept");
        assert_eq!(cache.get(&legacy(), second.client_secrets[0]), Some(Secret::from("two")));
    }

    #[tokio::test]
    async fn a_source_that_failed_in_between_has_not_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        let cache = cache();
        let sources = ProfileSecrets { client: vec![env("OLD")], password: Some(file(&path)) };
        write(&path, "one");
        let before = cache.read(&legacy(), &sources).await;
        std::fs::remove_file(&path).expect("removed");
        let between = cache.read(&legacy(), &sources).await;
        assert_eq!(between.password, None);
        assert_eq!(
            between.problems,
            [format!(
                "login.password from file {}: the file does not exist; create it with the secret alone in it, mode 0600, \
                 owned by root or by the daemon's user",
                path.display()
            )]
        );
        write(&path, "one");
        assert_eq!(cache.read(&legacy(), &sources).await, before);
    }

    #[tokio::test]
    async fn two_sources_with_one_text_are_one_secret() {
        let sources = ProfileSecrets { client: vec![env("OLD"), env("NONE"), env("OLD")], password: None };
        let versions = cache().read(&legacy(), &sources).await;
        assert_eq!((versions.client_secrets.len(), versions.problems.len()), (1, 1));
    }

    #[tokio::test]
    async fn the_texts_of_a_profile_that_went_away_are_forgotten() {
        let cache = cache();
        let sources = ProfileSecrets { client: vec![env("OLD")], password: None };
        let version = cache.read(&legacy(), &sources).await.client_secrets[0];
        cache.keep_only(|profile| *profile == legacy());
        assert!(cache.get(&legacy(), version).is_some());
        cache.keep_only(|_| false);
        assert_eq!(cache.get(&legacy(), version), None);
    }

    #[test]
    fn a_source_that_never_gives_the_same_text_twice_fills_nothing() {
        let mut known = Known::default();
        for number in 0..10_000 {
            known.version_of(&legacy(), Secret::new(number.to_string()));
        }
        let texts = &known.profiles[&legacy()];
        assert_eq!((texts.texts.len(), texts.versions.len()), (TEXTS_KEPT, VERSIONS_REMEMBERED));
    }
}
