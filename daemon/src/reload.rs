//! A new configuration, read beside the loop and applied whole or not at all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokend_proto::{ErrorCode, ErrorReply, ProfileName, Reloaded};
use tokio::sync::mpsc;

use crate::config::{Config, ConfigError, Environment, Place, ProfileExtras, Server};
use crate::core::settings::Settings;
use crate::driver::{Driver, causes};
use crate::provider::Provider;
use crate::socket::{ReloadReplyTo, SocketThread};
use crate::store::Store;
use crate::system::secret::SecretSource;

/// Reads the configuration again when it is told to.
pub struct Reloader {
    path: PathBuf,
    environment: Environment,
    /// Of the configuration in force: what only a restart can change.
    fixed: Fixed,
    done: mpsc::UnboundedSender<Reload>,
    loaded: mpsc::UnboundedReceiver<Reload>,
}

#[derive(Debug, Clone, PartialEq)]
struct Fixed {
    server: Server,
    state_key: Option<SecretSource>,
}

/// A configuration that was read, and who waits to hear of it.
pub struct Reload {
    result: Result<Config, String>,
    reply: Option<ReloadReplyTo>,
}

impl Reloader {
    /// For the configuration at `path`, which is in force as `config`.
    #[must_use]
    pub fn new(path: PathBuf, environment: Environment, config: &Config) -> Self {
        let (done, loaded) = mpsc::unbounded_channel();
        let fixed = Fixed { server: config.server.clone(), state_key: config.state_key.clone() };
        Self { path, environment, fixed, done, loaded }
    }

    /// Reads the file, on a thread where it may take its time: a user's name may be looked up over a network.
    pub(crate) fn begin(&self, reply: Option<ReloadReplyTo>) {
        let (path, environment, done) = (self.path.clone(), self.environment.clone(), self.done.clone());
        tokio::task::spawn_blocking(move || {
            let result = Config::load(&path, &environment)
                .map_err(|errors| errors.iter().map(|error| causes(error)).collect::<Vec<_>>().join("\n"));
            let _ = done.send(Reload { result, reply });
        });
    }

    /// The next configuration that was read.
    pub(crate) async fn loaded(&mut self) -> Option<Reload> {
        self.loaded.recv().await
    }

    /// What forbids to go from the configuration in force to this one.
    fn objection(&self, config: &Config) -> Option<String> {
        let (old, new, places) = (&self.fixed, config, &config.places);
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
        None
    }
}

impl<S: Store + 'static> Driver<S> {
    /// Puts a configuration into force, all of it or nothing; returns what the core has to be told, or why it is refused.
    pub(crate) fn apply(&mut self, reload: Reload, socket: Option<&SocketThread>) -> Result<Arc<Settings>, String> {
        let Reload { result, reply } = reload;
        let checked = result.and_then(|config| match self.reloader.objection(&config) {
            Some(objection) => Err(objection),
            None => Ok(config),
        });
        let config = match checked {
            Ok(config) => config,
            Err(message) => {
                tracing::error!("the configuration was not reloaded: {message}");
                if let Some(reply) = reply {
                    let (code, message) = (ErrorCode::InvalidConfiguration, message.clone());
                    reply.send(Err(ErrorReply { code, message, retry_after: None }));
                }
                return Err(message);
            }
        };
        self.provider = Arc::new(provider(&config));
        self.access.store(config.access);
        self.audit.set_reads(config.audit.reads);
        self.notes.store(Arc::new(config.warnings.clone()));
        self.secrets.keep_only(|profile| config.profiles.contains_key(profile));
        self.profiles = config.profiles;
        if let Some(socket) = socket {
            socket.rules_changed();
            socket.set_connection_limits(
                config.server.max_connections as usize,
                config.server.max_connections_per_uid as usize,
            );
        }
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!("the configuration was reloaded");
        if let Some(reply) = reply {
            reply.send(Ok(Reloaded { warnings: config.warnings }));
        }
        Ok(config.settings)
    }
}

/// The HTTP side of a configuration.
pub(crate) fn provider(config: &Config) -> Provider {
    // Profiles with a certificate of their own have connections of their own.
    let of_profile = |(name, extras): (&ProfileName, &ProfileExtras)| {
        let host = config.settings.profiles.get(name).map(|profile| Arc::clone(&profile.endpoint().host));
        (host, extras.ca_file.as_ref().map(|ca_file| ca_file.path.clone()))
    };
    let hosts: BTreeSet<_> = config.profiles.iter().map(of_profile).collect();
    Provider::new(
        hosts.len(),
        config.profiles.iter().filter_map(|(name, extras)| {
            let ca_file = extras.ca_file.as_ref()?;
            Some((name.clone(), ca_file.authorities.to_vec()))
        }),
    )
}
