//! A new configuration, read beside the loop and applied whole or not at all. One is read at a time; who asks meanwhile
//! is answered by the next one, which begins after that: what was asked for last is in force in the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokend_proto::{ErrorCode, ErrorReply, Reloaded};
use tokio::sync::mpsc;

use crate::access::policy::Access;
use crate::config::{Account, Config, ConfigError, Environment, LookedUp, Place};
use crate::core::time::BootTime;
use crate::error;
use crate::os::process;
use crate::secret::ProcessEnv;
use crate::socket::ReloadReplyTo;

/// Peers that wait for one reading. The daemon tells more than this to come again.
const MAX_ASKERS: usize = 256;

/// Reads the configuration again when somebody asks for it.
pub struct Reloader {
    path: PathBuf,
    environment: Environment,
    in_force: Arc<Config>,
    /// Who waits for the reading that is under way, if one is.
    reading: Option<Vec<ReloadReplyTo>>,
    /// Who waits for the one after it, if somebody does.
    next: Option<Vec<ReloadReplyTo>>,
    done: mpsc::UnboundedSender<Reload>,
    /// One at a time.
    loaded: mpsc::UnboundedReceiver<Reload>,
}

/// A configuration that was read, or all that is wrong with it.
pub struct Reload(Result<Config, String>);

impl Reloader {
    /// For the configuration at `path`, which is in force as `config`.
    #[must_use]
    pub fn new(path: PathBuf, environment: Environment, config: Config) -> Self {
        let (done, loaded) = mpsc::unbounded_channel();
        Self { path, environment, in_force: Arc::new(config), reading: None, next: None, done, loaded }
    }

    /// What is in force.
    pub(crate) fn in_force(&self) -> &Config {
        &self.in_force
    }

    /// The daemon's environment, which a reload does not change.
    pub(crate) fn process_env(&self) -> &Arc<ProcessEnv> {
        &self.environment.process_env
    }

    /// Somebody asks for the file to be read. Returns whether a reading begins now; else one will when the one under
    /// way has ended.
    pub(crate) fn ask(&mut self, reply: Option<ReloadReplyTo>) -> bool {
        if self.reading.is_none() {
            self.begin(reply.into_iter().collect());
            return true;
        }
        let next = self.next.get_or_insert_default();
        match reply {
            Some(reply) if next.len() >= MAX_ASKERS => {
                let message = format!("{MAX_ASKERS} others wait for a reload already; ask again when it is done");
                reply.send(Err(ErrorReply { code: ErrorCode::Busy, message, retry_after: None }));
            }
            reply => next.extend(reply),
        }
        false
    }

    /// The reading that somebody has asked for meanwhile. Returns whether there is one.
    pub(crate) fn go_on(&mut self) -> bool {
        let next = self.next.take();
        let begins = next.is_some();
        if let Some(askers) = next {
            self.begin(askers);
        }
        begins
    }

    /// Reads the file, on a thread where it may take its time: what it names may be anywhere. Each thing that it waits
    /// for has an end, and so has the thread.
    fn begin(&mut self, askers: Vec<ReloadReplyTo>) {
        self.reading = Some(askers);
        let (path, environment, done) = (self.path.clone(), self.environment.clone(), self.done.clone());
        let numbers = self.in_force.numbers.clone();
        let read = move || {
            let result = Config::reload(&path, &environment, &numbers).map_err(|errors| error::lines(&errors));
            let _ = done.send(Reload(result));
        };
        if let Err(error) = std::thread::Builder::new().name("reload".into()).spawn(read) {
            let problem = format!("the system gives no thread to read the configuration on: {error}");
            let _ = self.done.send(Reload(Err(problem)));
        }
    }

    /// The next configuration that was read.
    pub(crate) async fn loaded(&mut self) -> Option<Reload> {
        self.loaded.recv().await
    }

    /// Takes in what a look-up said. Where that puts another number in force, or none: that number, and the rules and
    /// the notes as they are then.
    pub(crate) fn learn(
        &mut self,
        account: &Account,
        looked_up: LookedUp,
        now: BootTime,
    ) -> Option<(Option<u32>, Access, Vec<String>)> {
        let config = Arc::make_mut(&mut self.in_force);
        let is_changed = config.numbers.learn(account, looked_up, now);
        is_changed.then(|| (config.numbers.of(account), config.access(), config.notes()))
    }

    /// The configuration that was read, if it may take the place of the one in force.
    pub(crate) fn checked(&self, Reload(read): Reload) -> Result<Config, String> {
        let config = read?;
        self.objection(&config).map_or(Ok(config), Err)
    }

    /// What forbids to go from the configuration in force to this one.
    fn objection(&self, config: &Config) -> Option<String> {
        let (old, new, places) = (&self.in_force, config, &config.places);
        let changed = |place: &Place, how: &str| {
            let problem = format!("cannot change{how} while tokend runs; restart it, or change it back");
            let (file, Place { line, key }) = (self.path.clone(), place.clone());
            Some(ConfigError { file, line, key, problem }.to_string())
        };
        let from_to = |old: &Path, new: &Path| format!(" from {} to {}", old.display(), new.display());
        if old.server.socket != new.server.socket {
            return changed(&places.socket, &from_to(&old.server.socket, &new.server.socket));
        }
        if old.server.state_dir != new.server.state_dir {
            return changed(&places.state_dir, &from_to(&old.server.state_dir, &new.server.state_dir));
        }
        if old.state_key != new.state_key {
            return changed(&places.state_key, "");
        }
        process::descriptor_limit(new.needs()).err().map(|problem| {
            let (file, Place { line, key }) = (self.path.clone(), places.max_connections.clone());
            ConfigError { file, line, key, problem: problem.to_string() }.to_string()
        })
    }

    /// Puts it in force in place of the one before; returns what is different.
    pub(crate) fn replace(&mut self, mut config: Config) -> Vec<String> {
        config.numbers.adopt(&self.in_force.numbers);
        let changes = config.changes_since(&self.in_force);
        self.in_force = Arc::new(config);
        changes
    }

    pub(crate) fn answer(&mut self, result: &Result<Reloaded, String>) {
        for asker in self.reading.take().unwrap_or_default() {
            asker.send(result.clone().map_err(|message| {
                let code = ErrorCode::InvalidConfiguration;
                ErrorReply { code, message, retry_after: None }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;
    use std::sync::mpsc as threads;

    use super::*;
    use crate::access::cgroup::UnitLookup;
    use crate::os::accounts::Accounts;

    /// A directory that says when it is asked, and answers when the test lets it.
    struct Held {
        asked: Mutex<threads::Sender<()>>,
        answer: Mutex<threads::Receiver<()>>,
    }

    impl Accounts for Held {
        fn user(&self, _name: &str) -> io::Result<Option<u32>> {
            let _ = self.asked.lock().unwrap().send(());
            let _ = self.answer.lock().unwrap().recv();
            Ok(Some(1001))
        }

        fn group(&self, _name: &str) -> io::Result<Option<u32>> {
            Ok(None)
        }
    }

    fn profile(name: &str) -> String {
        format!("[profiles.{name}]\nkind = 'central'\nclient_id = 'id'\nclient_secret = {{ env = 'X' }}\n")
    }

    #[test]
    fn what_is_asked_for_while_a_file_is_read_is_one_reading_more_and_the_last_file_wins() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokend.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        let ((asked, is_asked), (answer, may_answer)) = (threads::channel(), threads::channel());
        let environment = Environment {
            process_env: Arc::new(ProcessEnv::new([("X".into(), "hunter2".into())], 1, 1)),
            accounts: Arc::new(Held { asked: Mutex::new(asked), answer: Mutex::new(may_answer) }),
            unit_lookup: || UnitLookup::Works,
        };
        write(&profile("before"));
        let config = Config::load(&path, &environment).unwrap();
        let mut reloader = Reloader::new(path.clone(), environment, config);
        let names = |reload: Reload| reload.0.unwrap().profiles.into_keys().map(|name| name.to_string()).collect();
        let end = Ok(Reloaded::new(Vec::new(), Vec::new()));

        write(&(profile("first") + "[[access]]\nprofiles = ['first']\nusers = ['held']\n"));
        assert!(reloader.ask(None), "it begins");
        is_asked.recv().unwrap();
        write(&profile("second"));
        assert!((0..300).all(|_| !reloader.ask(None)), "one after it is enough for all of them");
        answer.send(()).unwrap();
        let read: Vec<String> = names(runtime.block_on(reloader.loaded()).unwrap());
        assert_eq!(read, ["first"]);
        reloader.answer(&end);
        assert!(reloader.go_on(), "the next one begins");
        let read: Vec<String> = names(runtime.block_on(reloader.loaded()).unwrap());
        assert_eq!(read, ["second"]);
        reloader.answer(&end);
        assert!(!reloader.go_on(), "nobody asks any more");
        assert!(reloader.ask(None), "and then somebody does");
    }
}
