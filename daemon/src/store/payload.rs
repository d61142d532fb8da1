//! Records and their keys as JSON: shapes of their own, so that a change in the core cannot change the format by
//! accident. A change here that an old file does not survive is a new [`super::envelope::VERSION`].

use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokend_proto::{Fingerprint, Secret};
use zeroize::Zeroizing;

use crate::core::record::{
    AccessRecord, CandidateRecord, ChainKey, ChainRecord, ChainState, LoginAttempt, LoginOutcome, LostCause, QuotaKey,
    QuotaRecord, Record, RecordKey,
};
use crate::core::time::{BootId, DurableTime, UnixTime};

/// Holds the token of a record until it is stored. When it grows, what it was before is wiped.
pub(super) struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
}

/// Holds the record of a chain in one piece, as a rule.
const FIRST_BUFFER: usize = 16 * 1024;

impl Buffer {
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(FIRST_BUFFER.min(limit))), limit }
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let mut bigger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            bigger.extend_from_slice(&self.bytes);
            self.bytes = bigger;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends the record.
///
/// # Errors
/// When it does not fit.
pub(super) fn write_record(record: &Record, buffer: &mut Buffer) -> Result<(), serde_json::Error> {
    serde_json::to_writer(buffer, &Shape::from(record))
}

pub(super) fn read_record(bytes: &[u8]) -> Result<Record, serde_json::Error> {
    serde_json::from_slice(bytes).map(|shape: Shape| shape.into())
}

pub(super) fn write_key(key: &RecordKey) -> Vec<u8> {
    serde_json::to_vec(&KeyShape::from(key)).expect("strings in a struct always become JSON")
}

pub(super) fn read_key(bytes: &[u8]) -> Option<RecordKey> {
    serde_json::from_slice::<KeyShape>(bytes).ok()?.into_key()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
enum KeyShape {
    Chain { profile: String, gateway: String, client_id: String },
    Candidate { profile: String, gateway: String, client_id: String },
    Quota { gateway: String, client_id: String },
}

impl From<&RecordKey> for KeyShape {
    fn from(key: &RecordKey) -> Self {
        match key.clone() {
            RecordKey::Chain(ChainKey { profile, gateway, client_id }) => {
                Self::Chain { profile: profile.to_string(), gateway, client_id }
            }
            RecordKey::Candidate(ChainKey { profile, gateway, client_id }) => {
                Self::Candidate { profile: profile.to_string(), gateway, client_id }
            }
            RecordKey::Quota(QuotaKey { gateway, client_id }) => Self::Quota { gateway, client_id },
        }
    }
}

impl KeyShape {
    fn into_key(self) -> Option<RecordKey> {
        Some(match self {
            Self::Chain { profile, gateway, client_id } => {
                RecordKey::Chain(ChainKey { profile: profile.parse().ok()?, gateway, client_id })
            }
            Self::Candidate { profile, gateway, client_id } => {
                RecordKey::Candidate(ChainKey { profile: profile.parse().ok()?, gateway, client_id })
            }
            Self::Quota { gateway, client_id } => RecordKey::Quota(QuotaKey { gateway, client_id }),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Shape {
    Chain {
        state: StateShape,
        refresh_token: Option<Token>,
        access: Option<AccessShape>,
        rotated: Option<MarkShape>,
        imported: Option<[u8; 16]>,
        // Later than the first version: a record of a usual rotation is written as before, and an older tokend reads
        // it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reply_lost: bool,
    },
    Candidate {
        refresh_token: Token,
        since: MarkShape,
    },
    Quota {
        attempts: Vec<AttemptShape>,
    },
}

/// A secret in a record.
struct Token(Secret);

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessShape {
    token: Token,
    token_type: String,
    life: Duration,
    // As `reply_lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued: Option<MarkShape>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkShape {
    boot_ms: u64,
    unix_ms: i64,
    boot_id: [u8; 16],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StateShape {
    Empty,
    Settled,
    InFlight { since: MarkShape, sent: [u8; 16] },
    AwaitingLogin { since: MarkShape },
    Lost { since: MarkShape, why: CauseShape },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CauseShape {
    ReplyLost,
    Expired,
    Revoked,
    RecordUnreadable,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttemptShape {
    at: MarkShape,
    outcome: OutcomeShape,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeShape {
    Open,
    Failed,
    Minted,
}

impl From<&Record> for Shape {
    fn from(record: &Record) -> Self {
        match record {
            Record::Chain(chain) => Self::Chain {
                state: (&chain.state).into(),
                refresh_token: chain.refresh_token.clone().map(Token),
                access: chain.access.as_ref().map(|access| AccessShape {
                    token: Token(access.token.clone()),
                    token_type: access.token_type.clone(),
                    life: access.life,
                    issued: access.issued.map(Into::into),
                }),
                rotated: chain.rotated.map(Into::into),
                imported: chain.imported.map(Fingerprint::to_bytes),
                reply_lost: chain.reply_lost,
            },
            Record::Candidate(candidate) => {
                Self::Candidate { refresh_token: Token(candidate.refresh_token.clone()), since: candidate.since.into() }
            }
            Record::Quota(quota) => Self::Quota {
                attempts: quota
                    .attempts
                    .iter()
                    .map(|attempt| AttemptShape { at: attempt.at.into(), outcome: attempt.outcome.into() })
                    .collect(),
            },
        }
    }
}

impl From<Shape> for Record {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Chain { state, refresh_token, access, rotated, imported, reply_lost } => Self::Chain(ChainRecord {
                state: state.into(),
                refresh_token: refresh_token.map(|token| token.0),
                access: access.map(|access| AccessRecord {
                    token: access.token.0,
                    token_type: access.token_type,
                    life: access.life,
                    issued: access.issued.map(Into::into),
                }),
                rotated: rotated.map(Into::into),
                imported: imported.map(Fingerprint::from_bytes),
                reply_lost,
            }),
            Shape::Candidate { refresh_token, since } => {
                Self::Candidate(CandidateRecord { refresh_token: refresh_token.0, since: since.into() })
            }
            Shape::Quota { attempts } => Self::Quota(QuotaRecord {
                attempts: attempts
                    .into_iter()
                    .map(|attempt| LoginAttempt { at: attempt.at.into(), outcome: attempt.outcome.into() })
                    .collect(),
            }),
        }
    }
}

impl From<&ChainState> for StateShape {
    fn from(state: &ChainState) -> Self {
        match *state {
            ChainState::Empty => Self::Empty,
            ChainState::Settled => Self::Settled,
            ChainState::InFlight { since, sent } => Self::InFlight { since: since.into(), sent: sent.to_bytes() },
            ChainState::AwaitingLogin { since } => Self::AwaitingLogin { since: since.into() },
            ChainState::Lost { since, why } => Self::Lost { since: since.into(), why: why.into() },
        }
    }
}

impl From<StateShape> for ChainState {
    fn from(shape: StateShape) -> Self {
        match shape {
            StateShape::Empty => Self::Empty,
            StateShape::Settled => Self::Settled,
            StateShape::InFlight { since, sent } => {
                Self::InFlight { since: since.into(), sent: Fingerprint::from_bytes(sent) }
            }
            StateShape::AwaitingLogin { since } => Self::AwaitingLogin { since: since.into() },
            StateShape::Lost { since, why } => Self::Lost { since: since.into(), why: why.into() },
        }
    }
}

impl From<DurableTime> for MarkShape {
    fn from(mark: DurableTime) -> Self {
        // A moment before the boot wraps: of a daemon that knows of none, it is in the future, and of no age.
        Self { boot_ms: mark.boot.cast_unsigned(), unix_ms: mark.wall.0, boot_id: mark.boot_id.0 }
    }
}

impl From<MarkShape> for DurableTime {
    fn from(shape: MarkShape) -> Self {
        Self { boot: shape.boot_ms.cast_signed(), wall: UnixTime(shape.unix_ms), boot_id: BootId(shape.boot_id) }
    }
}

/// Both directions of an enum without content.
macro_rules! same_variants {
    ($core:ident, $shape:ident: $($variant:ident),+) => {
        impl From<$core> for $shape {
            fn from(value: $core) -> Self {
                match value { $($core::$variant => Self::$variant),+ }
            }
        }

        impl From<$shape> for $core {
            fn from(value: $shape) -> Self {
                match value { $($shape::$variant => Self::$variant),+ }
            }
        }
    };
}

same_variants!(LostCause, CauseShape: ReplyLost, Expired, Revoked, RecordUnreadable);
same_variants!(LoginOutcome, OutcomeShape: Open, Failed, Minted);
