use std::time::Duration;

use tokend_proto::{Fingerprint, Flags, Header, LENGTH_PREFIX, Reply, Secret, Token, codec};

use super::*;
use crate::core::time::UnixTime;

const NOW: Now = Now { boot: BootTime(100_000), wall: UnixTime(1_700_000_000_000) };

fn issued(text: &str, life_ms: u64) -> Arc<AccessToken> {
    let access_token = Secret::from(text);
    Arc::new(AccessToken {
        fingerprint: Fingerprint::of(&access_token),
        access_token,
        token_type: "Bearer".into(),
        issued: NOW.boot,
        expires: BootTime(NOW.boot.0 + life_ms),
        refresh: BootTime(NOW.boot.0 + life_ms / 2),
    })
}

fn name(text: &str) -> TokenName {
    text.parse::<tokend_proto::TokenRef>().unwrap().canonical().unwrap()
}

fn read(token_cache: &TokenCache, text: &str, at: BootTime, min_ttl: Duration) -> Option<(Header, Token)> {
    let mut out = Vec::new();
    token_cache.slot(text)?.serve(at, min_ttl, 77, &mut Held::default(), &mut out).map(|fingerprint| {
        let (header, value) = Header::split(&out[LENGTH_PREFIX..]).unwrap();
        match codec::decode_reply(value).unwrap() {
            Reply::Token(token) => {
                assert_eq!(fingerprint, token.fingerprint);
                (header, token)
            }
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn a_published_token_is_read_under_the_request_id() {
    let token_cache = TokenCache::new();
    token_cache.publish(&name("campus"), &issued("first", 60_000), ReadMode::Serve, NOW);
    token_cache.publish(&name("campus"), &issued("second", 60_000), ReadMode::Serve, NOW);
    let (header, token) = read(&token_cache, "campus", NOW.boot, Duration::ZERO).unwrap();
    assert_eq!((header.request_id, header.flags), (77, Flags::NONE));
    assert_eq!(token, issued("second", 60_000).to_wire(NOW));
}

#[test]
fn an_expired_token_is_never_served() {
    let token_cache = TokenCache::new();
    token_cache.publish(&name("campus"), &issued("t", 1_000), ReadMode::Serve, NOW);
    let last = BootTime(NOW.boot.0 + 999);
    assert!(read(&token_cache, "campus", last, Duration::from_millis(1)).is_some());
    assert!(read(&token_cache, "campus", last, Duration::from_millis(2)).is_none(), "less life than asked for");
    assert!(
        read(&token_cache, "campus", BootTime(NOW.boot.0 + 1_000), Duration::ZERO).is_none(),
        "expired to the millisecond"
    );
    assert!(read(&token_cache, "campus", BootTime(NOW.boot.0 + 9_000), Duration::ZERO).is_none());
}

#[test]
fn the_mode_decides_how_a_token_is_read() {
    let token_cache = TokenCache::new();
    let token = issued("t", 60_000);
    token_cache.publish(&name("legacy"), &token, ReadMode::ServeRenewing, NOW);
    assert_eq!(read(&token_cache, "legacy", NOW.boot, Duration::ZERO).unwrap().0.flags, Flags::RENEWING);
    token_cache.publish(&name("legacy"), &token, ReadMode::Ask, NOW);
    assert!(read(&token_cache, "legacy", NOW.boot, Duration::ZERO).is_none());
}

#[test]
fn a_withdrawn_name_serves_nothing_even_to_who_holds_its_slot() {
    let token_cache = TokenCache::new();
    token_cache.publish(&name("campus"), &issued("t", 60_000), ReadMode::Serve, NOW);
    let held = token_cache.slot("campus").unwrap();
    token_cache.withdraw(&name("campus"));
    assert!(token_cache.slot("campus").is_none());
    assert_eq!(held.serve(NOW.boot, Duration::ZERO, 1, &mut Held::default(), &mut Vec::new()), None);
    token_cache.withdraw(&name("campus"));
}

#[test]
fn only_reads_that_were_served_are_noted() {
    let token_cache = TokenCache::new();
    let campus = name("campus");
    assert_eq!(token_cache.last_read(&campus), None);
    token_cache.publish(&campus, &issued("t", 60_000), ReadMode::Serve, NOW);
    assert_eq!(token_cache.last_read(&campus), None);
    assert!(read(&token_cache, "campus", NOW.boot, Duration::from_secs(3_600)).is_none());
    assert_eq!(token_cache.last_read(&campus), None);
    assert!(read(&token_cache, "campus", BootTime(NOW.boot.0 + 5), Duration::ZERO).is_some());
    token_cache.publish(&campus, &issued("u", 60_000), ReadMode::Serve, NOW);
    assert_eq!(token_cache.last_read(&campus), Some(BootTime(NOW.boot.0 + 5)), "a new token keeps it");
}

#[test]
fn a_step_of_the_wall_clock_changes_what_people_are_told_and_nothing_else() {
    let token_cache = TokenCache::new();
    let token = issued("t", 60_000);
    token_cache.publish(&name("campus"), &token, ReadMode::ServeRenewing, NOW);
    let stepped = Now { wall: UnixTime(NOW.wall.0 + 3_600_000), ..NOW };
    token_cache.rebase(stepped);
    let (header, read) = read(&token_cache, "campus", NOW.boot, Duration::ZERO).unwrap();
    assert_eq!(read, token.to_wire(stepped));
    assert_eq!(read.expires_at.unix_ms, NOW.wall.0 + 3_660_000);
    assert_eq!(read.expires_at.boot_ms, token.expires.0);
    assert_eq!(header.flags, Flags::RENEWING);
}

#[test]
fn a_waiter_gets_a_copy_of_the_very_token_that_is_up() {
    let token_cache = TokenCache::new();
    let token = issued("t", 60_000);
    token_cache.publish(&name("campus"), &token, ReadMode::Ask, NOW);
    let slot = token_cache.slot("campus").unwrap();
    let mut out = Vec::new();
    assert!(!slot.copy_of(&issued("t", 60_000), 1, Flags::NONE, &mut out), "another token, though alike");
    assert!(slot.copy_of(&token, 1, Flags::FALLS_SHORT, &mut out));
    assert_eq!(out, codec::encode_reply(1, Flags::FALLS_SHORT, &Reply::Token(token.to_wire(NOW))).unwrap());
}

#[test]
fn the_directory_is_replaced_as_a_whole() {
    let token_cache = TokenCache::new();
    let (msp, other) = ("msp".parse().unwrap(), "other".parse().unwrap());
    let id: WorkspaceId = "497f6eca62764993bfeb53cbbbba6f08".parse().unwrap();
    token_cache.set_directory(&msp, vec![("Acme".into(), id)]);
    token_cache.set_directory(&other, vec![("Else".into(), id)]);
    assert_eq!(token_cache.tenant(&msp, "Acme"), Some(id));
    assert_eq!(token_cache.tenant(&msp, "Else"), None);
    token_cache.set_directory(&msp, vec![("Acme Corp".into(), id)]);
    assert_eq!(token_cache.tenant(&msp, "Acme"), None);
    token_cache.set_directory(&msp, Vec::new());
    assert_eq!(token_cache.tenant(&msp, "Acme Corp"), None);
    assert_eq!(token_cache.tenant(&other, "Else"), Some(id));
}

#[test]
fn only_a_name_that_comes_or_goes_copies_a_part_of_the_names() {
    let token_cache = TokenCache::new();
    for n in 0..1_000 {
        token_cache.publish(&name(&format!("p{n}")), &issued("t", 60_000), ReadMode::Serve, NOW);
    }
    let copied = |act: &dyn Fn()| {
        let before = token_cache.names.parts();
        act();
        before.iter().zip(token_cache.names.parts()).filter(|(before, after)| !Arc::ptr_eq(before, after)).count()
    };
    assert_eq!(copied(&|| token_cache.publish(&name("p500"), &issued("u", 60_000), ReadMode::Serve, NOW)), 0);
    assert_eq!(copied(&|| token_cache.publish(&name("new"), &issued("u", 60_000), ReadMode::Serve, NOW)), 1);
    assert_eq!(copied(&|| token_cache.withdraw(&name("p500"))), 1);
}

#[test]
fn debug_shows_no_token() {
    let token_cache = TokenCache::new();
    token_cache.publish(&name("campus"), &issued("hunter2", 60_000), ReadMode::Serve, NOW);
    let frame_bytes = format!("{:?}", b"hunter2");
    let shown = format!("{token_cache:?}");
    assert!(shown.contains("campus") && !shown.contains("hunter2"));
    assert!(!shown.contains(frame_bytes.trim_matches(['[', ']'])), "nor its bytes");
}

#[test]
fn what_is_held_is_served_for_as_long_as_it_is_up_and_for_its_own_name_alone() {
    let token_cache = TokenCache::new();
    let (first, second, other) = (issued("first", 60_000), issued("second", 60_000), issued("other", 60_000));
    token_cache.publish(&name("campus"), &first, ReadMode::Serve, NOW);
    token_cache.publish(&name("other"), &other, ReadMode::Serve, NOW);
    let slots = [token_cache.slot("campus").unwrap(), token_cache.slot("other").unwrap()];
    let mut held = Held::default();
    let mut read = |slot: &Slot| slot.serve(NOW.boot, Duration::ZERO, 1, &mut held, &mut Vec::new());
    for _ in 0..2 {
        assert_eq!(read(&slots[0]), Some(first.fingerprint));
        assert_eq!(read(&slots[0]), Some(first.fingerprint));
        assert_eq!(read(&slots[1]), Some(other.fingerprint));
    }
    assert_eq!(read(&slots[0]), Some(first.fingerprint));
    token_cache.publish(&name("campus"), &first, ReadMode::Ask, NOW);
    assert_eq!(read(&slots[0]), None, "the mode counts too");
    token_cache.publish(&name("campus"), &second, ReadMode::Serve, NOW);
    assert_eq!(read(&slots[0]), Some(second.fingerprint));
    token_cache.withdraw(&name("campus"));
    assert_eq!(read(&slots[0]), None);
    drop((token_cache, slots));

    assert_eq!(Arc::strong_count(&other), 1, "the last read has let go of it");
    let token_cache = TokenCache::new();
    token_cache.publish(&name("other"), &other, ReadMode::Serve, NOW);
    let slot = token_cache.slot("other").unwrap();
    assert!(slot.serve(NOW.boot, Duration::ZERO, 1, &mut held, &mut Vec::new()).is_some());
    token_cache.withdraw(&name("other"));
    assert_eq!(Arc::strong_count(&other), 2);
    held.let_go();
    assert_eq!(Arc::strong_count(&other), 1);
}
