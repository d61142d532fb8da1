//! Load through the real socket: what stuck, greedy and too many connections do to those that behave.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use harness::{Daemon, Procfs, World, raise_descriptor_limit, until};
use load::{Habit, Line, Manner, Slice, StuckPeers};
use nix::unistd::geteuid;

/// Stuck connections, as the promise has it.
const STUCK: usize = 1_000;

/// Triples of slices, of each [`Beside`] in turn.
const ROUNDS: usize = 5;

/// How long a slice is.
const SLICE: Duration = Duration::from_millis(300);

/// Who is there beside those that behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    /// Connections that are stuck in no other way than that nothing comes. To keep them costs the test as much of the
    /// processors as to keep the others.
    Silent,
    Stuck,
}

impl Beside {
    const ALL: [Self; 3] = [Self::Nobody, Self::Silent, Self::Stuck];

    fn manners(self) -> &'static [Manner] {
        match self {
            Self::Nobody => &[],
            Self::Silent => &[Manner::Silent],
            Self::Stuck => &Manner::ALL,
        }
    }
}

/// How many times as long as beside others a share of the reads may take beside the crowd that is stuck. The slowest
/// are what the scheduler makes of the test's own thread that keeps a crowd, so that it has to keep one for both. The
/// slowest hundredth says more of a busy machine than of the daemon.
const MOST: [(usize, Beside, f64); 2] = [(50, Beside::Nobody, 3.0), (90, Beside::Silent, 3.0)];

/// Measurements at most until one keeps to these: on a machine that is busy with other things one may not.
const MEASUREMENTS: usize = 3;

#[test]
fn a_thousand_stuck_connections_do_not_hold_up_who_behaves() {
    raise_descriptor_limit();
    let world = World::new(31);
    world.configure(&format!("max_connections_per_uid = {}", 2 * STUCK), &[world.central("campus")]);
    let _daemon = world.start();
    let _ = world.ctl().token("campus");

    let socket = world.socket();
    let of = |habit, peers, span| Slice::of(&socket, "campus", habit, peers, span);
    let mut errors = Vec::new();
    let mut answered = 0;
    let habits = [("one connection kept", Habit::Stays, 4), ("a new one each time", Habit::ComesAndGoes, 2)];
    let mut slower = Vec::new();
    for measurement in 1..=MEASUREMENTS {
        // By habit, then by who was there beside.
        let mut slices: [[Vec<Slice>; 3]; 2] = Default::default();
        for round in 0..ROUNDS {
            for turn in 0..Beside::ALL.len() {
                let beside = Beside::ALL[(turn + round) % Beside::ALL.len()];
                let manners = beside.manners();
                let peers = (!manners.is_empty()).then(|| StuckPeers::gather(&socket, "campus", STUCK, manners));
                // Not measured: the daemon may still be clearing away the last peers.
                errors.extend(of(Habit::ComesAndGoes, 1, SLICE).errors);
                for (at, (_, habit, peers)) in habits.into_iter().enumerate() {
                    slices[at][beside as usize].push(of(habit, peers, SLICE));
                }
                drop(peers);
            }
        }
        slower.clear();
        for ((habit, ..), slices) in habits.into_iter().zip(&mut slices) {
            for (share, base, most) in MOST {
                // The best slice: what the daemon adds it adds in each, what a busy machine adds in some.
                let [base_took, stuck] = [base, Beside::Stuck].map(|at| {
                    slices[at as usize].iter().map(|slice| slice.within(share)).min().expect("each round has a slice")
                });
                let factor = stuck.as_secs_f64() / base_took.as_secs_f64();
                let line = format!(
                    "p{share}, {habit}: {base_took:?} beside {base:?}, {stuck:?} beside {STUCK} stuck connections, factor \
                     {factor:.2}, expected {most} at most"
                );
                println!("measurement {measurement}: {line}");
                slower.extend((factor > most).then_some(line));
            }
            for slice in slices.iter_mut().flatten() {
                answered += slice.answered();
                errors.append(&mut slice.errors);
            }
        }
        if slower.is_empty() {
            break;
        }
    }
    assert_eq!(slower, [""; 0], "in each of {MEASUREMENTS} measurements");

    // Now past the limits: the daemon closes them and they come back.
    let peers = StuckPeers::gather(&socket, "campus", STUCK, &Manner::ALL);
    let reopened = until("each that is stuck past a limit is closed", || {
        let slice = of(Habit::Stays, 4, SLICE);
        answered += slice.answered();
        errors.extend(slice.errors);
        let reopened = peers.reopened();
        let of = |manner: &Manner| reopened.0[*manner as usize];
        let limited = Manner::ALL.iter().filter(|manner| **manner != Manner::Silent);
        limited.map(of).all(|times| times >= STUCK / 3).then_some(reopened)
    });
    println!("{reopened:?}");
    println!("{answered} reads in all, {} errors", errors.len());
    assert!(errors.is_empty(), "{} errors, the first: {}", errors.len(), errors[0]);
    assert_eq!(reopened.0[Manner::Silent as usize], 0, "a silent connection has five minutes");
}

/// A process of another user that takes all the connections it can get, and goes on trying if that is not all it wants.
struct Greedy {
    child: Child,
    says: BufReader<ChildStdout>,
    /// Connections that it has.
    held: usize,
    /// Connections that it was refused by the limit of its user, and by that of all.
    refused: [usize; 2],
}

impl Greedy {
    fn start(world: &World, uid: u32, tries: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_greedy"))
            .arg(world.socket())
            .args([uid.to_string(), tries.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        let mut greedy = Self { child, says, held: 0, refused: [0, 0] };
        [greedy.held, greedy.refused[0], greedy.refused[1]] = greedy.read();
        greedy
    }

    /// Ends its attempts; says how many more were refused meanwhile, and how many were not. What it has it keeps.
    fn stop(&mut self) -> (usize, usize) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let [granted, of_user, of_all] = self.read();
        (of_user + of_all, granted)
    }

    /// Ends it.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn read(&mut self) -> [usize; 3] {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        let numbers: Vec<usize> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap_or_else(|_| panic!("a greedy peer says {line:?}"))
    }
}

impl Drop for Greedy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn one_users_greed_is_nobody_elses_concern() {
    if !geteuid().is_root() {
        return skipped::because("only root can be several users");
    }
    let world = World::new(32);
    world.configure("max_connections = 200\nmax_connections_per_uid = 100", &[world.central("campus")]);
    let _daemon = world.start();
    let _ = world.ctl().token("campus");
    // Other users have to get to the socket.
    fs::set_permissions(world.folder(), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(world.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    // No limit of ours may be mistaken for one of the daemon's.
    raise_descriptor_limit();

    let first = Greedy::start(&world, 54_321, 150);
    assert_eq!((first.held, first.refused), (100, [50, 0]), "a hundred for one user, and then a clear refusal");
    let other = Greedy::start(&world, 54_322, 20);
    assert_eq!((other.held, other.refused), (20, [0, 0]), "another user gets what it asks for");
    // 64 of the 200 are kept for root and the daemon's user.
    let third = Greedy::start(&world, 54_323, 50);
    assert_eq!((third.held, third.refused), (16, [0, 34]), "136 for everybody but root");

    let slice = Slice::of(&world.socket(), "campus", Habit::ComesAndGoes, 2, Duration::from_secs(1));
    println!("root among the greedy: {} connections, p99 {:?}", slice.answered(), slice.within(99));
    assert!(slice.errors.is_empty(), "{} errors, the first: {}", slice.errors.len(), slice.errors[0]);
    let ctl = world.ctl();
    assert_eq!(ctl.run(&["ping"]).status, 0, "an operator gets in");
    let mut greedy = [first, other, third];
    for (at, greedy) in greedy.iter_mut().enumerate() {
        let (refused, granted) = greedy.stop();
        println!("refused meanwhile: {refused}");
        // The second one has what it wants.
        assert_eq!(refused > 0, at != 1, "it was trying all the time");
        assert_eq!(granted, 0, "and never got more than its share");
    }
    greedy.into_iter().for_each(Greedy::end);
    // The daemon hears of each end by itself.
    until("what they had is free again", || {
        let late = Greedy::start(&world, 54_323, 50);
        let all = late.refused == [0, 0];
        let held = late.held;
        late.end();
        all.then(|| assert_eq!(held, 50))
    });
}

#[test]
fn a_hard_limit_of_descriptors_that_is_too_low_is_an_error_at_start() {
    let world = World::new(33);
    world.configure("", &[world.central("campus")]);
    // sh(1): the limit is lowered for the daemon alone.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 1000 && exec \"$0\" --config \"$1\""]);
    command.arg(&harness::Binaries::built().tokend).arg(world.config());
    let daemon = Daemon::launch(&mut command, &world.log());
    assert_eq!(daemon.ended().code(), Some(1));
    let said = fs::read_to_string(world.log()).unwrap();
    assert_eq!(
        said,
        "tokend: 4096 connections and what goes on beside them need 4255 file descriptors and the hard limit is 1000: raise \
         it (`LimitNOFILE=4255` in the unit, `ulimit -Hn`), or lower `max_connections`\n"
    );
    assert!(!world.socket().exists(), "nothing was begun");
}

/// Connections there are when the limit is lowered below their number.
const HELD: usize = 40;

/// Which then is this: room for what the daemon has open itself, some twenty, and for the few that are there in the
/// end.
const LOWERED_TO: usize = 38;

/// Connections that come then. The limit is one of numbers, setrlimit(2): when the daemon closes something older, such
/// as an idle connection to the provider, its number is below the limit and goes to one of these.
const NEWCOMERS: usize = 8;

#[test]
fn when_descriptors_run_out_peers_are_served_and_accepting_recovers() {
    let world = World::new(34);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    let _ = world.ctl().token("campus");
    let inside = Procfs::of(daemon.pid());
    let mut held: Vec<Line> = (0..HELD).map(|_| Line::open(&world.socket(), "campus").unwrap()).collect();
    // Each is accepted by now, not just queued.
    held.iter_mut().for_each(|line| line.ask().unwrap());

    let limit = format!("--nofile={LOWERED_TO}:{LOWERED_TO}");
    match Command::new("prlimit").args(["--pid", &daemon.pid().to_string(), &limit]).status() {
        Ok(status) => assert!(status.success(), "prlimit ended with {status}"),
        Err(error) => return skipped::because(format!("prlimit(1) of util-linux cannot be run: {error}")),
    }
    let socket = world.socket();
    let come = || {
        let socket = socket.clone();
        // It keeps its connection, and with it the number.
        std::thread::spawn(move || Line::open(&socket, "campus").and_then(|mut line| line.ask().map(|()| line)))
    };
    let newcomers: Vec<_> = std::iter::repeat_with(come).take(NEWCOMERS).collect();
    until("accepting fails", || daemon.log().contains("connections cannot be accepted for now").then_some(()));

    let before = inside.processor_time();
    for _ in 0..100 {
        held.iter_mut().for_each(|line| line.ask().unwrap());
    }
    let working = inside.processor_time() - before;
    // A span to measure over, not a wait for anything.
    const SPAN: Duration = Duration::from_secs(3);
    let before = inside.processor_time();
    std::thread::sleep(SPAN);
    let idle = inside.processor_time() - before;
    println!(
        "out of descriptors: {working:?} of processor time for {} reads, {idle:?} in {SPAN:?} of rest",
        HELD * 100
    );
    assert!(newcomers.iter().any(|newcomer| !newcomer.is_finished()), "there were descriptors for all of them");
    assert!(idle < SPAN / 20, "waiting for descriptors took {idle:?} of processor time in {SPAN:?}");

    held.truncate(3);
    let mut served: Vec<Line> = newcomers.into_iter().map(|newcomer| newcomer.join().unwrap().unwrap()).collect();
    served.iter_mut().for_each(|line| line.ask().unwrap());
    until("it is said", || daemon.log().contains("connections are accepted again").then_some(()));
    held.iter_mut().for_each(|line| line.ask().unwrap());
    assert!(daemon.terminate().success());
}
