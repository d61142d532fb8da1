//! A world with a chain in its state folder.

use std::fs;
use std::path::PathBuf;

use harness::{Ctl, Daemon, Ran, World, until};
use sandbox::{Endpoint, Lives};
use serde_json::Value;

/// The Classic profile.
pub(crate) const CHAIN: &str = "legacy";
/// How the names of its record's files begin.
pub(crate) const CHAIN_STEM: &str = "chain-legacy-";
/// One whose tokens never touch the disk.
pub(crate) const CENTRAL: &str = "campus";

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) ctl: Ctl,
}

impl Scene {
    /// Nothing has run yet. Tokens live so many seconds.
    pub(crate) fn new(seed: u64, life: u64) -> Self {
        let world = World::new(seed);
        world.provider().provider().set_lives(Lives::default().access_tokens(life));
        world.configure("", &[world.central(CENTRAL), world.classic(CHAIN)]);
        let ctl = world.ctl();
        Self { world, ctl }
    }

    /// The same, and the chain was imported, rotated twice and stored.
    pub(crate) fn with_chain(seed: u64) -> (Self, Daemon) {
        let scene = Self::new(seed, 7200);
        let daemon = scene.world.start();
        scene.import();
        let ran = scene.ctl.run(&["refresh", CHAIN]);
        assert_eq!(ran.status, 0, "{ran:?}");
        (scene, daemon)
    }

    /// The chain's profile gets a login.
    pub(crate) fn add_login(&self) {
        let world = &self.world;
        world.configure("", &[world.central(CENTRAL), world.classic_with_login(CHAIN)]);
    }

    /// Imports a new Download Token; the chain is alive afterwards.
    pub(crate) fn import(&self) {
        let file = self.world.download_token("download.json");
        let ran = self.ctl.run(&["import", CHAIN, file.to_str().unwrap()]);
        assert_eq!(ran.status, 0, "{ran:?}");
        self.assert_alive();
    }

    /// The chain's token is there and works, and a refresh would bring another one.
    pub(crate) fn assert_alive(&self) {
        let (ctl, sandbox) = (&self.ctl, self.world.provider());
        until("the chain's token works", || {
            let token = ctl.token(CHAIN);
            sandbox.provider().accepts(sandbox.now(), &token).then_some(())
        });
    }

    /// How many refreshes the provider has seen.
    pub(crate) fn refreshes(&self) -> u64 {
        self.world.provider().provider().count(Endpoint::ClassicRefresh)
    }

    /// What `tokenctl status` says of a name.
    pub(crate) fn status(&self, name: &str) -> Value {
        let ran = self.ctl.run(&["status", name, "--output", "json"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["names"][0].clone()
    }

    /// Waits until the status of the chain has this in a field.
    pub(crate) fn await_status(&self, field: &str, text: &str) -> Value {
        until(&format!("{field} of the chain says {text:?}"), || {
            let status = self.status(CHAIN);
            status[field].as_str().is_some_and(|said| said.contains(text)).then_some(status)
        })
    }

    /// The chain cannot be had without an operator, and the command line says so: status 7.
    pub(crate) fn assert_lost(&self, why: &str) {
        let ran = until("the chain is given up", || {
            let ran = self.ctl.run(&["get", CHAIN, "--wait", "0s"]);
            (ran.status == 7).then_some(ran)
        });
        let Ran { stdout, stderr, .. } = &ran;
        assert!(stdout.is_empty() && stderr.contains(why) && stderr.contains("tokenctl import legacy"), "{ran:?}");
        let status = self.status(CHAIN);
        assert_eq!(status["health"], "chain_lost", "{status}");
        assert!(status["chain"]["why"].as_str().is_some_and(|said| said.contains(why)), "{status}");
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.world.path("state")
    }

    /// A file of the chain's record.
    pub(crate) fn record(&self, extension: &str) -> PathBuf {
        self.file(CHAIN_STEM, extension)
    }

    /// The file whose name begins and ends like this.
    pub(crate) fn file(&self, stem: &str, extension: &str) -> PathBuf {
        let is_it = |name: &str| name.starts_with(stem) && name.ends_with(extension);
        let found = fs::read_dir(self.state_dir()).unwrap().map(|entry| entry.unwrap().path());
        let mut found = found.filter(|path| is_it(path.file_name().unwrap().to_str().unwrap()));
        found.next().unwrap_or_else(|| panic!("there is no {stem}…{extension}"))
    }

    /// Starts the daemon, which refuses: what it says on stderr.
    pub(crate) fn refusal(&self) -> String {
        let log = self.world.path("refusal.log");
        let _ = fs::remove_file(&log);
        let daemon = Daemon::spawn(&self.world.config(), &log, "info");
        let status = daemon.ended();
        let said = fs::read_to_string(&log).unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        said
    }
}
