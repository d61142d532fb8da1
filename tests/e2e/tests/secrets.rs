//! Where secrets are not: the log, other processes' reach, children, and what is left of them in memory.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use harness::{Binaries, Daemon, Procfs, ProfileText, World, copies, until};
use nix::unistd::geteuid;
use sandbox::{Lives, Population};

/// Tokens of each name that are obtained one after the other.
const GENERATIONS: usize = 5;

/// Copies of all replaced tokens together that may be left, whole or in part: none of ours, but the HTTP library does
/// not wipe what it frees, and what it wrote or read stays until the allocator gives the place to somebody else. Seen
/// were none to two. One kind of copy of ours that is not wiped is six or more.
const MOST_LEFT: usize = 4;

#[test]
fn replaced_secrets_are_neither_logged_nor_kept() {
    let world = World::new(51);
    world.provider().provider().set_lives(Lives::default().access_tokens(3));
    world.configure("", &[world.central("campus"), world.glp("msp", &["Acme Corp"]), world.classic("legacy")]);
    let daemon = Daemon::start(&world.config(), &world.socket(), &world.log(), "trace");
    let ctl = world.ctl();
    let download = world.download_token("download.json");
    assert_eq!(ctl.run(&["import", "legacy", download.to_str().unwrap()]).status, 0);
    let mut tokens: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut refresh_tokens: Vec<String> = vec![refresh_token(&fs::read_to_string(download).unwrap()).unwrap()];
    for _ in 0..GENERATIONS {
        for name in ["campus", "msp", "msp/Acme Corp", "legacy"] {
            let known = tokens.entry(name).or_default();
            known.push(until("a new token", || Some(ctl.token(name)).filter(|token| !known.contains(token))));
            for token in stored_refresh_tokens(&world.path("state")) {
                if !refresh_tokens.contains(&token) {
                    refresh_tokens.push(token);
                }
            }
        }
    }
    // A secret is rolled over. The texts of one reading before the newest are kept, so that it is read twice.
    let old_secret = world.population.central.client_secret.clone();
    let reset = world.provider().provider().reset_credentials(&world.population.central.client_id).unwrap();
    world.secret("central", &reset.client_secret);
    for _ in 0..2 {
        assert_eq!(ctl.run(&["reload"]).status, 0);
        let last = tokens["campus"].last().unwrap().clone();
        let new = until("a token by the new secret", || Some(ctl.token("campus")).filter(|token| *token != last));
        tokens.get_mut("campus").unwrap().push(new);
    }
    assert!(refresh_tokens.len() > GENERATIONS, "the chain was rotated");
    // One more each, that is still the current one when its memory is looked at.
    world.provider().provider().set_lives(Lives::default());
    for (name, known) in &mut tokens {
        known.push(until("a token that stays", || {
            let token = ctl.token(name);
            let now = world.provider().now();
            let expires = world.provider().provider().expires_at(&token);
            expires.is_some_and(|at| at > now + 60_000).then_some(token)
        }));
    }

    let log = daemon.log();
    assert!(log.contains(" DEBUG "), "it says more than it would by default");
    let Population { classic, glp, .. } = &world.population;
    let all = tokens.values().flatten().chain(&refresh_tokens);
    let all = all.chain([&old_secret, &reset.client_secret, &classic.client_secret, &glp.client_secret]);
    for secret in all {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
    }

    let memory = match Procfs::of(daemon.pid()).memory() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return skipped::because("in part: only root can read the daemon's memory");
        }
        memory => memory.unwrap(),
    };
    let current = || tokens.values().filter_map(|all| all.last());
    let mut replaced: Vec<&str> = Vec::new();
    for all in tokens.values() {
        replaced.extend(all[..all.len() - 1].iter().map(String::as_str));
    }
    // The folder was read while the chain went on, and holds the previous record too: one of the last two is in use.
    replaced.extend(refresh_tokens[..refresh_tokens.len() - 2].iter().map(String::as_str));
    let number = replaced.len();
    replaced.extend(current().map(String::as_str));
    replaced.push(&old_secret);
    replaced.push(&classic.client_secret);
    let found = copies(&memory, &replaced);
    let (old, rest) = found.split_at(number);
    let (current, client_secrets) = rest.split_at(tokens.len());
    let left: usize = old.iter().sum();
    println!("{} MiB of memory; copies of each of {number} replaced tokens: {old:?}", memory.len() >> 20);
    println!("of each current token: {current:?}; of the old and of a current client secret: {client_secrets:?}");
    assert!(current.iter().all(|copies| *copies > 0), "what is served is found, or this test finds nothing");
    assert!(client_secrets[1] > 0, "what is used is found");
    assert_eq!(client_secrets[0], 0, "a client secret that was rolled over is gone");
    assert!(left <= MOST_LEFT, "{left} copies are left of what was replaced");
}

#[test]
fn nothing_is_left_of_a_reply_when_the_daemon_sleeps() {
    let world = World::new(54);
    world.configure("", &[world.central("campus"), world.glp("msp", &[])]);
    let daemon = world.start();
    let ctl = world.ctl();
    let token = ctl.token("campus");
    // What is read after it has its place in the buffer of replies.
    let other = ctl.token("msp");
    assert!(other.len() >= token.len(), "{} {}", other.len(), token.len());
    let found = || Some(copies(&Procfs::of(daemon.pid()).memory().ok()?, &[&token, &other])[0]);
    let Some(before) = found() else {
        return skipped::because("only root can read the daemon's memory");
    };
    assert!(before > 0, "what is served is found");
    for _ in 0..3 {
        assert_eq!(ctl.token("campus"), token);
        until("the daemon sleeps, and nothing is left of the reply", || (found() == Some(before)).then_some(()));
    }
}

fn stored_refresh_tokens(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // A file may be renamed meanwhile.
    files.filter_map(|path| refresh_token(&String::from_utf8_lossy(&fs::read(path).ok()?))).collect()
}

fn refresh_token(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("\"refresh_token\":\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// nobody.
const UID: u32 = 65_534;

#[test]
fn no_other_process_of_its_user_can_look_into_it() {
    let world = World::new(52);
    world.configure("", &[world.central("campus")]);
    let root = geteuid().is_root();
    let program = if root { as_nobody(&world) } else { Binaries::built().tokend.clone() };
    let by_its_user = |program: &Path| {
        let mut command = Command::new(program);
        if root {
            command.uid(UID).gid(UID);
        }
        command
    };
    let mut command = by_its_user(&program);
    command.arg("--config").arg(world.config()).env("LEGACY_SECRET", "hunter2");
    let mut daemon = Daemon::launch(&mut command, &world.log());
    daemon.listens(&world.socket());

    let inside = Procfs::of(daemon.pid());
    let core_size =
        inside.file("limits").lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    assert_eq!(core_size.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core_size}");
    // proc(5): the files of a process that is not dumpable belong to root.
    let environ = format!("/proc/{}/environ", daemon.pid());
    assert_eq!(fs::metadata(&environ).unwrap().uid(), 0);

    let read = |pid: &str, file: &str| {
        let path = format!("/proc/{pid}/{file}");
        by_its_user(Path::new("head")).args(["-c", "1", &path]).output().unwrap()
    };
    for file in ["environ", "mem", "maps"] {
        let output = read(&daemon.pid().to_string(), file);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("Permission denied"), "{file}: {said}");
    }
    // The same look into a process that has not forbidden it.
    let mut other = by_its_user(Path::new("sleep")).arg("60").spawn().unwrap();
    let output = read(&other.id().to_string(), "environ");
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(daemon.terminate().success());
}

/// Gives the world to nobody, with a copy of the daemon that nobody can start.
fn as_nobody(world: &World) -> std::path::PathBuf {
    let program = world.path("tokend");
    fs::copy(&Binaries::built().tokend, &program).unwrap();
    for entry in fs::read_dir(world.folder()).unwrap() {
        chown(entry.unwrap().path(), Some(UID), Some(UID)).unwrap();
    }
    chown(world.folder(), Some(UID), Some(UID)).unwrap();
    program
}

#[test]
fn a_command_gets_no_secret_in_its_arguments_or_environment() {
    let world = World::new(53);
    let (script, seen) = (world.path("fetch"), world.path("seen"));
    let text = format!(
        "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >{seen}\necho -- >>{seen}\ntr '\\0' '\\n' </proc/$$/cmdline >>{seen}\n\
         cat {secret}\n",
        seen = seen.display(),
        secret = world.path("central.secret").display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let by_command = world.central("campus").0.replace(
        &format!("{{ file = \"{}\" }}", world.path("central.secret").display()),
        &format!("{{ command = [\"{}\", \"central\"] }}", script.display()),
    );
    let by_variable = world
        .glp("msp", &[])
        .0
        .replace(&format!("{{ file = \"{}\" }}", world.path("glp.secret").display()), "{ env = \"GLP_SECRET\" }");
    world.configure("", &[ProfileText(by_command), ProfileText(by_variable)]);
    let mut command = Command::new(&Binaries::built().tokend);
    command.arg("--config").arg(world.config()).env_clear();
    let path = std::env::var("PATH").unwrap();
    command.envs([("PATH", path.as_str()), ("GLP_SECRET", &world.population.glp.client_secret), ("OTHER", "hunter2")]);
    let mut daemon = Daemon::launch(&mut command, &world.log());
    daemon.listens(&world.socket());
    let tokens = [world.ctl().token("campus"), world.ctl().token("msp")];

    let seen = fs::read_to_string(seen).unwrap();
    let (environment, arguments) = seen.split_once("--\n").unwrap();
    // A shell adds PWD and the like of its own, not to what it was started with.
    assert_eq!(environment, format!("PATH={path}\n"));
    assert_eq!(arguments, format!("/bin/sh\n{}\ncentral\n", script.display()));
    let line = Procfs::of(daemon.pid()).file("cmdline");
    let Population { central, glp, .. } = &world.population;
    for secret in [&central.client_secret, &glp.client_secret, &tokens[0], &tokens[1]] {
        assert!(!seen.contains(secret.as_str()) && !line.contains(secret.as_str()));
    }
    assert!(daemon.terminate().success());
}
