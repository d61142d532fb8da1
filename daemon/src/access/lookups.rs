//! Users and groups that the configuration names and that could not be found: they are looked up again each minute, on
//! threads that may hang, until they are found. What comes of it is for the core's thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{self, Account, LookedUp, Numbers};
use crate::os::accounts::Accounts;
use crate::socket::Door;

/// From one round of look-ups to the next. A round waits as long: a directory that hangs and then answers is heard.
const INTERVAL: Duration = Duration::from_secs(60);

/// Looks up again who could not be found.
pub struct AccountWatch {
    directory: Arc<dyn Accounts>,
    found: mpsc::UnboundedSender<Found>,
    /// At most one result for each name in a round.
    results: mpsc::UnboundedReceiver<Found>,
    rounds: Option<JoinHandle<()>>,
    /// An own socket that waits for its group.
    door: Option<(Account, Door)>,
}

/// What a look-up said.
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) looked_up: LookedUp,
}

impl AccountWatch {
    /// `door` is that of an own socket that waits for its group.
    #[must_use]
    pub(crate) fn new(directory: Arc<dyn Accounts>, door: Option<(Account, Door)>) -> Self {
        let (found, results) = mpsc::unbounded_channel();
        Self { directory, found, results, rounds: None, door }
    }

    /// From now on these are looked for, and no others. The first round begins at once: a directory that did not answer
    /// may have been slow.
    pub(crate) fn look_for(&mut self, numbers: &Numbers) {
        self.end();
        let mut wanted = numbers.wanted();
        if let Some((group, _)) = self.door.as_ref().filter(|(group, _)| !wanted.contains(group)) {
            wanted.push(group.clone());
        }
        if !wanted.is_empty() {
            self.rounds = Some(tokio::spawn(rounds(wanted, Arc::clone(&self.directory), self.found.clone())));
        }
    }

    /// The next result.
    pub(crate) async fn found(&mut self) -> Option<Found> {
        self.results.recv().await
    }

    fn end(&mut self) {
        if let Some(rounds) = self.rounds.take() {
            rounds.abort();
        }
    }

    /// An own socket lets its group in once the group is known.
    pub(crate) fn open_door(&mut self, account: &Account, number: u32) {
        let Some((_, door)) = self.door.take_if(|(group, _)| group == account) else { return };
        match door.open_to(number) {
            Ok(()) => tracing::info!("{account} may connect to the socket from now on"),
            Err(error) => tracing::warn!(%error, "{account} cannot be let connect to the socket"),
        }
    }
}

impl Drop for AccountWatch {
    fn drop(&mut self) {
        self.end();
    }
}

async fn rounds(mut wanted: Vec<Account>, directory: Arc<dyn Accounts>, found: mpsc::UnboundedSender<Found>) {
    while !wanted.is_empty() {
        let next = tokio::time::sleep(INTERVAL);
        let mut known = Vec::new();
        let tell = |number: usize, looked_up: LookedUp| {
            if matches!(looked_up, Ok(Some(_))) {
                known.push(number);
            }
            // The loop is gone only when the daemon ends.
            let _ = found.send(Found { account: wanted[number].clone(), looked_up });
        };
        config::looks(&wanted, &directory).each(INTERVAL, tell).await;
        let mut number = 0;
        wanted.retain(|_| {
            number += 1;
            !known.contains(&(number - 1))
        });
        next.await;
    }
}
