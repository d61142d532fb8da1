//! The wire format of tokend, between a local process and the daemon.
//!
//! A frame is a length, a frozen [`Header`] and one [`Request`] or [`Reply`] in bincode's `standard` configuration;
//! [`codec`] is the only module that names that crate. Structs never change and enums are append-only: golden vectors
//! hold both to it (`tests/vectors`).
//!
//! There is no I/O here, no clock and no policy: only types, limits and names.

pub mod codec;
mod error_code;
mod fingerprint;
mod frame;
pub mod limits;
mod name;
mod reply;
mod request;
mod secret;

pub use error_code::ErrorCode;
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use frame::{Flags, FrameError, HEADER_LEN, Header, LENGTH_PREFIX, VERSION, frame_length};
pub use name::{NameError, ProfileName, TenantRef, TokenName, TokenRef, WorkspaceId};
pub use reply::{
    ChainStatus, ErrorReply, Explanation, Health, HealthReport, Imported, LoginQuota, NameRights, NameStatus, Peer,
    Reloaded, Renewed, Reply, Rights, Stamp, StatusPage, Tenant, TenantsPage, Token, Unsupported,
};
pub use request::{Millis, Request, SecretStr};
pub use secret::Secret;
