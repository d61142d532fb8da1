//! A daemon's whole life: every kind of profile, good and bad credentials, imports, logins, renewals, complaints, a
//! provider that misbehaves and says back what it was told, bad configurations, and the end.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::thread;

use harness::{Ctl, Daemon, PATIENCE, ProfileText, World, until};
use nix::sys::signal::Signal;
use sandbox::Endpoint::{CentralToken, ClassicRefresh, TenantExchange, WorkspaceToken};
use sandbox::{Credentials, Entry, Fault, FaultRule, Lives, Provider};

/// Characters that every encoding writes in its own way.
const WRONG_SECRET: &str = "wr0ng s&cret/with+\"every\"=kind\\of%20byte é";
const WRONG_PASSWORD: &str = "pa$$word: not/the+right one% \"é\"\\n";
const IN_THE_FILE: &str = "a-secret-as-a-bare-string-in-the-file";

/// What can be heard of a life.
pub(crate) struct Heard {
    /// The daemon's log.
    pub(crate) log: String,
    /// What `tokenctl` said, but for the tokens that it was asked for.
    pub(crate) said: String,
    /// Every secret that there was.
    pub(crate) secrets: BTreeSet<String>,
    /// How many of them the provider made meanwhile.
    pub(crate) issued: usize,
}

struct Life {
    world: World,
    ctl: Ctl,
    said: String,
    tokens: Vec<String>,
}

pub(crate) fn whole_life(format: &str) -> Heard {
    let world = World::new(7);
    let others = [(); 2].map(|()| world.provider().provider().add_classic_client());
    world.secret("wrong", WRONG_SECRET);
    world.secret("wrong-password", WRONG_PASSWORD);
    for (index, client) in others.iter().enumerate() {
        world.secret(&format!("classic-{index}"), &client.client_secret);
    }
    let mut secrets: BTreeSet<String> = [WRONG_SECRET, WRONG_PASSWORD, IN_THE_FILE].map(str::to_owned).into();
    let population = &world.population;
    secrets.extend([&population.central, &population.glp, &population.classic].map(|it| it.client_secret.clone()));
    secrets.extend(others.iter().map(|it| it.client_secret.clone()));
    secrets.insert(population.password.clone());
    {
        let mut provider = world.provider().provider();
        provider.set_lives(Lives::default().access_tokens(6));
        provider.keep_ledger();
    }
    world.configure("[providers]\nmax_requests_per_second = 50", &profiles(&world, &others));
    let mut daemon = Daemon::spawn_with(&world.config(), &world.log(), |command| {
        command.args(["--log", "trace", "--log-format", format])
    });
    daemon.listens(&world.socket());
    let mut life = Life { ctl: world.ctl(), world, said: String::new(), tokens: Vec::new() };
    life.begin();
    life.complain();
    life.misbehave();
    life.renew();
    life.reload(&daemon);
    life.garbage();
    assert!(daemon.terminate().success());

    let provider = life.world.sandbox.take().unwrap().stop();
    let issued: BTreeSet<String> = provider.ledger().iter().cloned().collect();
    for token in &life.tokens {
        assert!(issued.contains(token), "the ledger is complete");
    }
    let count = issued.len();
    secrets.extend(issued);
    Heard { log: fs::read_to_string(life.world.log()).unwrap(), said: life.said, secrets, issued: count }
}

/// One of each, both ways to begin a chain, one whose secrets go into URLs, and three with wrong credentials.
fn profiles(world: &World, others: &[Credentials; 2]) -> Vec<ProfileText> {
    let of = |text: ProfileText, index: usize| {
        let text = text.0.replace(&world.population.classic.client_id, &others[index].client_id);
        ProfileText(text.replace("classic.secret", &format!("classic-{index}.secret")))
    };
    let swap = |text: ProfileText, from: &str, to: &str| ProfileText(text.0.replace(from, to));
    vec![
        world.central("campus"),
        world.glp("msp", &["Acme Corp"]),
        world.classic("legacy"),
        world.classic_with_login("branch"),
        swap(of(world.classic("queried"), 0), "allow_plain_http", "param_style = \"query\"\nallow_plain_http"),
        swap(world.central("wrong"), "central.secret", "wrong.secret"),
        swap(world.classic("wrong-chain"), "classic.secret", "wrong.secret"),
        swap(of(world.classic_with_login("wrong-login"), 1), "password.secret", "wrong-password.secret"),
    ]
}

impl Life {
    /// Runs `tokenctl` where no token is asked for; what it says is for anybody's eyes.
    fn say(&mut self, arguments: &[&str]) -> i32 {
        self.say_with(arguments, "")
    }

    fn say_with(&mut self, arguments: &[&str], stdin: &str) -> i32 {
        let ran = self.ctl.run_with(arguments, stdin);
        self.said += &format!("tokenctl {arguments:?}: {}\n{}{}", ran.status, ran.stdout, ran.stderr);
        ran.status
    }

    fn token(&mut self, name: &str) -> String {
        let token = self.ctl.token(name);
        self.tokens.push(token.clone());
        token
    }

    fn import(&mut self, name: &str, client_id: &str) -> i32 {
        let provider = self.world.provider();
        let now = provider.now();
        let token = provider.provider().download_token(now, client_id).unwrap();
        let file = self.world.path("download.json");
        fs::write(&file, serde_json::to_vec(&token).unwrap()).unwrap();
        self.say(&["import", name, file.to_str().unwrap()])
    }

    /// The client_id of a profile in the configuration.
    fn client_id(&self, profile: &str) -> String {
        let config = fs::read_to_string(self.world.config()).unwrap();
        let section = config.split_once(&format!("[profiles.{profile}]\n")).unwrap().1;
        section.split_once("client_id = \"").unwrap().1.split_once('"').unwrap().0.to_owned()
    }

    fn begin_chains(&mut self) {
        for profile in ["legacy", "queried"] {
            assert_eq!(self.import(profile, &self.client_id(profile)), 0, "{}", self.said);
        }
    }

    /// Tokens of every name, in every shape; and those that cannot be had.
    fn begin(&mut self) {
        self.begin_chains();
        for name in ["campus", "msp", "msp/Acme Corp", "msp/Globex", "legacy", "branch", "queried"] {
            self.token(name);
            for shape in ["json", "header", "env", "curl"] {
                assert_eq!(self.ctl.run(&["get", name, "--output", shape]).status, 0, "{name} {shape}");
            }
        }
        assert_eq!(self.say(&["get", "wrong"]), 7, "{}", self.said);
        assert_eq!(self.import("wrong-chain", &self.client_id("wrong-chain")), 7, "{}", self.said);
        assert_eq!(self.say(&["get", "wrong-login"]), 7, "{}", self.said);
        assert_eq!(self.say(&["get", "nobody"]), 5);
        for arguments in [&["status"][..], &["status", "--output", "json"], &["tenants", "msp"], &["whoami"], &["ping"]]
        {
            assert_eq!(self.say(arguments), 0, "{}", self.said);
        }
        assert_eq!(self.say(&["exec", "campus=SOME", "--", "true"]), 0);
    }

    /// Complaints of both kinds, again and again, renewals by hand, and imports that are refused.
    fn complain(&mut self) {
        for name in ["campus", "msp/Globex", "legacy", "queried"] {
            for _ in 0..3 {
                let token = self.token(name);
                self.say_with(&["reject", name, "--token-stdin"], &token);
            }
            self.say(&["refresh", name]);
        }
        let spent = r#"{"refresh_token":"SPENT0123456789abcdef0123456789"}"#;
        assert_eq!(self.say_with(&["import", "legacy", "-"], spent), 7, "{}", self.said);
        assert_eq!(self.say_with(&["import", "legacy", "-"], "{\"refresh_token\": \"unfinished0123456789"), 2);
    }

    /// A provider that fails in all ways, some of which say back what it was told.
    fn misbehave(&mut self) {
        let population = &self.world.population;
        let echo = serde_json::json!({
            "error": format!("invalid {}", population.central.client_secret),
            "error_description": format!("{} {}", population.glp.client_secret, population.password),
            "message": format!("after {} seconds", population.classic.client_secret),
        });
        let faults = [
            Fault::OtherShape(echo),
            Fault::Status { status: 503, retry_after: Some(population.central.client_secret.clone()) },
            Fault::Reset,
            Fault::Truncated(300),
            Fault::Html,
            Fault::NotUtf8,
            Fault::AccessToken(format!("no b64token: {}", population.classic.client_secret)),
            Fault::Redirect(format!("http://127.0.0.1:1/?secret={}", population.password)),
            Fault::ExpiresIn(Some(format!("\"{}\"", population.central.client_secret))),
        ];
        let places = [
            (CentralToken, "campus"),
            (WorkspaceToken, "msp"),
            (TenantExchange, "msp/Acme Corp"),
            (ClassicRefresh, "legacy"),
            (ClassicRefresh, "queried"),
        ];
        for fault in faults {
            // Such a token counts as one of the documented life, which nothing here waits for: an import ends it.
            let places = if matches!(fault, Fault::ExpiresIn(_)) { &places[3..] } else { &places[..] };
            let before = self.world.provider().provider().log().seen();
            for &(endpoint, name) in places {
                let rule = FaultRule::new(fault.clone()).at(endpoint);
                let rule = if endpoint == ClassicRefresh { rule.client(&self.client_id(name)) } else { rule };
                self.world.provider().provider().add_fault(rule);
            }
            let ctl = &self.ctl;
            // All at once, as each may wait for the second try.
            let ran = thread::scope(|scope| {
                let runs: Vec<_> =
                    places.iter().map(|(_, name)| scope.spawn(move || ctl.run(&["refresh", name]))).collect();
                runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
            });
            for ran in ran {
                self.said += &format!("{}{}", ran.stdout, ran.stderr);
            }
            let struck = self.world.provider().wait_until(PATIENCE, |provider| {
                let struck = |entry: &&Entry| entry.seq > before && entry.fault.is_some();
                provider.log().entries().filter(struck).count() == places.len()
            });
            assert!(struck, "{fault:?} everywhere");
            if let Fault::Truncated(_) | Fault::AccessToken(_) | Fault::ExpiresIn(_) = fault {
                // What spoils an answer has cost the chains their tokens.
                self.begin_chains();
            }
        }
        let outage = self.world.provider_down();
        // A name that is due meets nobody: at a life of 6 s that is soon.
        let log = self.world.log();
        until("somebody meets nobody", || {
            let log = fs::read_to_string(&log).unwrap();
            log.contains("was not sent: no connection").then_some(())
        });
        self.world.provider_up(outage);
    }

    /// Each kind is renewed by itself after all that.
    fn renew(&mut self) {
        let issued = |provider: &Provider, endpoint| {
            provider.log().of(endpoint).filter(|entry| entry.status == Some(200) && entry.issued.is_some()).count()
        };
        let kinds = [CentralToken, WorkspaceToken, TenantExchange, ClassicRefresh];
        let provider = self.world.provider();
        let before = kinds.map(|kind| issued(&provider.provider(), kind));
        let renewed = provider.wait_until(PATIENCE, |provider| {
            kinds.iter().zip(before).all(|(kind, before)| issued(provider, *kind) >= before + 2)
        });
        assert!(renewed);
        self.say(&["status"]);
        self.say(&["status", "--output", "json"]);
    }

    /// A secret in the file itself, another file that is no TOML at that place, and then a good one.
    fn reload(&mut self, daemon: &Daemon) {
        let good = fs::read_to_string(self.world.config()).unwrap();
        let bare = format!("client_secret = \"{IN_THE_FILE}\"");
        let at = good.find("client_secret = ").unwrap();
        let line = good[at..].lines().next().unwrap();
        for bad in [good.replacen(line, &bare, 1), good.replacen(line, &bare[..bare.len() - 1], 1)] {
            fs::write(self.world.config(), bad).unwrap();
            assert_ne!(self.say(&["reload"]), 0);
        }
        daemon.signal(Signal::SIGHUP);
        fs::write(self.world.config(), good).unwrap();
        assert_eq!(self.say(&["reload"]), 0, "{}", self.said);
    }

    /// A token where a peer's request should be.
    fn garbage(&mut self) {
        let token = self.token("campus");
        let mut stream = UnixStream::connect(self.world.socket()).unwrap();
        let frame = [&u32::try_from(token.len()).unwrap().to_be_bytes()[..], token.as_bytes()].concat();
        stream.write_all(&frame).unwrap();
        let mut http = UnixStream::connect(self.world.socket()).unwrap();
        http.write_all(format!("GET / HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes()).unwrap();
        // In place of a name; what tokenctl says then is for the person who typed it.
        assert_ne!(self.ctl.run(&["get", &format!("msp/{}", self.tokens[0])]).status, 0);
        assert_ne!(self.ctl.run(&["get", &format!("msp/{}", self.ctl.token("legacy"))]).status, 0);
        self.say(&["ping"]);
    }
}
