//! When the file is made, written and given to the service manager.

mod codec;
pub mod memfd;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use tokend_proto::Fingerprint;

use self::memfd::{NAME, TokenFile};
use super::debounce::Debounce;
use super::notify::Notifier;
use crate::core::Core;
use crate::core::handoff::Held;
use crate::core::time::BootTime;

/// What is written in a second of changes, in bytes. The whole of it is written each time: with ten thousand names
/// every 16 s, so that this costs less than their renewals. A daemon that ends writes it at once; one that is killed
/// leaves tokens behind of which some were renewed since, and those that were have a third of their life left.
const EACH_SECOND: u64 = 1024 * 1024;

/// Hands short-lived tokens on. Where there is neither a service manager nor a file, it does nothing.
#[derive(Debug)]
pub struct TokenKeeper {
    notifier: Notifier,
    file: Option<TokenFile>,
    /// The manager has the file, and no other.
    stored: bool,
    debounce: Debounce,
    /// Of what is handed on ([`Core::held_version`]), when it was last looked at.
    version: u64,
}

impl TokenKeeper {
    /// With the files that were handed on, and what is in the best of them: nothing, if none can be read. Whatever is
    /// wrong with them is in the log, and is no reason not to start.
    #[must_use]
    pub fn new(notifier: Notifier, files: Vec<File>) -> (Self, Option<Held>) {
        let count = files.len();
        if count > 1 {
            tracing::warn!("{count} descriptors are named {NAME:?}: the newest counts, the others are closed");
        }
        let mut best: Option<(TokenFile, Option<Held>)> = None;
        for file in files {
            match open(file) {
                Ok(found) => {
                    let newer = |held: &Option<Held>| held.as_ref().map(|held| held.at);
                    if best.as_ref().is_none_or(|best| newer(&found.1) > newer(&best.1)) {
                        best = Some(found);
                    }
                }
                Err(error) => tracing::warn!("the descriptor named {NAME:?} cannot be used: {error}"),
            }
        }
        let (file, held) = best.map_or((None, None), |(file, held)| (Some(file), held));
        let stored = count == 1 && file.is_some();
        (Self { notifier, file, stored, debounce: Debounce::default(), version: 0 }, held)
    }

    /// This token must not come back as good.
    pub fn invalidate(&mut self, token: Fingerprint) {
        let Some(file) = &mut self.file else { return };
        match file.invalidate(token) {
            Ok(true) => {}
            // Written at once: it is as good as never that so many tokens are rejected within a second.
            Ok(false) => self.debounce = Debounce::default(),
            Err(error) => tracing::error!("a token that was rejected could not be marked: {error}"),
        }
    }

    /// Looks whether anything changed, and writes it if it is time.
    pub fn work(&mut self, core: &Core, now: BootTime) {
        if self.file.is_none() && !self.notifier.is_there() {
            return;
        }
        if self.version != core.held_version() {
            self.version = core.held_version();
            self.debounce.changed();
        }
        if self.debounce.take(now) {
            self.write(core, now);
        }
    }

    /// Writes what has changed and was not written yet, however soon that is after the last time.
    pub fn finish(&mut self, core: &Core, now: BootTime) {
        self.work(core, now);
        if self.debounce.due().is_some() {
            self.write(core, now);
        }
    }

    /// When to look again.
    #[must_use]
    pub fn due(&self) -> Option<BootTime> {
        self.debounce.due()
    }

    fn write(&mut self, core: &Core, now: BootTime) {
        if let Err(error) = self.try_to_write(&core.held(now)) {
            tracing::error!("short-lived tokens could not be kept for the next start: {error}");
        }
    }

    fn try_to_write(&mut self, held: &Held) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(TokenFile::new()?),
        };
        let length = file.write(|sink| codec::encode(held, sink))?;
        self.debounce.extend(Duration::from_secs(length / EACH_SECOND));
        if !self.stored && self.notifier.is_there() {
            self.notifier.store(NAME, file.as_fd())?;
            self.stored = true;
        }
        Ok(())
    }
}

fn open(file: File) -> io::Result<(TokenFile, Option<Held>)> {
    let (file, found) = TokenFile::adopt(file)?;
    for problem in &found.problems {
        tracing::warn!("of the tokens that were handed on, {problem}");
    }
    for content in &found.contents {
        match codec::decode(content) {
            Ok(mut held) => {
                for name in held.profiles.iter_mut().flat_map(|profile| &mut profile.names) {
                    name.rejected |= found.condemned.contains(&name.token.fingerprint);
                }
                return Ok((file, Some(held)));
            }
            Err(error) => tracing::warn!("what was handed on {error}"),
        }
    }
    Ok((file, None))
}
