//! What the rules allow, as tables.

use super::*;

const ACME: &str = "497f6eca62764993bfeb53cbbbba6f08";
const BETA: &str = "11111111111111111111111111111111";
const DAEMON: u32 = 990;
const NETOPS: u32 = 1001;
const AUTOMATION: u32 = 2001;

fn name(text: &str) -> TokenName {
    text.parse::<tokend_proto::TokenRef>().expect("a name").canonical().expect("an id")
}

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| pattern(text)).collect()
}

fn user(uid: u32) -> PeerIdentity {
    PeerIdentity { uid, gid: uid, groups: vec![uid], pid: 1, ..PeerIdentity::default() }
}

fn in_unit(uid: u32, name: &str) -> PeerIdentity {
    let unit = PeerUnit { name: name.to_owned(), slices: vec!["system.slice".to_owned()] };
    PeerIdentity { unit: Ok(unit).into(), ..user(uid) }
}

#[test]
fn a_star_does_not_cross_the_slash() {
    let (acme, beta) = (format!("msp/{ACME}"), format!("msp/{BETA}"));
    let table: &[(&str, &[&str], &[&str])] = &[
        ("campus", &["campus"], &["campus2", "campu", "legacy", &acme]),
        ("msp", &["msp"], &[&acme]),
        ("msp/*", &[&acme, &beta], &["msp", "campus"]),
        ("*", &["msp", "campus"], &[&acme]),
        ("*/*", &[&acme], &["msp"]),
        ("m*p", &["msp", "mp", "mXXp", "mpp"], &["msq", "amsp", "m", &acme]),
        ("*s*/4*", &[&acme], &["msp", &beta]),
        ("msp/497F6ECA-6276-4993-bfeb-53cbbbba6f08", &[&acme], &[&beta, "msp"]),
        ("msp/497f6eca-*", &[&acme], &[&beta]),
        ("*a*a*", &["aa", "banana"], &["a", "bnn"]),
    ];
    for (text, yes, no) in table {
        for candidate in *yes {
            assert!(pattern(text).matches(&name(candidate)), "{text} matches {candidate}");
        }
        for candidate in *no {
            assert!(!pattern(text).matches(&name(candidate)), "{text} does not match {candidate}");
        }
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_its_reason() {
    let too_long = format!("msp/{ACME}0*");
    let table = [
        ("", PatternError::Profile),
        ("/", PatternError::Profile),
        ("-a", PatternError::Profile),
        ("a b", PatternError::Profile),
        ("é", PatternError::Profile),
        ("msp/Acme Corp", PatternError::WorkspaceName),
        ("msp/a/b", PatternError::WorkspaceName),
        ("msp/Acme*", PatternError::WorkspaceName),
        ("msp/", PatternError::WorkspaceId),
        ("msp/cafe", PatternError::WorkspaceId),
        (too_long.as_str(), PatternError::WorkspaceId),
    ];
    for (text, error) in table {
        assert_eq!(text.parse::<Pattern>(), Err(error), "{text:?}");
    }
}

#[test]
fn without_rules_all_may_read_and_only_superusers_may_more() {
    let access = Access::new(Vec::new(), DAEMON);
    for (peer, superuser) in [(user(0), true), (user(DAEMON), true), (user(NETOPS), false)] {
        assert!(access.may_read(&peer, &name("campus")));
        assert!(access.may_read_some_tenant(&peer, &name("msp").profile));
        assert!(access.may_read_every_tenant(&peer, &name("msp").profile));
        assert_eq!(access.readable_patterns(&peer), ["*", "*/*"]);
        assert_eq!(access.may_admin(&peer, &name("campus")), superuser, "uid {}", peer.uid);
        assert_eq!(access.admin_patterns(&peer).len(), if superuser { 2 } else { 0 });
        assert_eq!(access.is_superuser(&peer), superuser);
    }
}

fn office() -> Access {
    let acme = format!("msp/{ACME}");
    Access::new(
        vec![
            Rule { profiles: patterns(&["campus", "msp/*"]), users: vec![NETOPS], ..Rule::default() },
            Rule { profiles: patterns(&["legacy"]), groups: vec![AUTOMATION], admin: true, ..Rule::default() },
            Rule {
                profiles: patterns(&["campus", &acme]),
                units: vec!["x.service".parse().expect("a unit")],
                ..Rule::default()
            },
        ],
        DAEMON,
    )
}

#[test]
fn a_rule_matches_when_any_of_its_users_groups_or_units_does() {
    let access = office();
    let in_group =
        |gid, groups: &[u32]| PeerIdentity { uid: 5, gid, groups: groups.to_vec(), ..PeerIdentity::default() };

    let acme = format!("msp/{ACME}");
    let beta = format!("msp/{BETA}");
    let table: &[(&str, PeerIdentity, &[&str])] = &[
        ("a user named", user(NETOPS), &["campus", &acme, &beta]),
        ("a user not named", user(1002), &[]),
        ("a primary group", in_group(AUTOMATION, &[]), &["legacy"]),
        ("a supplementary group", in_group(5, &[7, AUTOMATION]), &["legacy"]),
        ("another group", in_group(5, &[7]), &[]),
        ("a uid that is a group's number", user(AUTOMATION - 1), &[]),
        ("a unit", in_unit(6, "x.service"), &["campus", &acme]),
        ("another unit", in_unit(6, "y.service"), &[]),
        ("no unit", PeerIdentity { unit: Err(NoUnit::NotInOne).into(), ..user(6) }, &[]),
        ("a unit that nobody looked up", user(6), &[]),
        ("root", user(0), &["campus", "msp", "legacy", &acme, &beta]),
        ("the daemon's user", user(DAEMON), &["campus", "msp", "legacy", &acme, &beta]),
    ];
    for (who, peer, readable) in table {
        for candidate in ["campus", "msp", "legacy", acme.as_str(), beta.as_str()] {
            let expected = readable.contains(&candidate);
            assert_eq!(access.may_read(peer, &name(candidate)), expected, "{who}: {candidate}");
        }
    }
}

#[test]
fn admin_is_of_the_rules_own_names_only() {
    let access = office();
    let operator = PeerIdentity { groups: vec![AUTOMATION], ..user(NETOPS) };
    assert!(access.may_admin(&operator, &name("legacy")));
    assert!(!access.may_admin(&operator, &name("campus")), "readable by a rule without admin");
    assert_eq!(access.admin_patterns(&operator), ["legacy"]);
    assert_eq!(access.readable_patterns(&operator), ["campus", "msp/*", "legacy"]);
}

#[test]
fn a_pattern_of_two_rules_is_listed_once() {
    let peer = in_unit(NETOPS, "x.service");
    assert_eq!(office().readable_patterns(&peer), ["campus".to_owned(), "msp/*".to_owned(), format!("msp/{ACME}")]);
}

#[test]
fn whether_a_tenant_could_be_readable_is_known_before_its_name_is_resolved() {
    let access = office();
    let (msp, campus) = (name("msp").profile, name("campus").profile);
    let in_unit = in_unit(6, "x.service");
    let table = [(user(NETOPS), true, true), (in_unit, true, false), (user(1002), false, false), (user(0), true, true)];
    for (peer, some, every) in table {
        assert_eq!(access.may_read_some_tenant(&peer, &msp), some, "uid {}", peer.uid);
        assert_eq!(access.may_read_every_tenant(&peer, &msp), every, "uid {}", peer.uid);
    }
    assert!(!access.may_read_some_tenant(&user(NETOPS), &campus));
}

#[test]
fn a_rule_whose_users_do_not_exist_still_denies_the_others() {
    let access = Access::new(vec![Rule { profiles: patterns(&["*"]), ..Rule::default() }], DAEMON);
    assert!(!access.may_read(&user(NETOPS), &name("campus")));
    assert!(access.readable_patterns(&user(NETOPS)).is_empty());
}

#[test]
fn only_rules_with_units_ask_for_the_unit_of_a_peer() {
    assert!(office().asks_for_units());
    assert!(!Access::new(Vec::new(), DAEMON).asks_for_units());
    let of_users = Rule { profiles: patterns(&["*"]), users: vec![NETOPS], ..Rule::default() };
    assert!(!Access::new(vec![of_users], DAEMON).asks_for_units());
}
