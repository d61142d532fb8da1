//! What the configuration names outside of the file: secrets and `ca_file`s. Whether they can be read is looked at side
//! by side, on threads that may hang, and no command is run. To `tokend check` it is an error if they cannot. It never
//! is a reason to refuse a start or a reload: it costs the profile that names them, and they are read again when they
//! are needed.

use std::path::Path;

use super::diagnostics::{Diagnostics, Spanned};
use super::environment::Environment;
use super::profile::ca_file::CaFile;
use super::purpose::Purpose;
use crate::os::detached::Undone;
use crate::os::looks::Looks;
use crate::secret::{CREDENTIALS_DIRECTORY, ProcessEnv, SecretError, SecretSource};

/// What was named so far.
#[derive(Debug, Default)]
pub(super) struct Named {
    choices: Vec<Vec<Spanned<Thing>>>,
}

#[derive(Debug, Clone)]
enum Thing {
    Secret(SecretSource),
    StateKey(SecretSource),
    CaFile(CaFile),
}

enum Seen {
    Good,
    /// Credentials are only in the unit.
    OutOfReach,
    Odd(String),
    Bad(String),
}

impl Named {
    /// Sources of a secret of which one is enough.
    pub(super) fn secret(&mut self, sources: Vec<Spanned<SecretSource>>) {
        self.choices.push(sources.into_iter().map(|source| source.map(Thing::Secret)).collect());
    }

    pub(super) fn state_key(&mut self, source: Spanned<SecretSource>) {
        self.choices.push(vec![source.map(Thing::StateKey)]);
    }

    pub(super) fn ca_file(&mut self, file: Spanned<CaFile>) {
        self.choices.push(vec![file.map(Thing::CaFile)]);
    }

    /// Looks at all of it and says what is wrong; returns how many credentials are out of reach.
    pub(super) fn look(self, diagnostics: &Diagnostics, environment: &Environment, purpose: Purpose) -> usize {
        let mut looks = Looks::new();
        for found in self.choices.iter().flatten() {
            let (thing, process_env) = (found.value.clone(), environment.process_env.clone());
            let is_check = purpose.is_check();
            looks.add(&thing.lane(), move || thing.look(&process_env, is_check));
        }
        let mut seen = looks.wait(purpose.patience()).into_iter();
        let mut out_of_reach = 0;
        for choice in self.choices {
            let seen: Vec<_> = seen.by_ref().take(choice.len()).collect();
            let enough = seen.iter().any(|seen| !matches!(seen, Ok(Seen::Bad(_)) | Err(_)));
            for (Spanned { value: thing, place }, seen) in choice.into_iter().zip(seen) {
                let (problem, was_seen) = match seen {
                    Ok(Seen::Good) => continue,
                    Ok(Seen::OutOfReach) => {
                        out_of_reach += 1;
                        continue;
                    }
                    Ok(Seen::Odd(problem) | Seen::Bad(problem)) => (problem, true),
                    Err(undone) => (thing.unseen(undone), false),
                };
                if !enough && thing.is_needed_for(purpose, was_seen) {
                    diagnostics.error(&place, problem);
                } else {
                    diagnostics.warn_of_the_moment(&place, problem);
                }
            }
        }
        out_of_reach
    }
}

impl Thing {
    /// What it has in common with others that would hang with it.
    fn lane(&self) -> String {
        let folder = |path: &Path| format!("looking into {}", path.parent().unwrap_or(path).display());
        match self {
            Self::Secret(SecretSource::File { path }) | Self::StateKey(SecretSource::File { path }) => folder(path),
            Self::CaFile(file) => folder(file.path()),
            Self::Secret(_) | Self::StateKey(_) => "looking at credentials and variables".to_owned(),
        }
    }

    /// May hang.
    fn look(&self, process_env: &ProcessEnv, is_check: bool) -> Seen {
        const KEY: &str = "it is no key; expected 64 hex digits, such as `openssl rand -hex 32` prints";
        let (source, is_key) = match self {
            Self::Secret(source) => (source, false),
            Self::StateKey(source) => (source, true),
            Self::CaFile(file) => return file.read().map_or_else(Seen::Bad, |_| Seen::Good),
        };
        if is_check
            && matches!(source, SecretSource::Credential { .. })
            && process_env.variable(CREDENTIALS_DIRECTORY).is_none()
        {
            return Seen::OutOfReach;
        }
        let problem = match source.read_without_running(process_env) {
            None => return Seen::Good, // no command is run
            Some(Ok(text)) if is_key && !is_hex_key(text.expose()) => KEY.to_owned(),
            Some(Ok(_)) => return Seen::Good,
            Some(Err(problem @ (SecretError::Owner { .. } | SecretError::OpenToGroup { .. })))
                if is_check && process_env.uid() == 0 =>
            {
                return Seen::Odd(format!("{source}: {problem}; right only if tokend runs as that user or group"));
            }
            Some(Err(problem)) => problem.to_string(),
        };
        Seen::Bad(format!("{source}: {problem}"))
    }

    fn unseen(&self, undone: Undone) -> String {
        match self {
            Self::Secret(source) | Self::StateKey(source) => {
                format!("{source}: it cannot be read: {undone}; see whether its file system answers")
            }
            Self::CaFile(file) => file.unread(undone),
        }
    }

    fn is_needed_for(&self, purpose: Purpose, was_seen: bool) -> bool {
        match purpose {
            Purpose::Check => true,
            // What does not answer now, the daemon waits for longer.
            Purpose::CheckStart => was_seen && matches!(self, Self::StateKey(_)),
            Purpose::Start | Purpose::Reload => false,
        }
    }
}

fn is_hex_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
