//! From a configuration file to a running daemon, in the order in which things can be refused.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::access::current::Rules;
use crate::access::lookups::AccountWatch;
use crate::audit::Audit;
use crate::config::{Account, Config, ConfigError, Environment, SocketGroup, USUAL_GROUP};
use crate::core::Core;
use crate::core::record::UnreadableRecords;
use crate::driver::{Driver, Signals};
use crate::log::{Log, LogError};
use crate::os::clock::Clock;
use crate::os::process;
use crate::reload::Reloader;
use crate::secret::SecretSource;
use crate::socket::{Admitted, CORE_QUEUE, Context, Door, Limits, Listener, SocketThread};
use crate::store::{FileStore, LockedFolder, StateKey, Store, StoreError};
use crate::systemd::listen_fds::ListenFds;
use crate::systemd::notify::Notifier;
use crate::systemd::service::Service;
use crate::systemd::watchdog::Watchdog;
use crate::token_cache::TokenCache;
use crate::{config, error, socket};

/// Why the daemon did not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// All that is wrong with the configuration.
    #[error("{}", error::lines(.0))]
    Config(Vec<ConfigError>),
    /// The key of the state folder.
    #[error("state.key: {0}")]
    StateKey(String),
    /// The state folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The socket.
    #[error(transparent)]
    Listen(#[from] socket::ListenError),
    /// Limits of the process.
    #[error(transparent)]
    Process(#[from] process::ProcessError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The random numbers for jitter.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// Anything else that the system refuses.
    #[error("cannot {0}")]
    System(&'static str, #[source] std::io::Error),
}

/// Runs the daemon until a signal ends it.
///
/// It listens as soon as nothing can forbid it any more: the configuration is good, the state folder is ours. A peer
/// that connects then waits in the kernel's queue until what is known of the tokens has been read.
///
/// # Errors
/// When something that it needs is wrong or missing; the message says what is expected.
pub fn run(path: &Path, log: Log) -> Result<(), StartupError> {
    let mut warnings = Vec::new();
    let begun = begin(path, &mut warnings);
    let (audit, records) = Audit::new(false);
    // Until everything else has ended.
    let _log = log.start(records)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let (begun, runtime) = begun?;
    let runtime = runtime.map_or_else(self::runtime, Ok)?;
    let signals = take_signals(&runtime)?;
    let result = runtime.block_on(serve(begun, signals, Arc::new(audit)));
    // A secret's command may still run; it is not waited for.
    runtime.shutdown_background();
    result
}

/// Until it listens. There is no log yet: what it would say is in `warnings`, whatever comes of it.
///
/// Whatever may hang on the way is given up after a named time: the configuration, users and groups, the command of a
/// state key. A signal ends the process meanwhile, as it ends any other.
fn begin(path: &Path, warnings: &mut Vec<String>) -> Result<(Begun, Option<Runtime>), StartupError> {
    let ListenFds { sockets, token_files, warnings: of_passed } = ListenFds::take();
    warnings.extend(of_passed);
    let environment = Environment::of_this_process();
    let config = Config::load(path, &environment).map_err(StartupError::Config)?;
    warnings.extend(config.warnings.iter().cloned());
    let server = &config.server;
    process::raise_descriptor_limit(config.needs())?;
    // A command may have to be run for the key.
    let (key, runtime) = match &config.state_key {
        None => (None, None),
        Some(source) => {
            let runtime = runtime()?;
            (Some(runtime.block_on(state_key(source, &environment))?), Some(runtime))
        }
    };
    let folder = LockedFolder::take(&server.state_dir, key)?;
    let place = match Listener::from_systemd(sockets)? {
        Some(handed_over) => Ok(handed_over),
        None => Err(admitted(&config, &environment, warnings)),
    };
    // Who sees the socket may send a signal, and there is nobody yet to take it.
    process::hold_signals()?;
    let listener = place.or_else(|admitted| Listener::bind(&server.socket, admitted))?;
    Ok((Begun { path: path.to_owned(), environment, config, folder, listener, token_files }, runtime))
}

/// For how long the usual group of the socket is looked up.
const GROUP_PATIENCE: Duration = Duration::from_secs(2);

/// Who may connect to a socket of our own, as far as that is known.
fn admitted(config: &Config, environment: &Environment, warnings: &mut Vec<String>) -> Admitted {
    let (group, usual) = match (&config.server.group, config.server.named_group()) {
        (SocketGroup::Asked(number), _) => return Admitted::Group(*number),
        (_, Some(group)) => match config.numbers.of(&group) {
            Some(number) => return Admitted::Group(number),
            // That it could not be found is among the configuration's warnings.
            None => return Admitted::NobodyYet,
        },
        (SocketGroup::Usual | SocketGroup::Named(_), None) => {
            let usual = Account::Group(USUAL_GROUP.to_owned());
            let looked_up = config::looks(std::slice::from_ref(&usual), &environment.accounts).wait(GROUP_PATIENCE);
            (usual, looked_up.into_iter().next())
        }
    };
    match usual {
        Some(Ok(Ok(Some(number)))) => Admitted::GroupIfPossible(number),
        Some(Ok(Ok(None))) => Admitted::OwnGroup,
        Some(Ok(Err(_)) | Err(_)) | None => {
            let until = "until it is found the socket is the daemon's user's alone";
            warnings.push(format!("{group}, the usual one of the socket, could not be looked up; {until}"));
            Admitted::NobodyYet
        }
    }
}

/// What the core's thread works in.
fn runtime() -> Result<Runtime, StartupError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartupError::System("start a runtime", error))
}

/// From now on signals wait for somebody to take them, and those that were held as well.
fn take_signals(runtime: &Runtime) -> Result<Signals, StartupError> {
    let _entered = runtime.enter();
    let signals = signals().map_err(|error| StartupError::System("watch for signals", error))?;
    process::take_signals()?;
    Ok(signals)
}

/// A daemon that peers can connect to.
struct Begun {
    path: PathBuf,
    environment: Environment,
    config: Config,
    folder: LockedFolder,
    listener: Listener,
    token_files: Vec<File>,
}

async fn serve(begun: Begun, mut signals: Signals, audit: Arc<Audit>) -> Result<(), StartupError> {
    let Begun { path, environment, config, folder, listener, token_files } = begun;
    let server = &config.server;
    let store = folder.open()?;
    let loaded = tokio::select! {
        loaded = store.load() => loaded?,
        () = signals.end() => {
            // Its thread may hang in the folder; nobody waits for that.
            std::mem::forget(store);
            return Ok(());
        }
    };
    for problem in &loaded.problems {
        tracing::warn!("{problem}");
    }

    let profiles = config.profiles.len();
    let clock = Clock::new();
    let seed = getrandom::u64().map_err(StartupError::Random)?;
    audit.set_reads(config.audit.reads);
    let (to_core, messages) = socket::queue(CORE_QUEUE);
    let context = Context {
        token_cache: Arc::new(TokenCache::new()),
        clock: Arc::new(clock),
        access: Arc::new(Rules::new(config.access())),
        notes: Arc::new(ArcSwap::from_pointee(config.notes())),
        audit,
        to_core,
        limits: Limits::of_connections(server.max_connections, server.max_connections_per_uid),
    };
    let notifier = Notifier::from_environment();
    let watchdog = Watchdog::from_environment(&notifier);
    let (service, held) = Service::new(notifier, token_files);
    let mut core = Core::new(clock.now(), clock.boot_id(), seed, loaded.records);
    core.register_unreadable(clock.now(), UnreadableRecords { names: loaded.unreadable, name_of: FileStore::name_of });
    let door = waiting_door(&config, &listener);
    let socket_path = server.socket.clone();
    let accounts = AccountWatch::new(Arc::clone(&environment.accounts), door);
    let reloader = Reloader::new(path, environment, config);
    let mut driver = Driver::new(core, clock, &context, store, reloader, accounts, service);
    // Before the first peer is served, so that it finds the tokens that were handed on. Nothing is awaited in between:
    // what the core wants sent is sent only when the socket is served.
    driver.begin(held);
    let socket =
        SocketThread::spawn(listener, context).map_err(|error| StartupError::System("serve the socket", error))?;
    if let Some(watchdog) = &watchdog {
        socket.answer(Arc::clone(watchdog));
    }
    driver.ready();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        profiles,
        socket = %socket_path.display(),
        "tokend is ready"
    );
    let ended = driver.run(messages, socket, signals, watchdog).await;
    ended.map_err(|error| StartupError::System("keep time", error))?;
    tracing::info!("tokend has ended");
    Ok(())
}

/// The door of a socket that is still its user's alone, and the group for which it is to be opened.
fn waiting_door(config: &Config, listener: &Listener) -> Option<(Account, Door)> {
    let group = config.server.named_group().unwrap_or_else(|| Account::Group(USUAL_GROUP.to_owned()));
    Some((group, listener.narrow_door()?))
}

async fn state_key(source: &SecretSource, environment: &Environment) -> Result<StateKey, StartupError> {
    let wrong = |error: &dyn std::error::Error| StartupError::StateKey(error::chain(error));
    let text = source.read(&environment.process_env).await.map_err(|error| wrong(&error))?;
    StateKey::parse(&text).map_err(|error| wrong(&error))
}

fn signals() -> std::io::Result<Signals> {
    Ok(Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
        hangup: signal(SignalKind::hangup())?,
    })
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[test]
    fn a_signal_that_comes_before_there_is_anybody_to_take_it_waits() {
        process::hold_signals().unwrap();
        raise(Signal::SIGHUP).unwrap(); // it would end this process
        let runtime = runtime().unwrap();
        let mut signals = take_signals(&runtime).unwrap();
        let taken =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), signals.hangup.recv()).await });
        assert_eq!(taken.expect("it has waited"), Some(()));
    }
}
