//! Each kind of token over HTTP: obtained, taken by the right API and refused by the wrong one, renewed in time by
//! nobody's request, and never expired in a reader's hands.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::thread;
use std::time::Duration;

use harness::reading::{Stop, read_frames, read_with_client};
use harness::{Api, PATIENCE, ProfileText, World, boot_ms, until};
use sandbox::{Credentials, Endpoint, Entry, Lives, Provider};
use tokend_proto::{Fingerprint, Secret};

const CENTRAL_API: &str = "/network-monitoring/v1/devices";
const GREENLAKE_API: &str = "/devices/v1/devices";
const CLASSIC_API: &str = "/monitoring/v1/devices";

/// A name and what the provider's log says of the requests for it.
struct Kind {
    name: String,
    endpoint: Endpoint,
    client_id: String,
    tenant: Option<String>,
}

/// A world with a profile of each kind. The two Classic profiles are two applications, so that the log tells them
/// apart.
struct Kinds {
    world: World,
    central: Kind,
    glp: Kind,
    warm: Kind,
    on_demand: Kind,
    imported: Kind,
    logged_in: Kind,
}

impl Kinds {
    fn new(seed: u64, life: u64) -> Self {
        let world = World::new(seed);
        let people = &world.population;
        let kind = |name: &str, endpoint, client: &Credentials| Kind {
            name: name.to_owned(),
            endpoint,
            client_id: client.client_id.clone(),
            tenant: None,
        };
        let tenant = |index: usize| Kind {
            tenant: Some(people.tenants[index].0.clone()),
            ..kind(&format!("msp/{}", people.tenants[index].0), Endpoint::TenantExchange, &people.glp)
        };
        let second = world.provider().provider().add_classic_client();
        world.secret("second", &second.client_secret);
        let logged_in = ProfileText(
            world
                .classic_with_login("onprem")
                .0
                .replace(&people.classic.client_id, &second.client_id)
                .replace("classic.secret", "second.secret"),
        );
        world.provider().provider().set_lives(Lives::default().access_tokens(life));
        world.configure(
            "[providers]\nmax_requests_per_second = 100",
            &[world.central("campus"), world.glp("msp", &["Acme Corp"]), world.classic("legacy"), logged_in],
        );
        Self {
            central: kind("campus", Endpoint::CentralToken, &people.central),
            glp: kind("msp", Endpoint::WorkspaceToken, &people.glp),
            warm: tenant(0),
            on_demand: tenant(1),
            imported: kind("legacy", Endpoint::ClassicRefresh, &people.classic),
            logged_in: kind("onprem", Endpoint::ClassicRefresh, &second),
            world,
        }
    }

    fn all(&self) -> [&Kind; 6] {
        [&self.central, &self.glp, &self.warm, &self.on_demand, &self.imported, &self.logged_in]
    }

    fn names(&self) -> Vec<String> {
        self.all().map(|kind| kind.name.clone()).to_vec()
    }

    /// The first Classic chain begins, from a file as the web interface gives it.
    fn import(&self) {
        let file = self.world.download_token("download.json");
        let ran = self.world.ctl().run(&["import", "legacy", file.to_str().unwrap()]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
}

impl Kind {
    /// The requests that brought a token, oldest first. For a login, its third step too.
    fn issues<'a>(&'a self, provider: &'a Provider) -> impl Iterator<Item = &'a Entry> {
        let of_kind = |entry: &&Entry| {
            let here = entry.endpoint == self.endpoint
                || (self.endpoint == Endpoint::ClassicRefresh && entry.endpoint == Endpoint::ClassicCode);
            let ours = entry.client_id.as_ref() == Some(&self.client_id) && entry.tenant == self.tenant;
            here && ours && entry.issued.is_some()
        };
        provider.log().entries().filter(of_kind)
    }
}

/// By its name the first to be started: the others then run beside it.
#[test]
fn a_reader_in_a_tight_loop_gets_no_expired_token_in_twenty_lives() {
    const LIFE: u64 = 3;
    const LIVES: u64 = 20;
    let kinds = Kinds::new(24, LIFE);
    let world = &kinds.world;
    let daemon = world.start();
    kinds.import();
    let (names, socket) = (kinds.names(), world.socket());
    for name in &names {
        let _ = world.ctl().token(name);
    }
    let began = boot_ms();
    let stop = Stop::default();
    let (frames, client) = thread::scope(|scope| {
        let stop_now = stop.on_drop();
        let frames = scope.spawn(|| read_frames(&socket, &names, &stop, Some(world)));
        let client = scope.spawn(|| read_with_client(&socket, &names, Duration::ZERO, &stop, Some(world)));
        let lives = Duration::from_secs(LIFE * LIVES);
        let enough = |provider: &Provider| {
            let lived = boot_ms() - began >= LIFE * LIVES * 1000;
            lived && kinds.all().iter().all(|kind| kind.issues(provider).count() as u64 >= LIVES)
        };
        // A loop that has complained enough has ended.
        let given_up = || frames.is_finished() || client.is_finished();
        let _ = world.provider().wait_until(lives + PATIENCE, |provider| given_up() || enough(provider));
        drop(stop_now);
        (frames.join().unwrap(), client.join().unwrap())
    });
    println!("{} ms of lives of {LIFE} s", boot_ms() - began);
    frames.assert_well("frames", LIVES as usize);
    client.assert_well("client", LIVES as usize);
    assert!(daemon.terminate().success());
}

#[test]
fn each_kind_is_taken_by_its_own_api_and_refused_by_the_others() {
    let kinds = Kinds::new(21, 7200);
    let world = &kinds.world;
    let daemon = world.start();
    kinds.import();
    let (ctl, api) = (world.ctl(), Api::new(world.base_url()));
    let [own, other] =
        [0, 1].map(|tenant| format!("/network-monitoring/v1/tenants/{}/devices", world.population.tenants[tenant].0));
    // In this order: New Central, GreenLake, Classic, Acme Corp in New Central, Globex in New Central.
    let expected = [
        ("campus", [200, 401, 401, 403, 403]),
        ("msp", [200, 200, 401, 403, 403]),
        ("msp/Acme Corp", [200, 200, 401, 200, 403]),
        ("msp/Globex", [200, 200, 401, 403, 200]),
        ("legacy", [401, 401, 200, 401, 401]),
        ("onprem", [401, 401, 200, 401, 401]),
    ];
    for (name, expected) in expected {
        let token = ctl.token(name);
        let statuses = [CENTRAL_API, GREENLAKE_API, CLASSIC_API, &own, &other].map(|path| api.status(path, &token));
        println!("{name}: {statuses:?}");
        assert_eq!(statuses, expected, "{name}");
    }
    assert!(daemon.terminate().success());
}

#[test]
fn each_kind_is_renewed_in_time_while_nobody_reads() {
    const LIFE: u64 = 9;
    let kinds = Kinds::new(22, LIFE);
    let world = &kinds.world;
    let daemon = world.start();
    kinds.import();
    let ctl = world.ctl();
    // An on-demand tenant is not kept without readers: it has a test of its own.
    let kept = [&kinds.central, &kinds.glp, &kinds.warm, &kinds.imported, &kinds.logged_in];
    let first: Vec<Fingerprint> = kept.map(|kind| Fingerprint::of(&Secret::new(ctl.token(&kind.name)))).to_vec();

    // From here on nobody speaks to the daemon.
    let renewed = |provider: &Provider| kept.iter().all(|kind| kind.issues(provider).count() >= 4);
    assert!(world.provider().wait_until(PATIENCE, renewed), "{:#?}", world.provider().provider().log().counts());

    for (kind, first) in kept.iter().zip(first) {
        let provider = world.provider().provider();
        let issues: Vec<&Entry> = kind.issues(&provider).collect();
        assert!(issues.iter().any(|entry| entry.issued == Some(first)), "{}: the first token is not there", kind.name);
        let apart: Vec<u64> = issues.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        println!("{}: {} tokens of {LIFE} s, issued {apart:?} ms apart", kind.name, issues.len());
        assert!(apart.iter().all(|apart| *apart < LIFE * 1000), "{}: {apart:?}\n{}", kind.name, daemon.log());
        // A third, as the life of a token by login counts from the first of three steps a second apart.
        assert!(apart.iter().all(|apart| *apart > LIFE * 1000 / 3), "{}: renewed far too often: {apart:?}", kind.name);
    }
    let api = Api::new(world.base_url());
    for (kind, path) in kept.iter().zip([CENTRAL_API, GREENLAKE_API, GREENLAKE_API, CLASSIC_API, CLASSIC_API]) {
        // A Classic token may be overtaken by its rotation on the way; the next one then is not.
        until("the renewed token is taken", || (api.status(path, &ctl.token(&kind.name)) == 200).then_some(()));
    }
    assert!(daemon.terminate().success());
}

#[test]
fn a_tenant_on_demand_is_renewed_once_after_it_was_read_and_then_let_go() {
    let kinds = Kinds::new(23, 6);
    let world = &kinds.world;
    let daemon = world.start();
    let issues = |provider: &Provider| kinds.on_demand.issues(provider).count();
    let workspace = |provider: &Provider| kinds.glp.issues(provider).count();
    assert!(world.provider().wait_until(PATIENCE, |provider| workspace(provider) >= 1));
    assert_eq!(issues(&world.provider().provider()), 0, "nobody has asked for it");

    let token = world.ctl().token(&kinds.on_demand.name);
    assert!(world.provider().wait_until(PATIENCE, |provider| issues(provider) == 2), "it was read, so it is renewed");
    let (expired, apart) = {
        let provider = world.provider().provider();
        let at: Vec<u64> = kinds.on_demand.issues(&provider).map(|entry| entry.at).collect();
        (provider.expires_at(&token).unwrap(), at[1] - at[0])
    };
    println!("renewed after {apart} ms of 6000");
    assert!(apart < 6_000, "renewed after {apart} ms, when it had expired");

    // Its parent goes on being renewed; when that has happened three times more, two lives of the tenant's have passed.
    let renewals = workspace(&world.provider().provider());
    assert!(world.provider().wait_until(PATIENCE, |provider| workspace(provider) >= renewals + 3));
    assert!(world.provider().now() > expired + 6_000);
    assert_eq!(issues(&world.provider().provider()), 2, "nobody has read the second token, so there is no third");

    // And a peer that comes back is served.
    let again = world.ctl().token(&kinds.on_demand.name);
    assert!(world.provider().provider().accepts(world.provider().now(), &again));
    assert_eq!(issues(&world.provider().provider()), 3);
    assert!(daemon.terminate().success());
}
