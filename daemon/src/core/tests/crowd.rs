//! Many who ask: what one more of them costs, and what each user may have.

use tokend_proto::WorkspaceId;

use super::*;
use crate::access::policy::Rule;
use crate::core::provider::TenantPage;
use crate::core::report::page::{Part, Rest};

const PROFILE: &str = "campus";
const ROOT: u32 = 0;

impl Rig {
    fn get_as(&mut self, uid: u32, name: &str) -> WaiterId {
        self.ask_as(uid, Question::Get { name: token_name(name), min_ttl: secs(0), wait: secs(600) })
    }

    /// One more question, of which only what it does at once is looked at.
    fn ask_alone(&mut self, question: Question) -> WaiterId {
        self.waiters += 1;
        let waiter = WaiterId(self.waiters);
        self.core.ask(self.now, waiter, Asker { uid: 1_000, superuser: false }, question);
        waiter
    }
}

/// Whose request failed, with so many who wait for the next one.
fn in_an_outage(waiting: u64) -> Rig {
    let mut rig = Rig::new(&[fixture::central(PROFILE)]);
    rig.fail(FailureKind::Transient);
    for uid in 0..waiting {
        rig.get_as(uid as u32, PROFILE);
    }
    assert_eq!(rig.core.sizes().waiting as u64, waiting);
    rig
}

fn id(at: u64) -> WorkspaceId {
    format!("{:032x}", 0x1000 + at).parse().expect("an id")
}

fn tenant(at: u64) -> String {
    format!("msp/{}", id(at))
}

/// A workspace with so many tenants, none of which is warm, and its token.
fn workspace(tenants: u64) -> Rig {
    let mut rig = Rig::new(&[fixture::glp("msp", &[])]);
    rig.grant(900);
    rig.tenants("msp");
    let items = (0..tenants).map(|at| (id(at), format!("Tenant {at}"))).collect();
    rig.answer(Answer::Tenants(TenantPage { total: tenants, received: tenants, items }));
    rig
}

#[test]
fn one_who_comes_or_goes_is_looked_at_alone() {
    let mut rig = in_an_outage(1_000);
    let name = token_name(PROFILE);
    let question = Question::Get { name: name.clone(), min_ttl: secs(0), wait: secs(600) };
    let waiter = rig.ask_alone(question);
    assert!(rig.is_waiting(waiter) && rig.core.dirty.is_empty());
    rig.core.forget(waiter);
    assert!(rig.core.dirty.is_empty());
    let hasty = rig.ask_alone(Question::Get { name, min_ttl: secs(0), wait: secs(0) });
    assert!(rig.core.dirty.is_empty());
    rig.handle(Input::Tick);
    assert_eq!(rig.code(hasty), ErrorCode::Unavailable);
    assert_eq!(rig.core.sizes().waiting, 1_000);
    rig.pass(secs(600));
    assert_eq!((rig.core.sizes().waiting, rig.core.sizes().waiters), (0, 0), "each has its time");
}

#[test]
fn all_who_wait_are_looked_at_when_their_name_is_another_thing() {
    let mut rig = in_an_outage(300);
    rig.provider_is_up(secs(10), 7200);
    assert!((0..300).all(|at| rig.given(WaiterId(at + 1)) == "access-1"));
    assert_eq!(rig.core.sizes().waiting, 0);
}

#[test]
fn a_token_that_is_read_for_the_first_time_is_looked_at_once_more() {
    let mut rig = workspace(1);
    rig.get_as(1_000, &tenant(0));
    rig.grant(900);
    rig.read = false;
    // Not read since its last renewal, and about to be let go.
    while rig.left(&tenant(0)) > secs(100) {
        rig.provider_is_up(secs(10), 900);
    }
    let waiter = rig.get_as(1_000, &tenant(0));
    let before = rig.given(waiter).to_owned();
    rig.provider_is_up(secs(90), 900);
    assert!(rig.token_cache(&tenant(0)).is_some_and(|(token, _)| token != before), "it was renewed ahead");
}

#[test]
fn a_user_has_a_share_of_the_tenants_on_demand_and_root_some_that_are_kept() {
    let mut rig = workspace(3_000);
    let mut next = 0;
    let mut take_all = |rig: &mut Rig, uid: u32| {
        for taken in 0.. {
            let waiter = rig.get_as(uid, &tenant(next));
            if let Some(Outcome::Error(error)) = rig.outcomes.get(&waiter) {
                return (taken, error.message.clone());
            }
            next += 1;
        }
        unreachable!("there is an end")
    };
    let (taken, why) = take_all(&mut rig, 1_000);
    assert_eq!(taken, 1_024);
    assert!(why.starts_with("user 1000 has 1024 on-demand tenants of profile msp already"), "{why}");
    assert_eq!(take_all(&mut rig, 1_001).0, 512);
    for uid in 2_000..2_600 {
        take_all(&mut rig, uid);
    }
    let (taken, why) = take_all(&mut rig, 3_000);
    assert!(taken == 0 && why.starts_with("profile msp keeps 2112"), "{why}");
    assert_eq!(take_all(&mut rig, ROOT).0, 64);
    let own = rig.get_as(3_000, &tenant(0));
    assert!(rig.is_waiting(own), "what there is may be asked for by everybody");
}

#[test]
fn a_tenant_on_demand_gives_its_place_back() {
    let mut rig = workspace(1);
    for _ in 0..3 {
        rig.get_as(1_000, &tenant(0));
        rig.grant(900);
        assert_eq!(rig.core.profiles.values().map(|state| state.on_demand.taken()).sum::<usize>(), 1);
        rig.read = false;
        rig.provider_is_up(secs(3_000), 900);
        assert_eq!(rig.core.names.len(), 1);
        assert_eq!(rig.core.profiles.values().map(|state| state.on_demand.taken()).sum::<usize>(), 0);
        rig.tenants("msp");
        while !rig.sent.is_empty() {
            rig.answer(Answer::Tenants(TenantPage { total: 1, received: 1, items: vec![(id(0), "T".into())] }));
        }
    }
}

#[test]
fn a_tenant_that_is_watched_counts_for_one_who_watches_it() {
    let mut rig = workspace(1);
    let name = token_name(&tenant(0));
    let place = |rig: &Rig| rig.core.names[&name].place_of;
    rig.get_as(1_000, &tenant(0));
    assert_eq!(place(&rig), Some(1_000));
    let first = rig.ask_as(1_001, Question::Watch { name: name.clone() });
    let second = rig.ask_as(1_002, Question::Watch { name: name.clone() });
    assert_eq!(place(&rig), Some(1_001));
    rig.handle(Input::Leave(first));
    assert_eq!(place(&rig), Some(1_002));
    rig.handle(Input::Leave(second));
    assert_eq!(place(&rig), Some(1_002), "until it is let go");
    assert_eq!(rig.core.profiles.values().map(|state| state.on_demand.taken()).sum::<usize>(), 1);
    rig.configure(&[fixture::glp("msp", &[&id(0).to_string()])]);
    assert_eq!((place(&rig), rig.core.names[&name].warm), (None, true));
    rig.configure(&[fixture::glp("msp", &[])]);
    assert!(place(&rig).is_some(), "of nobody");
}

/// All parts of a list, put one behind the other, and how many questions that took.
fn all_parts(rig: &Rig, reader: &Reader, room: usize) -> (Vec<String>, usize) {
    let (mut all, mut after, mut questions) = (Vec::new(), None, 0);
    loop {
        questions += 1;
        let page = Box::new(Page { reader: reader.clone(), after: after.clone(), room });
        let found = rig.core.query(rig.now, &Query::Status { page });
        let Ok(View::Status(Part { entries, rest })) = found else { panic!("no status") };
        assert!(entries.len() <= room);
        all.extend(entries.into_iter().map(|entry| entry.name));
        after = match rest {
            Rest::Nothing => return (all, questions),
            Rest::More => all.last().map(|name| token_name(name)),
            Rest::After(name) => Some(name),
        };
    }
}

#[test]
fn a_page_costs_no_more_however_many_names_there_are_and_however_few_may_be_read() {
    let warm: Vec<String> = (0..1_000).map(|at| id(at).to_string()).collect();
    let warm: Vec<&str> = warm.iter().map(String::as_str).collect();
    let rig = Rig::new(&[fixture::glp("msp", &warm), fixture::central("zebra")]);
    let everything = page::<TokenName>(None, 0).reader;
    let (all, questions) = all_parts(&rig, &everything, 100);
    assert_eq!((all.len(), questions), (1_002, 11));
    assert!(all.is_sorted_by_key(|name| token_name(name)));

    let patterns = [tenant(999), "zebra".to_owned()];
    let rule = Rule {
        profiles: patterns.iter().map(|pattern| pattern.parse().expect("a pattern")).collect(),
        users: vec![1_000],
        ..Rule::default()
    };
    let access = Arc::new(Access::new(vec![rule], 990));
    let few = Reader { access, peer: PeerIdentity { uid: 1_000, ..PeerIdentity::default() } };
    let (some, questions) = all_parts(&rig, &few, 100);
    assert_eq!((some, questions), (patterns.to_vec(), 4), "each looks at 256 names");
}

#[test]
fn a_page_that_ends_where_the_names_end_says_so() {
    let rig = Rig::new(&[fixture::central("a"), fixture::central("b")]);
    for (room, rest) in [(1, Rest::More), (2, Rest::Nothing), (0, Rest::More)] {
        let found = rig.core.query(rig.now, &Query::Status { page: page(None, room) });
        let Ok(View::Status(part)) = found else { panic!("no status") };
        assert_eq!((part.entries.len(), part.rest), (room, rest));
    }
}
