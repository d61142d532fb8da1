//! A provider that is odd, with a real daemon: what an answer brings is kept, nothing is asked for without end, and a
//! verdict is taken from nobody but the provider.

#![allow(clippy::unwrap_used, reason = "a test")]

mod bodies;
mod heads;
mod lists;
mod loops;
mod pairs;
mod verdicts;

use std::thread;
use std::time::Duration;

use harness::{PATIENCE, ProfileText, World, within};
use sandbox::{Credentials, Endpoint, Fault, FaultRule, Odd, Quirks};

/// How long something is watched that must not go on and on.
const WATCHED: Duration = Duration::from_secs(20);

/// How long a second login would have come in, had there been a reason for one.
const SOON: Duration = Duration::from_secs(15);

/// A Classic application of its own, with a chain in it.
struct Chain {
    name: String,
    client: Credentials,
}

impl Chain {
    fn new(world: &World, name: &str) -> Self {
        let client = world.provider().provider().add_classic_client();
        Self { name: name.to_owned(), client }
    }

    fn profile(&self, world: &World) -> ProfileText {
        world.classic_of(&self.name, &self.client, false)
    }

    /// Imports a new Download Token; says what went wrong.
    fn begin(&self, world: &World) -> Result<(), String> {
        let now = world.provider().now();
        let token = world.provider().provider().download_token(now, &self.client.client_id).unwrap();
        let text = serde_json::to_string(&token).unwrap();
        let ran = world.ctl().run_with(&["import", &self.name, "-"], &text);
        if ran.status == 0 { Ok(()) } else { Err(ran.stderr) }
    }

    fn refresh(&self, world: &World) -> i32 {
        world.ctl().run(&["refresh", &self.name]).status
    }

    /// Waits until its record is settled; says how it is otherwise.
    fn settles(&self, world: &World) -> Result<(), String> {
        let state = || world.ctl().status_of(&self.name)["chain"]["state"].as_str().unwrap_or_default().to_owned();
        let settled = within(PATIENCE, Duration::from_millis(50), || (state() == "settled").then_some(()));
        settled.ok_or_else(|| format!("its chain is {}", state()))
    }

    /// The statuses of its refreshes so far.
    fn statuses(&self, world: &World) -> Vec<Option<u16>> {
        let provider = world.provider().provider();
        let of_client = |client: &Option<String>| client.as_deref() == Some(&*self.client.client_id);
        provider.log().of(Endpoint::ClassicRefresh).filter(|e| of_client(&e.client_id)).map(|e| e.status).collect()
    }

    /// A rotation works, and the provider takes what is served afterwards.
    fn goes_on(&self, world: &World) -> Result<(), String> {
        let ran = world.ctl().run(&["refresh", &self.name]);
        if ran.status != 0 {
            return Err(ran.stderr);
        }
        let token = world.ctl().run(&["get", &self.name]).stdout;
        let now = world.provider().now();
        match world.provider().provider().accepts(now, token.trim_end()) {
            true => Ok(()),
            false => Err("the provider does not take what is served".to_owned()),
        }
    }

    fn odd_once(&self, world: &World, odd: Odd) {
        let rule = FaultRule::new(Fault::Odd(odd)).at(Endpoint::ClassicRefresh).client(&self.client.client_id);
        world.provider().provider().add_fault(rule);
    }
}

/// Plays each case in a world of its own, all at the same time: most of it is waiting.
fn each<T: Send>(cases: impl IntoIterator<Item = T>, play: impl Fn(T) + Sync) {
    let play = &play;
    thread::scope(|scope| cases.into_iter().for_each(|case| drop(scope.spawn(move || play(case)))));
}

fn count(world: &World, endpoint: Endpoint) -> u64 {
    world.provider().provider().count(endpoint)
}

/// For as long as something is watched no more requests than these come to an endpoint.
fn stays_below(world: &World, most: u64, endpoint: Endpoint) {
    let over = world.provider().wait_until(WATCHED, |provider| provider.count(endpoint) > most);
    println!("{endpoint:?}: {} requests in {WATCHED:?}", count(world, endpoint));
    assert!(!over, "more than {most} requests to {endpoint:?} in {WATCHED:?}: {:?}", {
        let provider = world.provider().provider();
        let at: Vec<_> = provider.log().of(endpoint).map(|entry| entry.at).collect();
        at
    });
}

fn quirks(world: &World, quirks: Quirks) {
    world.provider().provider().set_quirks(quirks);
}
