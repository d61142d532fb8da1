//! A sandbox, a temporary folder, and a configuration with a profile of each kind.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt};
use tempfile::TempDir;

use super::{Ctl, Daemon, until};
use sandbox::{Credentials, Population, Sandbox};

/// A provider and all that a daemon needs to use it. Removed, with everything in it, when it is dropped.
pub struct World {
    folder: TempDir,
    /// Who and what there is at the provider.
    pub population: Population,
    /// The provider. `None` while it is down.
    pub sandbox: Option<Sandbox>,
    base_url: String,
}

/// The text of one profile's section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileText(pub String);

impl World {
    /// A world whose sandbox was made from this seed.
    ///
    /// # Panics
    /// When the system gives no folder or no port.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let (provider, population) = Population::settle(seed);
        let sandbox = Sandbox::start(provider).expect("a free port");
        let folder = temporary_folder();
        let base_url = sandbox.base_url().to_owned();
        let world = Self { folder, population, sandbox: Some(sandbox), base_url };
        let secrets = &world.population;
        world.secret("central", &secrets.central.client_secret);
        world.secret("glp", &secrets.glp.client_secret);
        world.secret("classic", &secrets.classic.client_secret);
        world.secret("password", &secrets.password);
        world
    }

    /// The provider.
    ///
    /// # Panics
    /// When it is down.
    #[must_use]
    pub fn provider(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("the provider is up")
    }

    /// Where the provider is, or was.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A path in the world's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path("tokend.sock")
    }

    /// The daemon's configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path("tokend.toml")
    }

    /// The daemon's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path("tokend.log")
    }

    /// Runs `tokenctl` here.
    #[must_use]
    pub fn ctl(&self) -> Ctl {
        Ctl::new(&self.socket())
    }

    /// Writes a secret's file, for nobody but us.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(&format!("{name}.secret"));
        fs::write(&path, format!("{text}\n")).expect("a file of ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of ours");
        path
    }

    /// Writes a Download Token of a new chain; returns its file.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn download_token(&self, name: &str) -> PathBuf {
        let now = self.provider().now();
        let client = &self.population.classic.client_id;
        let token = self.provider().provider().download_token(now, client).expect("the client exists");
        let path = self.path(name);
        fs::write(&path, serde_json::to_vec(&token).expect("plain data")).expect("a file of ours");
        path
    }

    /// A `central` profile.
    #[must_use]
    pub fn central(&self, name: &str) -> ProfileText {
        let token_endpoint = format!("token_endpoint = \"{}/as/token.oauth2\"", self.base_url);
        self.profile(name, "central", &self.population.central.client_id, "central", &token_endpoint)
    }

    /// An `oauth2` profile of this token endpoint, with `more` keys.
    #[must_use]
    pub fn oauth2(&self, name: &str, path: &str, more: &str) -> ProfileText {
        let rest = format!("token_endpoint = \"{}{path}\"\n{more}", self.base_url);
        self.profile(name, "oauth2", &self.population.central.client_id, "central", &rest)
    }

    /// A `glp` profile, with these warm tenants.
    #[must_use]
    pub fn glp(&self, name: &str, warm: &[&str]) -> ProfileText {
        let rest = format!(
            "base_url = \"{}\"\nworkspace_id = \"{}\"\n[profiles.{name}.tenants]\nwarm = {warm:?}",
            self.base_url, self.population.workspace
        );
        self.profile(name, "glp", &self.population.glp.client_id, "glp", &rest)
    }

    /// A `classic` profile that takes an import.
    #[must_use]
    pub fn classic(&self, name: &str) -> ProfileText {
        let rest = format!("base_url = \"{}\"", self.base_url);
        self.profile(name, "classic", &self.population.classic.client_id, "classic", &rest)
    }

    /// A `classic` profile of an application of its own, with or without a login.
    #[must_use]
    pub fn classic_of(&self, name: &str, client: &Credentials, login: bool) -> ProfileText {
        let secret = format!("classic-{}", client.client_id);
        self.secret(&secret, &client.client_secret);
        let rest = format!("base_url = \"{}\"", self.base_url);
        let profile = self.profile(name, "classic", &client.client_id, &secret, &rest);
        if login { self.with_login(name, &profile) } else { profile }
    }

    /// A `classic` profile that can log in.
    #[must_use]
    pub fn classic_with_login(&self, name: &str) -> ProfileText {
        self.with_login(name, &self.classic(name))
    }

    fn with_login(&self, name: &str, profile: &ProfileText) -> ProfileText {
        let Population { username, customer_id, .. } = &self.population;
        let password = self.path("password.secret");
        let rest = format!(
            "[profiles.{name}.login]\nusername = \"{username}\"\ncustomer_id = \"{customer_id}\"\npassword = {{ file = \
             \"{}\" }}",
            password.display()
        );
        ProfileText(format!("{}\n{rest}", profile.0))
    }

    fn profile(&self, name: &str, kind: &str, client_id: &str, secret: &str, rest: &str) -> ProfileText {
        let secret = self.path(&format!("{secret}.secret"));
        ProfileText(format!(
            "[profiles.{name}]\nkind = \"{kind}\"\nclient_id = \"{client_id}\"\nclient_secret = {{ file = \"{}\" \
             }}\nallow_plain_http = true\n{rest}",
            secret.display()
        ))
    }

    /// Writes the configuration, whole, in one step: a daemon that is just reading it finds the old one or the new.
    /// `more` goes before the profiles.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, more: &str, profiles: &[ProfileText]) {
        let profiles: Vec<&str> = profiles.iter().map(|profile| profile.0.as_str()).collect();
        let text = format!(
            "[server]\nsocket = \"{}\"\nstate_dir = \"{}\"\n\n{more}\n\n{}\n",
            self.socket().display(),
            self.path("state").display(),
            profiles.join("\n\n")
        );
        let written = self.path("tokend.toml.new");
        fs::write(&written, text).expect("a file of ours");
        fs::rename(written, self.config()).expect("a file of ours");
    }

    /// Starts the daemon with the configuration as it is.
    #[must_use]
    pub fn start(&self) -> Daemon {
        Daemon::start(&self.config(), &self.socket(), &self.log(), "debug")
    }

    /// The folder of everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Takes the provider off the net; what it knows stays.
    ///
    /// # Panics
    /// When it is down already.
    #[must_use]
    pub fn provider_down(&mut self) -> Outage {
        let sandbox = self.sandbox.take().expect("the provider is up");
        let addr = sandbox.addr();
        let provider = sandbox.stop();
        Outage { addr, provider, port: until("the provider's port is ours", || keep(addr).ok()) }
    }

    /// Ends an outage.
    ///
    /// # Panics
    /// When somebody has taken the port for good.
    pub fn provider_up(&mut self, outage: Outage) {
        let start = || Sandbox::start_on(outage.addr, outage.provider.clone()).ok();
        self.sandbox = Some(until("the provider listens again", start));
        drop(outage.port);
    }
}

/// In memory where the system has such a place and nobody has named another (TMPDIR). A disk that is busy with
/// somebody's build takes ten seconds and more for an fsync, and tokend waits for two of them in each rotation: with
/// lives of seconds a test would say something about the disk.
fn temporary_folder() -> TempDir {
    let mut named = tempfile::Builder::new();
    named.prefix("tokend-");
    let folder = match std::env::var_os("TMPDIR") {
        Some(_) => named.tempdir(),
        None => named.tempdir_in("/dev/shm").or_else(|_| named.tempdir()),
    };
    folder.expect("a temporary folder")
}

/// A provider that is off the net.
pub struct Outage {
    addr: SocketAddr,
    provider: sandbox::Provider,
    port: OwnedFd,
}

/// Keeps a port that nobody listens at: no other socket of this machine is given it, connections to it are refused, and
/// a socket of ours may listen there again, as both say SO_REUSEADDR, socket(7).
fn keep(addr: SocketAddr) -> nix::Result<OwnedFd> {
    let kept = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&kept, sockopt::ReuseAddr, &true)?;
    bind(kept.as_raw_fd(), &SockaddrStorage::from(addr))?;
    Ok(kept)
}
