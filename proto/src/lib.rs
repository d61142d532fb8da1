//! The wire format of tokend: what a local process and the daemon say to each other.
//!
//! A frame is a length, a frozen [`Header`] and one [`Request`] or [`Reply`] in bincode's `standard`
//! configuration; [`codec`] is the only module that names that crate. Structs never change and enums
//! are append-only, which golden vectors hold still (`tests/vectors`).
//!
//! There is no I/O here, no clock and no policy: only shapes, limits and names.

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
    ChainStatus, ErrorReply, Health, Imported, NameRights, NameStatus, Peer, Reloaded, Renewed, Reply, Rights, Stamp,
    StatusPage, Tenant, TenantsPage, Token, Unsupported,
};
pub use request::{Millis, Request, SecretStr};
pub use secret::Secret;
