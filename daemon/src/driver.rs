//! Owns the core and carries out its effects: the thread of HTTP, disk and decisions.
//!
//! One loop: whatever happens becomes an [`Input`], the core says what to do, tasks do it and send what came of it
//! back as another input. No decision is made here but the order of an ending: first the rotation on the wire, then
//! the peers.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokend_proto::{ProfileName, Reloaded};
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

use crate::access::current::Rules;
use crate::access::lookups::{AccountWatch, Found};
use crate::access::policy::Access;
use crate::audit::Audit;
use crate::config::ProfileExtras;
use crate::core::Core;
use crate::core::effect::{Effect, Notice, Severity};
use crate::core::handoff::Held;
use crate::core::id::WaiterId;
use crate::core::input::Input;
use crate::core::provider::{Grant, ProviderRequest};
use crate::error;
use crate::os::clock::Clock;
use crate::os::timer::{BootTimer, ClockStepWatch};
use crate::provider::{Provider, ResolvedSecrets};
use crate::reload::{Reload, Reloader};
use crate::secret::SecretCache;
use crate::socket::{Context, Message, Messages, ReloadReplyTo, ReplyTo, SocketThread};
use crate::store::Store;
use crate::systemd::service::Service;
use crate::systemd::watchdog::{Thread, Watchdog};
use crate::token_cache::TokenCache;

/// Everything that the core's thread works with.
pub struct Driver<S> {
    core: Core,
    clock: Clock,
    token_cache: Arc<TokenCache>,
    access: Arc<Rules>,
    notes: Arc<ArcSwap<Vec<String>>>,
    audit: Arc<Audit>,
    store: Arc<S>,
    provider: Arc<Provider>,
    secrets: Arc<SecretCache>,
    profiles: BTreeMap<ProfileName, ProfileExtras>,
    reloader: Reloader,
    accounts: AccountWatch,
    service: Service,
    replies: HashMap<WaiterId, ReplyTo>,
    /// What tasks bring back. Unbounded, because the core bounds them: it has at most one request per name and one
    /// write per record under way, and a task's result must never be lost.
    results: mpsc::UnboundedSender<Input>,
    came_back: mpsc::UnboundedReceiver<Input>,
}

/// What an operator or a service manager tells the daemon.
pub struct Signals {
    /// SIGTERM: stop.
    pub terminate: Signal,
    /// SIGINT: stop.
    pub interrupt: Signal,
    /// SIGHUP: reload.
    pub hangup: Signal,
}

impl Signals {
    /// One that says stop.
    pub(crate) async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl<S: Store + 'static> Driver<S> {
    /// A driver that has done nothing yet. The core is restored and not configured, the store is loaded, and the
    /// reloader has the configuration in force. What it shares with the socket's thread is in `context`.
    #[must_use]
    pub fn new(
        core: Core,
        clock: Clock,
        context: &Context,
        store: S,
        reloader: Reloader,
        accounts: AccountWatch,
        service: Service,
    ) -> Self {
        let (results, came_back) = mpsc::unbounded_channel();
        let config = reloader.in_force();
        Self {
            core,
            clock,
            token_cache: Arc::clone(&context.token_cache),
            access: Arc::clone(&context.access),
            notes: Arc::clone(&context.notes),
            audit: Arc::clone(&context.audit),
            store: Arc::new(store),
            provider: Arc::new(Provider::for_config(config)),
            secrets: Arc::new(SecretCache::new(Arc::clone(reloader.process_env()))),
            profiles: config.profiles.clone(),
            reloader,
            accounts,
            service,
            replies: HashMap::new(),
            results,
            came_back,
        }
    }

    /// Begins: what was handed on by the daemon before this one, and the configuration. Whatever is to be sent or
    /// written waits for [`Driver::run`], but tokens that are still good are in the token cache when this returns.
    pub fn begin(&mut self, held: Option<Held>) {
        if let Some(held) = held {
            self.tell(Input::Restore(held));
        }
        self.tell(Input::Configure(Arc::clone(&self.reloader.in_force().settings)));
    }

    /// Tells the service manager that peers are served.
    pub fn ready(&mut self) {
        self.service.ready(&self.core, self.clock.boot());
    }

    /// Works until a signal says stop, a rotation on the wire has ended, and the peers have what they are owed.
    ///
    /// # Errors
    /// When the system gives no timer.
    pub async fn run(
        mut self,
        mut messages: Messages,
        socket: SocketThread,
        mut signals: Signals,
        watchdog: Option<Arc<Watchdog>>,
    ) -> io::Result<()> {
        let mut timer = BootTimer::new()?;
        let mut steps = ClockStepWatch::new()?;
        let mut interval = watchdog.as_deref().map(Watchdog::interval).transpose()?;
        let mut socket = Some(socket);
        self.accounts.look_for(&self.reloader.in_force().numbers);
        let mut stopping = false;
        let mut draining: Option<std::pin::Pin<Box<dyn Future<Output = ()>>>> = None;
        loop {
            self.service.work(&self.core, self.clock.boot());
            timer.set(self.core.poll_timeout().into_iter().chain(self.service.due()).min())?;
            if stopping
                && self.core.is_quiet()
                && let Some(socket) = socket.take()
            {
                tracing::info!("no rotation is on the wire; peers get what they are owed");
                draining = Some(Box::pin(socket.drain()));
            }
            tokio::select! {
                Some(message) = messages.recv() => self.message(message),
                Some(input) = self.came_back.recv() => self.tell(input),
                result = timer.expired() => {
                    result?;
                    self.tell(Input::Tick);
                }
                result = steps.clock_stepped() => {
                    result?;
                    tracing::info!("the wall clock was stepped; no deadline depends on it");
                    self.token_cache.rebase(self.clock.now());
                    self.tell(Input::Tick); // what is recorded follows the clock
                }
                Some(reload) = self.reloader.loaded() => self.reloaded(reload, socket.as_ref()),
                Some(found) = self.accounts.found() => self.account_found(found, socket.as_ref()),
                result = async { interval.as_mut().expect("guarded").tick().await }, if interval.is_some() => {
                    result?;
                    if let Some(watchdog) = &watchdog {
                        watchdog.answer(Thread::Core);
                    }
                }
                Some(()) = signals.hangup.recv() => self.reload(None),
                Some(()) = signals.terminate.recv(), if !stopping => stopping = self.stop("SIGTERM"),
                Some(()) = signals.interrupt.recv(), if !stopping => stopping = self.stop("SIGINT"),
                () = async { draining.as_mut().expect("guarded").await }, if draining.is_some() => {
                    self.service.ended(&self.core, self.clock.boot());
                    return Ok(());
                }
            }
        }
    }

    /// Nothing new is begun from now on.
    fn stop(&mut self, signal: &str) -> bool {
        tracing::info!("stopping, because of {signal}");
        self.tell(Input::Shutdown);
        self.service.stopping(&self.core);
        true
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Ask { waiter, asker, question, reply } => {
                self.replies.insert(waiter, reply);
                self.tell(Input::Ask { waiter, asker, question });
            }
            Message::Query { query, reply, .. } => reply.send_view(self.core.query(self.clock.now(), &query)),
            Message::Leave(waiters) => {
                for waiter in waiters {
                    self.replies.remove(&waiter);
                    self.tell(Input::Leave(waiter));
                }
            }
            Message::Reload { reply } => self.reload(Some(reply)),
        }
    }

    fn reload(&mut self, reply: Option<ReloadReplyTo>) {
        if self.reloader.ask(reply) {
            self.service.reload_begins();
        }
    }

    /// Tells the core and does what it says.
    fn tell(&mut self, input: Input) {
        self.core.handle(self.clock.now(), input);
        while let Some(effect) = self.core.poll_effect() {
            self.carry_out(effect);
        }
        self.service.changed();
    }

    fn reloaded(&mut self, reload: Reload, socket: Option<&SocketThread>) {
        let refused = self.apply(reload, socket).err();
        self.service.reload_ended(&self.core, self.clock.boot(), refused.as_deref());
        if self.reloader.go_on() {
            self.service.reload_begins();
        }
    }

    /// Puts a configuration into force, all of it or nothing, and answers all who asked for it.
    fn apply(&mut self, reload: Reload, socket: Option<&SocketThread>) -> Result<(), String> {
        let config = match self.reloader.checked(reload) {
            Ok(config) => config,
            Err(message) => {
                tracing::error!("the configuration was not reloaded: {message}");
                self.reloader.answer(&Err(message.clone()));
                return Err(message);
            }
        };
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let warnings = config.warnings.clone();
        let revised = config.revised_since(self.reloader.in_force());
        let changes = self.reloader.replace(config);
        let config = self.reloader.in_force();
        self.provider = Arc::new(Provider::for_config(config));
        self.audit.set_reads(config.audit.reads);
        self.secrets.keep_only(|profile| config.profiles.contains_key(profile));
        self.profiles = config.profiles.clone();
        self.accounts.look_for(&config.numbers);
        self.put_in_force(config.access(), config.notes(), socket);
        if let Some(socket) = socket {
            socket.set_connection_limits(
                config.server.max_connections as usize,
                config.server.max_connections_per_uid as usize,
            );
        }
        let settings = Arc::clone(&config.settings);
        let shown = if changes.is_empty() { Reloaded::NOTHING.to_owned() } else { changes.join("; ") };
        tracing::info!("the configuration was reloaded; {shown}");
        self.reloader.answer(&Ok(Reloaded::new(changes, warnings)));
        self.tell(Input::Configure(settings));
        self.tell(Input::Revised(revised));
        Ok(())
    }

    /// Puts a number in force that was looked up again.
    fn account_found(&mut self, found: Found, socket: Option<&SocketThread>) {
        let Found { account, looked_up } = found;
        if let Ok(Some(number)) = looked_up {
            self.accounts.open_door(&account, number);
        }
        let Some((number, access, notes)) = self.reloader.learn(&account, looked_up, self.clock.boot()) else { return };
        match number {
            Some(number) => tracing::info!("{account} is found: its number {number} is in force"),
            None => tracing::warn!("{account} cannot be found any more: the rules match nobody by it from now on"),
        }
        self.put_in_force(access, notes, socket);
    }

    fn put_in_force(&self, access: Access, notes: Vec<String>, socket: Option<&SocketThread>) {
        self.access.store(access);
        self.notes.store(Arc::new(notes));
        if let Some(socket) = socket {
            socket.rules_changed();
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(request) => self.send(request),
            Effect::ReadSecrets(profile) => self.read_secrets(profile),
            Effect::Write { write, key, replaces, record } => {
                let store = Arc::clone(&self.store);
                self.spawn(async move {
                    let result = store.write(&key, replaces, record.as_deref()).await;
                    Input::Written { write, result: result.map_err(|error| error::chain(&error)) }
                });
            }
            Effect::Publish { name, token, mode } => self.token_cache.publish(&name, &token, mode, self.clock.now()),
            Effect::Health { name, report } => self.token_cache.report(&name, report),
            Effect::Withdraw(name) => self.token_cache.withdraw(&name),
            Effect::Directory { profile, tenants } => self.token_cache.set_directory(&profile, tenants),
            Effect::Invalidate(token) => self.service.invalidate(token),
            Effect::AskLastRead(name) => {
                let at = self.token_cache.last_read(&name);
                let _ = self.results.send(Input::LastRead { name, at });
            }
            Effect::Answer { waiter, outcome } => {
                if let Some(reply) = self.replies.remove(&waiter) {
                    reply.send(outcome);
                }
            }
            Effect::Notice(notice) => log(&notice),
        }
    }

    fn send(&self, request: ProviderRequest) {
        let provider = Arc::clone(&self.provider);
        let profile = &request.profile.name;
        let (secret, password) = match &request.grant {
            Grant::ClientCredentials { secret } | Grant::Refresh { secret, .. } => (Some(*secret), None),
            Grant::Login { secret, password } => (Some(*secret), Some(*password)),
            Grant::Exchange { .. } | Grant::ListTenants { .. } => (None, None),
        };
        let text = |version| self.secrets.get(profile, version);
        let (secret, password) = (secret.and_then(text), password.and_then(text));
        // A task of its own: neither a peer nor a shutdown cancels it.
        self.spawn(async move {
            let secrets = ResolvedSecrets { client_secret: secret.as_ref(), password: password.as_ref() };
            let answer = provider.send(&request.profile, &request.grant, secrets).await;
            Input::Answered { request: request.id, answer }
        });
    }

    fn read_secrets(&self, profile: ProfileName) {
        let cache = Arc::clone(&self.secrets);
        let sources = self.profiles.get(&profile).map(|extras| extras.secrets.clone());
        self.spawn(async move {
            let versions = match sources {
                Some(sources) => cache.read(&profile, &sources).await,
                None => crate::core::provider::SecretVersions::default(),
            };
            Input::Secrets { profile, versions }
        });
    }

    fn spawn(&self, work: impl Future<Output = Input> + Send + 'static) {
        let results = self.results.clone();
        tokio::spawn(async move {
            let input = work.await;
            // The loop is gone only when the daemon ends.
            let _ = results.send(input);
        });
    }
}

/// The subject is a field for machines, and stands in the text for people who read a journal.
fn log(notice: &Notice) {
    let Notice { severity, subject, message } = notice;
    match severity {
        Severity::Debug => tracing::debug!(name = %subject, "{subject}: {message}"),
        Severity::Info => tracing::info!(name = %subject, "{subject}: {message}"),
        Severity::Warning => tracing::warn!(name = %subject, "{subject}: {message}"),
        Severity::Error => tracing::error!(name = %subject, "{subject}: {message}"),
    }
}
