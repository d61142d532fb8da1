//! A file of the state folder, and what the core makes of it at start.
//!
//! The input is a whole file, or the key's JSON, a line feed and the record's JSON, which are then put into one: no
//! fuzzer finds its way past three checksums by itself.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokend::core::Core;
use tokend::core::effect::Effect;
use tokend::core::input::Input;
use tokend::core::provider::{Answer, Failure, FailureKind, SecretVersion, SecretVersions};
use tokend::core::record::{ChainKey, Record, RecordKey, Restored, RestoredContent};
use tokend::core::settings::{Endpoint, Fraction, Kind, Login, ParamStyle, Profile, Settings};
use tokend::core::time::{BootId, BootTime, Now, UnixTime};
use tokend::store::StateKey;
use tokend::store::envelope::{DecodeError, Decoded, decode, encode};
use tokend_proto::Secret;

/// The layout, as `daemon/src/store/envelope.rs` has it.
const MAGIC: &[u8] = b"tokend\x1aR";
const PREAMBLE: usize = MAGIC.len() + 2;
const HEAD: usize = PREAMBLE + 4;
const NAME: usize = HEAD + 2 + 8 + 4 + 4;

/// Files longer than this are too long for the store once they have been written again.
const MAX_INPUT: usize = 64 * 1024;

static OUR_KEY: LazyLock<StateKey> = LazyLock::new(|| key_of("0a"));
static OTHER_KEY: LazyLock<StateKey> = LazyLock::new(|| key_of("0b"));

/// What is read is of its key's kind and reads the same after it was written, sealed or not. A file that was changed is
/// no record, or if somebody put its checksums right and had no key, no sealed one; what its head says is true. The
/// core starts with whatever the record holds, serves nothing that has expired, and comes to rest.
///
/// # Panics
/// When that does not hold.
pub fn records(data: &[u8]) {
    let data = &data[..data.len().min(MAX_INPUT)];
    let file = if data.starts_with(MAGIC) {
        // Whatever it is, it comes back.
        let _ = (decode(data, None), decode(data, Some(&OUR_KEY)));
        with_checks(data.to_vec())
    } else {
        let (name, body) = match data.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&data[..end], &data[end + 1..]),
            None => (data, &b""[..]),
        };
        file_of(name, body)
    };
    let Ok(decoded) = decode(&file, Some(&OUR_KEY)) else { return };
    assert!(same_kind(&decoded.key, &decoded.record), "{:?} holds {:?}", decoded.key, decoded.record);
    survives(&decoded, data.len());
    starts_a_core(decoded);
}

fn key_of(byte: &str) -> StateKey {
    StateKey::parse(&Secret::new(byte.repeat(32))).expect("64 hex digits")
}

fn same_kind(key: &RecordKey, record: &Record) -> bool {
    match key {
        RecordKey::Chain(_) => matches!(record, Record::Chain(_)),
        RecordKey::Candidate(_) => matches!(record, Record::Candidate(_)),
        RecordKey::Quota(_) => matches!(record, Record::Quota(_)),
    }
}

fn survives(decoded: &Decoded, choice: usize) {
    let Decoded { key, revision, record } = decoded;
    let plain = encode(key, *revision, record, None).expect("what was in one file fits into one");
    assert_eq!(decode(&plain, None).as_ref(), Ok(decoded));
    changed(&plain, None, decoded, choice);

    let sealed = encode(key, *revision, record, Some(&OUR_KEY)).expect("what was in one file fits into one, sealed");
    assert_eq!(decode(&sealed, Some(&OUR_KEY)).as_ref(), Ok(decoded));
    assert_eq!(decode(&sealed, None), Err(DecodeError::NoKey));
    assert_eq!(decode(&sealed, Some(&OTHER_KEY)), Err(DecodeError::WrongKey));
    let forged = changed(&sealed, Some(&OUR_KEY), decoded, choice);
    if let Some(forged) = forged {
        assert!(decode(&with_checks(forged), Some(&OUR_KEY)).is_err(), "a forged record is believed");
    }
}

/// Changes one byte: CRC-32 finds every such change. Returns the file, unless the change is to one of its checksums.
fn changed(file: &[u8], seal: Option<&StateKey>, genuine: &Decoded, choice: usize) -> Option<Vec<u8>> {
    let at = choice.wrapping_mul(7_919) % file.len();
    let mut changed = file.to_vec();
    changed[at] ^= u8::try_from(choice % 255).unwrap_or(0) + 1;
    match decode(&changed, seal) {
        Err(DecodeError::Damaged { head: Some(head), .. }) => assert_eq!(head, (genuine.key.clone(), genuine.revision)),
        Err(DecodeError::Damaged { head: None, .. }) => {}
        other => panic!("byte {at} of {} was changed: {other:?}", file.len()),
    }
    let name_check = name_end(file)?;
    let check = |start: usize| (start..start + 4).contains(&at);
    (!check(PREAMBLE) && !check(name_check) && !check(file.len() - 4)).then_some(changed)
}

/// Where the key ends, if the file is that long.
fn name_end(file: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(file.get(NAME - 8..NAME - 4)?.try_into().ok()?);
    let end = NAME.checked_add(usize::try_from(length).ok()?)?;
    (end + 8 <= file.len()).then_some(end)
}

/// The file with its checksums made right, as far as it has the places for them.
fn with_checks(mut file: Vec<u8>) -> Vec<u8> {
    let mut ends = vec![PREAMBLE];
    ends.extend(name_end(&file));
    ends.extend(file.len().checked_sub(4));
    for end in ends {
        if end + 4 <= file.len() {
            let check = crc32fast::hash(&file[..end]).to_be_bytes();
            file[end..end + 4].copy_from_slice(&check);
        }
    }
    file
}

/// A file that is not sealed, with these parts.
fn file_of(name: &[u8], body: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let version_check_and_flags = [0, 1, 0, 0, 0, 0, 0, 0];
    let revision = 7_u64.to_be_bytes();
    let parts =
        [MAGIC, &version_check_and_flags, &revision, &length(name), &length(body), name, &[0; 4], body, &[0; 4]];
    with_checks(parts.concat())
}

/// Starts a core with the record, and answers what it wants for a while: secrets are there, the disk works, the
/// provider has a fault.
fn starts_a_core(decoded: Decoded) {
    /// Far more than a start takes.
    const MOST_EFFECTS: usize = 200;

    let Decoded { key, revision, record } = decoded;
    let settings = settings(&key);
    let mut now = Now { boot: BootTime(3_600_000), wall: UnixTime(1_700_000_000_000) };
    let restored = Restored { key, revision, content: RestoredContent::Newest(record) };
    let mut core = Core::new(now, BootId([7; 16]), 1, vec![restored]);
    core.handle(now, Input::Configure(settings));
    let mut effects = 0;
    for _ in 0..8 {
        while let Some(effect) = core.poll_effect() {
            effects += 1;
            assert!(effects < MOST_EFFECTS, "it does not come to rest");
            if let Some(input) = answer(now, effect) {
                core.handle(now, input);
            }
        }
        let Some(due) = core.poll_timeout() else { return };
        let passed = due.since(now.boot);
        now.boot = due.max(now.boot);
        now.wall = UnixTime(now.wall.0.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)));
        core.handle(now, Input::Tick);
    }
}

fn answer(now: Now, effect: Effect) -> Option<Input> {
    match effect {
        Effect::Send(request) => {
            let failure = Failure { kind: FailureKind::Transient, retry_after: None, message: "HTTP 500".to_owned() };
            Some(Input::Answered { request: request.id, answer: Answer::Failed(failure) })
        }
        Effect::ReadSecrets(profile) => {
            let versions = SecretVersions {
                client_secrets: vec![SecretVersion(1)],
                password: Some(SecretVersion(2)),
                problems: Vec::new(),
            };
            Some(Input::Secrets { profile, versions })
        }
        Effect::Write { write, .. } => Some(Input::Written { write, result: Ok(()) }),
        Effect::Publish { token, .. } => {
            assert!(token.expires > now.boot, "a token that has expired is published");
            None
        }
        _ => None,
    }
}

/// A configuration whose one profile is the record's, with a login.
fn settings(key: &RecordKey) -> Arc<Settings> {
    let (name, gateway, client_id) = match key {
        RecordKey::Chain(ChainKey { profile, gateway, client_id })
        | RecordKey::Candidate(ChainKey { profile, gateway, client_id }) => (profile.clone(), gateway, client_id),
        RecordKey::Quota(quota) => ("legacy".parse().expect("a name"), &quota.gateway, &quota.client_id),
    };
    let kind = Kind::Classic {
        gateway: Endpoint { url: gateway.clone(), host: "https://gateway.example.net:443".into() },
        before: Duration::from_secs(600),
        param_style: ParamStyle::Form,
        login: Some(Login { username: "user".to_owned(), customer_id: "customer".to_owned() }),
    };
    let profile = Profile { name: name.clone(), client_id: client_id.clone(), kind };
    Arc::new(Settings {
        profiles: BTreeMap::from([(name, Arc::new(profile))]),
        refresh_at: Fraction::new(0.66).expect("a share"),
        jitter: Fraction::new(0.07).expect("a share"),
        max_requests_per_second: NonZeroU32::MIN,
    })
}
