//! A configuration that is wrong: `tokend check`, `tokend` itself and a reload say what, where, and what would be
//! expected, and nothing is started or changed.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use harness::{Binaries, Daemon, ProfileText, World, until};
use nix::sys::signal::Signal;
use sandbox::Endpoint;

/// One way to be wrong: what stands in place of what, in a good profile, and what is to be said of it.
struct Wrong {
    what: &'static str,
    profile: &'static str,
    replace: &'static str,
    with: &'static str,
    /// In the profile's section, whose header is 1.
    line: usize,
    key: &'static str,
    problem: &'static str,
    remedy: &'static str,
}

const CASES: [Wrong; 7] = [
    Wrong {
        what: "unknown key",
        profile: "campus",
        replace: "client_id",
        with: "clientid",
        line: 3,
        key: "profiles.campus.clientid",
        problem: "is not a key of tokend",
        remedy: "did you mean client_id?",
    },
    Wrong {
        what: "wrong kind",
        profile: "campus",
        replace: "\"central\"",
        with: "\"centrel\"",
        line: 2,
        key: "profiles.campus.kind",
        problem: "there is no kind \"centrel\"",
        remedy: "expected one of \"central\", \"glp\", \"classic\" and \"oauth2\"",
    },
    Wrong {
        what: "secret in the file itself",
        profile: "campus",
        replace: "client_secret = { file = ",
        with: "client_secret = \"hunter2\" # ",
        line: 4,
        key: "profiles.campus.client_secret",
        problem: "is a bare string, and a secret never stands in the configuration itself",
        remedy: "expected { credential = \"NAME\" }",
    },
    Wrong {
        what: "bad duration",
        profile: "legacy",
        replace: "allow_plain_http = true",
        with: "allow_plain_http = true\nbefore = \"ten minutes\"",
        line: 6,
        key: "profiles.legacy.before",
        problem: "\"ten minutes\" is no span of time",
        remedy: "expected a number and one of ms, s, m, h, d, such as \"90s\"",
    },
    Wrong {
        what: "unknown cluster",
        profile: "legacy",
        replace: "base_url = ",
        with: "cluster = \"EU1\" #",
        line: 6,
        key: "profiles.legacy.cluster",
        problem: "there is no cluster \"EU1\"",
        remedy: "did you mean EU-1?",
    },
    Wrong {
        what: "plain http off loopback",
        profile: "legacy",
        replace: "http://127.0.0.1:",
        with: "http://gateway.example.net:",
        line: 6,
        key: "profiles.legacy.base_url",
        problem: "is plain http, which would show the credentials to the network",
        remedy: "expected https://",
    },
    Wrong {
        what: "plain http that nobody asked for",
        profile: "legacy",
        replace: "allow_plain_http = true",
        with: "allow_plain_http = false",
        line: 6,
        key: "profiles.legacy.base_url",
        problem: "is plain http",
        remedy: "allow_plain_http = true in [profiles.legacy]",
    },
];

/// What the file names and cannot be had: to a check it is an error, and the daemon serves everybody else.
const OUTSIDE: [Wrong; 3] = [
    Wrong {
        what: "missing secret",
        profile: "campus",
        replace: "central.secret",
        with: "gone.secret",
        line: 4,
        key: "profiles.campus.client_secret",
        problem: "the file does not exist",
        remedy: "create it with the secret alone in it, mode 0600",
    },
    Wrong {
        what: "secret that everybody can read",
        profile: "campus",
        replace: "central.secret",
        with: "open.secret",
        line: 4,
        key: "profiles.campus.client_secret",
        problem: "others have access to it (mode 0644)",
        remedy: "chmod o= ",
    },
    Wrong {
        what: "missing ca_file",
        profile: "campus",
        replace: "allow_plain_http = true",
        with: "allow_plain_http = true\nca_file = \"/no/such/file.pem\"",
        line: 6,
        key: "profiles.campus.ca_file",
        problem: "/no/such/file.pem cannot be read: entity not found",
        remedy: "expected the absolute path of a PEM file",
    },
];

impl Wrong {
    /// Writes the configuration that is wrong in this way; returns how the message about it begins.
    fn configure(&self, world: &World) -> String {
        self.configure_with(world, &[])
    }

    /// As [`Wrong::configure`], with profiles after it that are right.
    fn configure_with(&self, world: &World, others: &[ProfileText]) -> String {
        let good = if self.profile == "campus" { world.central("campus") } else { world.classic("legacy") };
        let bad = good.0.replace(self.replace, self.with);
        assert_ne!(bad, good.0, "{}", self.what);
        let profiles: Vec<_> = std::iter::once(ProfileText(bad)).chain(others.iter().cloned()).collect();
        world.configure("", &profiles);
        let text = fs::read_to_string(world.config()).unwrap();
        let header = text.lines().position(|line| line.starts_with("[profiles.")).unwrap();
        format!("{}:{}: {}: ", world.config().display(), header + self.line, self.key)
    }

    fn is_told_in(&self, said: &str, begins: &str) {
        let line = said.lines().find(|line| line.contains(begins));
        let line = line.unwrap_or_else(|| panic!("{}: no {begins:?} in {said}", self.what));
        assert!(line.contains(self.problem) && line.contains(self.remedy), "{}: {line}", self.what);
        assert!(!said.contains("hunter2"), "{}: {said}", self.what);
    }
}

fn world(seed: u64) -> World {
    let world = World::new(seed);
    let open = world.secret("open", "hunter2");
    fs::set_permissions(open, fs::Permissions::from_mode(0o644)).unwrap();
    world
}

/// How a check ends, and what it says.
fn checked(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(&Binaries::built().tokend);
    let output = command.args(arguments).arg("--config").arg(world.config()).stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_cannot_be_had_costs_its_profile_and_nobody_else() {
    let world = world(807);
    for case in &OUTSIDE {
        let begins = case.configure_with(&world, &[world.central("other")]);
        for (arguments, expected, how) in
            [(&["check"][..], Some(1), "error: "), (&["check", "--start"], Some(0), "warning: ")]
        {
            let (status, said) = checked(&world, arguments);
            assert_eq!(status, expected, "{arguments:?}: {said}");
            case.is_told_in(&said, &begins);
            assert!(said.contains(&format!("{how}{begins}")), "{said}");
        }
        let daemon = world.start();
        assert!(!world.ctl().token("other").is_empty());
        let shown = until("the profile says why", || {
            let row = world.ctl().status_of("campus").to_string();
            row.contains(&case.problem.replace('"', "\\\"")).then_some(row)
        });
        println!("{}: {shown}", case.what);
        assert!(daemon.log().contains(case.problem), "{}", daemon.log());
        let reloaded = world.ctl().run(&["reload"]);
        assert_eq!(reloaded.status, 0, "{}", reloaded.stderr);
        case.is_told_in(&reloaded.stderr, &begins);
        assert!(daemon.terminate().success());
        fs::remove_file(world.log()).unwrap();
    }
}

#[test]
fn a_secret_that_comes_later_is_read_without_a_reload() {
    let world = world(808);
    OUTSIDE[0].configure(&world);
    let _daemon = world.start();
    until("it says so", || world.ctl().status_of("campus").to_string().contains("does not exist").then_some(()));
    world.secret("gone", &world.population.central.client_secret);
    assert!(
        !until("it is read", || world.ctl().run(&["get", "campus"]).stdout.lines().next().map(str::to_owned))
            .is_empty()
    );
}

#[test]
fn a_reload_says_what_is_different() {
    let world = world(809);
    let rules = "[[access]]\nprofiles = [\"campus\"]\nusers = [77]";
    world.configure("", &[world.central("campus"), world.central("lab"), world.classic("legacy")]);
    let daemon = world.start();
    let reload = |format: &[&str]| {
        let ran = world.ctl().run(&[&["reload"][..], format].concat());
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        ran.stdout
    };
    assert_eq!(reload(&[]), "the new configuration is in force\nnothing has changed\n");
    let changed = ProfileText(world.classic("legacy").0 + "\nbefore = \"15m\"\n");
    world.configure(rules, &[world.central("campus"), changed, world.glp("msp", &[])]);
    let lines = [
        "profiles that are gone: lab",
        "profiles that are new: msp",
        "profiles that are changed: legacy",
        "the access rules are changed",
    ];
    assert_eq!(reload(&[]), format!("the new configuration is in force\n{}\n", lines.join("\n")));
    assert!(
        daemon.log().contains(&format!("the configuration was reloaded; {}", lines.join("; "))),
        "{}",
        daemon.log()
    );
    world.configure("", &[world.central("campus")]);
    let expected = serde_json::json!({
        "changes": ["profiles that are gone: legacy, msp", "the access rules are changed"],
        "warnings": [],
    });
    let json: serde_json::Value = serde_json::from_str(&reload(&["--output", "json"])).unwrap();
    assert_eq!(json, expected);
    world.configure("", &[world.central("campus")]);
    assert_eq!(reload(&["--output", "json"]), "{\"changes\":[],\"warnings\":[]}\n");
}

#[test]
fn many_reloads_at_once_are_few_and_the_last_file_is_in_force() {
    let world = world(810);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    for round in 0..20 {
        let name = format!("round{round}");
        world.configure("", &[world.central("campus"), world.central(&name)]);
        let asking: Vec<_> = (0..4).map(|_| world.ctl().start(&["reload"])).collect();
        daemon.signal(Signal::SIGHUP);
        world.configure("", &[world.central("campus"), world.central(&format!("{name}b"))]);
        assert_eq!(world.ctl().run(&["reload"]).status, 0);
        assert_eq!(world.ctl().status_of(&format!("{name}b"))["name"], format!("{name}b"), "what was asked for last");
        for asked in asking {
            let ran = asked.ended();
            assert!(ran.stderr.is_empty() || ran.status == 1, "{}", ran.stderr);
        }
        assert_eq!(world.ctl().status_of(&format!("{name}b"))["name"], format!("{name}b"), "and it stays");
    }
}

#[test]
fn check_and_start_say_what_is_wrong_and_where_and_nothing_is_started() {
    let world = world(801);
    for case in &CASES {
        let begins = case.configure(&world);
        for check in [&["check"][..], &["check", "--start"]] {
            let (status, said) = checked(&world, check);
            assert_eq!(status, Some(1), "{check:?}: {}: {said}", case.what);
            case.is_told_in(&said, &begins);
            println!("{}: {}", case.what, said.trim_end().replace(world.folder().to_str().unwrap(), "DIR"));
        }

        let log = world.path("start.log");
        let status = Daemon::spawn(&world.config(), &log, "info").ended();
        let said = fs::read_to_string(&log).unwrap();
        assert_eq!(status.code(), Some(1), "{}: {said}", case.what);
        case.is_told_in(&said, &begins);
        fs::remove_file(log).unwrap();

        assert!(!world.socket().exists() && !world.path("state").exists(), "{}", case.what);
    }
    assert_eq!(world.provider().provider().log().seen(), 0);
}

#[test]
fn check_of_a_good_configuration_says_so_and_starts_nothing() {
    let world = world(802);
    let profiles = [world.central("campus"), world.glp("msp", &["Acme Corp"]), world.classic_with_login("legacy")];
    world.configure("", &profiles);
    let (status, said) = checked(&world, &["check"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.ends_with("tokend.toml: good\n"), "{said}");
    assert!(!world.socket().exists() && !world.path("state").exists());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let world = world(803);
    let campus = world.central("campus").0.replace("client_id", "clientid");
    let legacy = world.classic("legacy").0.replace("\"classic\"", "\"clasic\"");
    world.configure("[refresh]\nat = 7", &[ProfileText(campus), ProfileText(legacy)]);
    let log = world.path("start.log");
    assert!(!Daemon::spawn(&world.config(), &log, "info").ended().success());
    let said = fs::read_to_string(&log).unwrap();
    for key in ["refresh.at: ", "profiles.campus.clientid: ", "profiles.legacy.kind: "] {
        assert!(said.contains(key), "{key} in {said}");
    }
}

#[test]
fn a_reload_of_a_bad_file_changes_nothing() {
    let world = world(804);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    let token = world.ctl().token("campus");
    let goes_on = |what: &str| {
        assert_eq!(world.ctl().token("campus"), token, "{what}");
        assert_eq!(world.ctl().run(&["get", "legacy"]).status, 5, "{what}");
    };
    for case in &CASES {
        let begins = case.configure(&world);
        let ran = world.ctl().run(&["reload"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{}: {}", case.what, ran.stderr);
        // One message of the daemon: its lines arrive as it wrote them.
        case.is_told_in(&ran.stderr, &begins);
        goes_on(case.what);
    }

    let begins = CASES[0].configure(&world);
    let refusals = || daemon.log().matches("the configuration was not reloaded").count();
    let before = refusals();
    assert_eq!(before, CASES.len());
    daemon.signal(Signal::SIGHUP);
    until("the daemon has refused it", || (refusals() > before).then_some(()));
    CASES[0].is_told_in(&daemon.log(), &begins);
    goes_on("SIGHUP");
    assert_eq!(world.provider().provider().count(Endpoint::CentralToken), 1, "no refusal cost a request");

    world.configure("", &[world.central("campus"), world.classic("legacy")]);
    let ran = world.ctl().run(&["reload"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(world.ctl().token("campus"), token, "a token survives the reload");
    assert_eq!(world.ctl().run(&["get", "legacy"]).status, 7, "the new profile is there");
}

#[test]
fn a_reload_cannot_move_the_socket_or_the_state() {
    let world = world(805);
    world.configure("", &[world.central("campus")]);
    let _daemon = world.start();
    let token = world.ctl().token("campus");
    for (key, from, to) in [
        ("server.socket", world.socket(), world.path("other.sock")),
        ("server.state_dir", world.path("state"), world.path("other")),
    ] {
        world.configure("", &[world.central("campus"), world.central("second")]);
        let text = fs::read_to_string(world.config()).unwrap();
        let quoted = |path: &std::path::Path| format!("\"{}\"", path.display());
        fs::write(world.config(), text.replace(&quoted(&from), &quoted(&to))).unwrap();
        let ran = world.ctl().run(&["reload"]);
        assert_eq!(ran.status, 1, "{key}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!(": {key}: cannot change")), "{}", ran.stderr);
        assert!(ran.stderr.contains("restart it, or change it back"), "{}", ran.stderr);
        println!("{}", ran.stderr.trim_end().replace(world.folder().to_str().unwrap(), "DIR"));
        assert!(!to.exists());
        assert_eq!(world.ctl().token("campus"), token);
        assert_eq!(world.ctl().run(&["get", "second"]).status, 5, "nothing of the file was applied");
    }
}

#[test]
fn a_reload_cannot_change_what_seals_the_state() {
    let world = World::new(806);
    let key =
        |name: &str, digits: &str| format!("[state]\nkey = {{ file = {:?} }}", world.secret(name, &digits.repeat(32)));
    let (one, other) = (key("one", "0a"), key("other", "0b"));
    world.configure(&one, &[world.central("campus")]);
    let _daemon = world.start();
    let token = world.ctl().token("campus");
    let file = world.config().display().to_string();
    // Its line is named; what is not said any more stands nowhere.
    for (more, place) in [(other.as_str(), format!("{file}:6: state.key: ")), ("", format!("{file}: state.key: "))] {
        world.configure(more, &[world.central("campus"), world.central("second")]);
        let ran = world.ctl().run(&["reload"]);
        assert_eq!(ran.status, 1, "{}", ran.stderr);
        let told = format!("{place}cannot change while tokend runs; restart it, or change it back");
        assert!(ran.stderr.contains(&told), "{}", ran.stderr);
        assert_eq!(world.ctl().token("campus"), token);
        assert_eq!(world.ctl().run(&["get", "second"]).status, 5, "nothing of the file was applied");
    }
    world.configure(&one, &[world.central("campus"), world.central("second")]);
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
}
