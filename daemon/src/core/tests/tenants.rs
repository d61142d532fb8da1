//! Tenants of an MSP workspace.

use super::*;
use crate::core::provider::TenantPage;

const WARM: &str = "msp/497f6eca62764993bfeb53cbbbba6f08";
const COLD: &str = "msp/000000000000000000000000000000c0";
const WARM_ID: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

fn rig() -> Rig {
    Rig::new(&[fixture::glp("msp", &[WARM_ID])])
}

fn page(total: u64, ids: &[(&str, &str)]) -> Answer {
    let items: Vec<_> = ids.iter().map(|(id, name)| (id.parse().expect("an id"), (*name).to_owned())).collect();
    Answer::Tenants(TenantPage { total, received: items.len() as u64, items })
}

fn both() -> Answer {
    page(2, &[(WARM_ID, "Acme Corp"), ("000000000000000000000000000000c0", "Cold Inc")])
}

fn subject(request: &ProviderRequest) -> &str {
    match &request.grant {
        Grant::Exchange { subject, .. } => subject.expose(),
        other => panic!("not an exchange: {other:?}"),
    }
}

/// With the parent's and the warm tenant's tokens, and the list.
fn settled() -> Rig {
    let mut rig = rig();
    rig.grant(900);
    rig.grant(900);
    let waiter = rig.tenants("msp");
    rig.answer(both());
    assert!(matches!(rig.outcome(waiter), Outcome::Tenants(part) if part.entries.len() == 2));
    rig
}

#[test]
fn a_warm_tenant_gets_its_token_for_its_parents() {
    let mut rig = rig();
    assert_eq!(rig.requests(), 1, "the parent first");
    rig.grant(900);
    let request = rig.grant(900);
    assert_eq!(subject(&request), "access-1");
    assert_eq!(rig.token_cache(WARM), Some(("access-2", ReadMode::Serve)));
    rig.provider_is_up(secs(9000), 900);
    assert!(rig.token_cache(WARM).is_some() && rig.token_cache("msp").is_some());
}

#[test]
fn an_on_demand_tenant_is_served_when_listed_and_let_go_when_unread() {
    let mut rig = settled();
    let waiter = rig.get(COLD);
    rig.grant(900);
    assert!(rig.given(waiter).starts_with("access-"));
    rig.read = false;
    // Serving it counted as a read: one renewal, and then nobody reads it any more.
    rig.provider_is_up(secs(700), 900);
    assert!(rig.token_cache(COLD).is_some());
    rig.provider_is_up(secs(1800), 900);
    assert_eq!(rig.token_cache(COLD), None);
    assert!(rig.core.names.len() == 2, "and nothing is kept of it");
    assert!(rig.token_cache(WARM).is_some());
}

#[test]
fn an_on_demand_tenant_that_is_read_is_renewed_ahead() {
    let mut rig = settled();
    rig.get(COLD);
    rig.read = true;
    for _ in 0..100 {
        rig.provider_is_up(secs(60), 900);
        assert!(rig.token_cache(COLD).is_some());
    }
}

#[test]
fn an_unknown_tenant_is_looked_up_once_a_minute_and_nothing_is_kept_of_it() {
    let mut rig = settled();
    let before = rig.requests();
    let unknown = "msp/000000000000000000000000000000ff";
    let waiter = rig.get(unknown);
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName, "the list is new");
    assert_eq!(rig.requests(), before);
    rig.pass(secs(61));
    let waiter = rig.get(unknown);
    assert_eq!(rig.requests(), before + 1, "now it is fetched again");
    rig.answer(both());
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
    for _ in 0..20 {
        let waiter = rig.get(unknown);
        assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
    }
    assert_eq!(rig.requests(), before + 1);
    assert_eq!(rig.core.names.len(), 2);
}

#[test]
fn a_workspace_name_resolves_unless_it_is_ambiguous() {
    let mut rig = rig();
    rig.grant(900);
    rig.grant(900);
    let resolve =
        |name: &str| Question::Resolve { profile: "msp".parse().expect("a profile"), workspace_name: name.into() };
    let waiter = rig.ask(resolve("Acme Corp"));
    rig.answer(page(
        3,
        &[
            (WARM_ID, "Acme Corp"),
            ("00000000000000000000000000000001", "Twin"),
            ("00000000000000000000000000000002", "Twin"),
        ],
    ));
    assert!(matches!(rig.outcome(waiter), Outcome::Resolved(name) if name.to_string() == WARM));
    let waiter = rig.ask(resolve("Twin"));
    assert_eq!(rig.code(waiter), ErrorCode::NoSuchName);
    assert!(rig.error(waiter).message.contains("00000000000000000000000000000001"), "{}", rig.error(waiter).message);
}

#[test]
fn the_list_comes_in_pages_and_a_page_without_news_is_an_error_not_a_loop() {
    let mut rig = rig();
    rig.grant(900);
    rig.grant(900);
    let waiter = rig.tenants("msp");
    rig.answer(page(3, &[(WARM_ID, "Acme Corp")]));
    let second = rig.answer(page(3, &[(WARM_ID, "Acme Corp")]));
    assert!(matches!(second.grant, Grant::ListTenants { offset: 1, .. }));
    assert!(rig.sent.is_empty(), "not asked again at once");
    rig.pass(secs(10));
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
    assert!(rig.error(waiter).message.contains("nothing new"), "{}", rig.error(waiter).message);
}

#[test]
fn a_warm_tenant_by_workspace_name_is_found_in_the_list() {
    let mut rig = Rig::new(&[fixture::glp("msp", &["Acme Corp", "Missing"])]);
    rig.grant(900);
    rig.answer(both());
    rig.grant(900);
    assert!(rig.token_cache(WARM).is_some());
    assert!(rig.notices.iter().any(|n| n.message.contains("Missing")));
}

#[test]
fn a_parent_with_enough_life_is_used_as_it_is() {
    let mut rig = settled();
    rig.pass(secs(580));
    rig.sent.clear();
    let waiter = rig.get(COLD);
    assert_eq!(rig.sent.len(), 1);
    assert_eq!(subject(&rig.sent[0]), "access-1");
    rig.grant(900);
    assert!(!rig.is_waiting(waiter));
}

#[test]
fn a_parent_about_to_expire_is_renewed_first_once_for_all() {
    let warm = ["00000000000000000000000000000011", "00000000000000000000000000000012", WARM_ID];
    let mut rig = Rig::new(&[fixture::glp("msp", &warm)]);
    rig.grant(900);
    for _ in 0..3 {
        rig.grant(900);
    }
    // A suspend: everything has expired.
    rig.set_time(rig.now.boot + secs(2000));
    rig.handle(Input::Tick);
    assert_eq!(rig.sent.len(), 1, "one renewal of the parent");
    rig.grant(900);
    assert_eq!(rig.sent.len(), 3);
    assert!(rig.sent.iter().all(|request| subject(request) == "access-5"));
}

#[test]
fn a_refused_exchange_renews_the_parent_that_it_used_once_and_tries_once_more() {
    let mut rig = rig();
    rig.grant(900);
    rig.fail(FailureKind::InvalidToken);
    let parent = rig.grant(900);
    assert!(matches!(parent.grant, Grant::ClientCredentials { .. }));
    let again = rig.fail(FailureKind::InvalidToken);
    assert_eq!(subject(&again), "access-2");
    let waiter = rig.get(WARM);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    assert!(rig.token_cache("msp").is_some(), "the parent is as good as before");
    rig.pass(secs(200));
    assert_eq!(rig.requests(), 4, "and nothing is hammered");
}

#[test]
fn tenants_of_a_rejected_parent_send_nothing_and_recover_with_it() {
    let mut rig = rig();
    let waiter = rig.get(WARM);
    rig.fail(FailureKind::InvalidClient);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    rig.pass(secs(200));
    assert_eq!(rig.requests(), 1);
    rig.configure(&[fixture::glp("msp", &[WARM_ID])]);
    let waiter = rig.get(WARM);
    rig.grant(900);
    rig.grant(900);
    assert!(rig.given(waiter).starts_with("access-"));
}

#[test]
fn tenants_wait_while_the_probe_of_their_rejected_parent_takes_its_time() {
    let mut rig = rig();
    rig.fail(FailureKind::InvalidClient);
    while rig.sent.is_empty() {
        rig.pass(secs(1));
    }
    rig.pass(secs(25));
    assert_eq!(rig.sent.len(), 1, "the probe, which has not been answered, and nothing else");
    let waiter = rig.get(WARM);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    rig.grant(900);
    rig.grant(900);
    assert!(rig.token_cache(WARM).is_some());
}

#[test]
fn peers_who_sweep_tenants_do_not_starve_background_renewals() {
    let ids: Vec<String> = (0..200).map(|n| format!("{:032x}", 0x1000 + n)).collect();
    let mut rig = Rig::new(&[fixture::glp("msp", &[WARM_ID])]);
    rig.grant(900);
    rig.grant(900);
    rig.tenants("msp");
    let listed: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "T")).chain([(WARM_ID, "Acme Corp")]).collect();
    rig.answer(page(201, &listed));
    rig.provider_is_up(secs(590), 900);
    for id in &ids {
        rig.ask_as(7, Question::Get { name: token_name(&format!("msp/{id}")), min_ttl: secs(0), wait: secs(300) });
    }
    rig.provider_is_up(secs(80), 900);
    assert!(rig.left(WARM) > secs(700), "renewed amid the sweep: {:?} left", rig.left(WARM));
}

#[test]
fn tenants_wait_quietly_while_their_rejected_parent_is_being_probed() {
    let mut rig = rig();
    rig.fail(FailureKind::InvalidClient);
    rig.pass(secs(400));
    assert_eq!(rig.requests(), 2, "the parent's probe is on the wire for a long time");
    let waiter = rig.get(WARM);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    rig.grant(900);
    rig.grant(900);
    assert!(rig.token_cache(WARM).is_some());
}

/// Fails everything for so long: requests for the workspace's token with one message, exchanges with another.
fn provider_is_down(rig: &mut Rig, span: Duration) {
    let end = rig.now.boot + span;
    while rig.now.boot < end {
        while let Some(request) = rig.sent.first() {
            let of_parent = matches!(request.grant, Grant::ClientCredentials { .. });
            rig.fail(if of_parent { FailureKind::Unknown } else { FailureKind::Transient });
        }
        rig.pass(secs(1));
    }
}

#[test]
fn a_tenant_that_waits_for_its_workspaces_token_says_what_is_wrong_with_that() {
    let mut rig = settled();
    // The parent has less left than an exchange takes; the tenant's own token came at the same moment.
    provider_is_down(&mut rig, secs(870));
    let status = rig.status(WARM);
    assert_eq!(status.health, tokend_proto::Health::Failing);
    assert!(status.last_error.as_ref().is_some_and(|error| error.contains("Unknown it was")), "{status:?}");
    provider_is_down(&mut rig, secs(130));
    assert_eq!(rig.token_cache(WARM), None);
    let waiter = rig.get_with(WARM, secs(0), secs(0));
    let error = rig.error(waiter);
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.starts_with(&format!("{WARM} has no good token: ")), "{}", error.message);
    for part in ["workspace", "Unknown it was", "trying again in "] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    assert!(error.retry_after.is_some_and(|wait| wait.0 <= 30_000), "{error:?}");
    let status = rig.status(WARM);
    assert_eq!(status.health, tokend_proto::Health::Unavailable);
    assert!(status.last_error.as_ref().is_some_and(|error| error.contains("Unknown it was")), "{status:?}");
    assert_eq!(status.next_at, rig.status("msp").next_at, "when the workspace's token is tried again");
    rig.provider_is_up(secs(40), 900);
    assert!(rig.token_cache(WARM).is_some());
}

#[test]
fn a_peer_that_asks_again_and_again_does_not_end_the_backoff_of_an_on_demand_tenant() {
    for (kind, most) in [(FailureKind::Transient, 240), (FailureKind::InvalidClient, 20)] {
        let mut rig = settled();
        let begin = rig.now.boot;
        let mut exchanges = 0;
        while rig.now.boot.since(begin) < secs(3600) {
            rig.get(COLD);
            while let Some(request) = rig.sent.first() {
                match &request.grant {
                    Grant::Exchange { tenant, .. } if tenant.to_string().ends_with("c0") => {
                        exchanges += 1;
                        rig.fail(kind);
                    }
                    Grant::ListTenants { .. } => drop(rig.answer(both())),
                    _ => drop(rig.grant(900)),
                }
            }
            rig.pass(Duration::from_millis(1_700));
        }
        assert!(exchanges > 3 && exchanges <= most, "{kind:?}: {exchanges} exchanges in an hour");
        rig.pass(secs(7200));
        rig.provider_is_up(secs(60), 900);
    }
}

#[test]
fn a_list_that_failed_is_not_asked_for_again_before_its_pause() {
    let mut rig = settled();
    rig.pass(secs(61));
    rig.get_with("msp/000000000000000000000000000000ff", Duration::ZERO, secs(600));
    assert!(matches!(rig.sent[0].grant, Grant::ListTenants { .. }));
    let lists = |rig: &Rig| rig.log.iter().filter(|(_, sent)| matches!(sent.grant, Grant::ListTenants { .. })).count();
    for step in [1, 2, 4, 8, 16, 30, 30] {
        let before = lists(&rig);
        rig.fail(FailureKind::Transient);
        // Neither what waits for it nor what else asks for it cuts that short.
        rig.pass(secs(step).mul_f64(0.49));
        rig.tenants("msp");
        rig.get("msp/000000000000000000000000000000fe");
        assert_eq!(lists(&rig), before, "within half of a step of {step} s");
        rig.pass(secs(step).mul_f64(0.52));
        assert_eq!(lists(&rig), before + 1, "after a step of {step} s");
    }
}

#[test]
fn a_refusal_of_the_workspace_token_counts_though_its_tenant_is_gone() {
    let with = fixture::glp("msp", &[WARM_ID]);
    let mut without = with.clone();
    if let crate::core::settings::Kind::Glp { tenants, .. } = &mut without.kind {
        *tenants = None;
    }
    let mut rig = Rig::new(std::slice::from_ref(&with));
    rig.grant(900);
    let exchange = rig.sent[0].id;
    rig.configure(&[without]);
    rig.answer_to(exchange, failed(FailureKind::InvalidToken, None));
    rig.configure(&[with]);
    rig.pass(secs(1));
    rig.grant(900);
    let exchange = rig.sent.first().map(subject);
    assert_eq!(exchange, Some("access-2"), "exchanged with another token");
}

#[test]
fn pages_of_one_tenant_end_before_they_are_a_hundred_thousand_requests() {
    let mut rig = rig();
    rig.grant(900);
    rig.grant(900);
    let waiter = rig.tenants("msp");
    let mut pages = 0_u64;
    for _ in 0..7_200 {
        while let Some(request) = rig.sent.first().cloned() {
            if let Grant::ListTenants { offset, .. } = request.grant {
                pages += 1;
                rig.answer(page(50_000, &[(&format!("{:032x}", 0x1000 + offset), "Tenant")]));
            } else {
                rig.grant(900);
            }
        }
        rig.pass(secs(1));
    }
    assert!(pages <= 9_000, "{pages} pages in two hours");
    assert_eq!(rig.code(waiter), ErrorCode::Unavailable);
    assert!(rig.notices.iter().any(|notice| notice.message.contains("in 1000 pages")), "it says why");
}
