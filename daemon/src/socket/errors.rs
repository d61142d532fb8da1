//! What peers read when they do not get what they asked for: every refusal that is made on this side of
//! the core, with its code.

use std::time::Duration;

use tokend_proto::codec::DecodeError;
use tokend_proto::{ErrorCode, ErrorReply, FrameError, NameError, ProfileName, VERSION, limits};

use crate::core::shares::NoPlace;

/// Why the queue to the core takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full(NoPlace),
    /// The core has ended.
    Ended,
}

pub(super) fn dropped() -> ErrorReply {
    error(ErrorCode::Internal, "the daemon lost the question; this is a defect of tokend")
}

pub(super) fn mismatched() -> ErrorReply {
    error(ErrorCode::Internal, "the daemon answered another question; this is a defect of tokend")
}

pub(super) fn unsendable() -> ErrorReply {
    error(ErrorCode::Internal, format!("the answer is over the frame limit of {} bytes", limits::MAX_FRAME))
}

pub(super) fn frame(why: FrameError) -> ErrorReply {
    let code = match why {
        FrameError::TooLong(_) => ErrorCode::FrameTooLarge,
        FrameError::TooShort(_) => ErrorCode::Malformed,
    };
    error(code, format!("{why}; the connection is closed"))
}

pub(super) fn malformed(why: &DecodeError) -> ErrorReply {
    error(
        ErrorCode::Malformed,
        format!("{why}: this is no request of protocol version {VERSION}; the connection is closed"),
    )
}

pub(super) fn frame_time(limit: Duration) -> ErrorReply {
    error(
        ErrorCode::FrameTimeout,
        format!("a frame was begun and not finished within {limit:?}; the connection is closed"),
    )
}

pub(super) fn too_many_requests() -> ErrorReply {
    let limit = limits::MAX_IN_FLIGHT;
    error(
        ErrorCode::TooManyRequests,
        format!("{limit} requests of this connection are unanswered; wait for some of them"),
    )
}

pub(super) fn too_many_lists(why: NoPlace) -> ErrorReply {
    match why {
        NoPlace::OfUser(count) => error(
            ErrorCode::TooManyRequests,
            format!("{count} status, whoami or tenants requests of this user are unanswered; wait for some of them"),
        ),
        NoPlace::Left => {
            busy("the users of this host have as many status, whoami and tenants requests open as there may be")
        }
    }
}

pub(super) fn too_many_watches(why: NoPlace) -> ErrorReply {
    match why {
        NoPlace::OfUser(count) => error(
            ErrorCode::TooManyRequests,
            format!("this user watches {count} names already, which is its share; end some of these watches"),
        ),
        NoPlace::Left => busy("the users of this host watch as many names as may be watched"),
    }
}

pub(super) fn too_many_questions(uid: u32, why: NoPlace) -> ErrorReply {
    match why {
        NoPlace::OfUser(count) => {
            busy(format!("user {uid} has {count} unanswered requests, which is its share; wait for some of them"))
        }
        NoPlace::Left => busy("the users of this host have as many unanswered requests as there may be"),
    }
}

pub(super) fn queue(uid: u32, why: Refused) -> ErrorReply {
    match why {
        Refused::Full(NoPlace::OfUser(count)) => busy(format!(
            "{count} requests of user {uid} wait to be looked at, which is its share; send them more slowly"
        )),
        Refused::Full(NoPlace::Left) => busy("the daemon has more to do than it can queue"),
        Refused::Ended => stopping(),
    }
}

pub(super) fn too_many_connections(limit: usize) -> ErrorReply {
    error(ErrorCode::TooManyConnections, format!("all {limit} connections are taken ([server] max_connections)"))
}

pub(super) fn too_many_connections_of_uid(uid: u32, limit: usize) -> ErrorReply {
    let message = format!("user {uid} has {limit} connections already ([server] max_connections_per_uid)");
    error(ErrorCode::TooManyConnections, message)
}

fn busy(message: impl Into<String>) -> ErrorReply {
    let retry_after = Some(Duration::from_secs(1).into());
    ErrorReply { retry_after, ..error(ErrorCode::Busy, message) }
}

pub(super) fn stopping() -> ErrorReply {
    let retry_after = Some(Duration::from_secs(1).into());
    ErrorReply { retry_after, ..error(ErrorCode::Busy, "the daemon is stopping") }
}

pub(super) fn name(asked: &str, why: NameError) -> ErrorReply {
    invalid(format!("{asked:?} is no token name: {why}"))
}

pub(super) fn profile(asked: &str, why: NameError) -> ErrorReply {
    invalid(format!("{asked:?} is no profile name: {why}"))
}

pub(super) fn after(asked: &str, what: &str) -> ErrorReply {
    invalid(format!("after: {asked:?} is not {what} as the page before gave it"))
}

pub(super) fn refresh_token(length: usize) -> ErrorReply {
    let limit = limits::MAX_REFRESH_TOKEN;
    invalid(format!("a refresh token has 1 to {limit} bytes, this one {length}"))
}

pub(super) fn may_not_read(asked: &str) -> ErrorReply {
    denied(format!("the access rules do not let you read {asked:?}; `tokenctl whoami` shows what they do"))
}

pub(super) fn may_not_admin(asked: &str) -> ErrorReply {
    denied(format!("the access rules do not make you an admin of {asked:?}; `tokenctl whoami` shows what they do"))
}

pub(super) fn may_not_reload() -> ErrorReply {
    denied("only root and the daemon's own user may reload".into())
}

pub(super) fn no_such_name(asked: &str) -> ErrorReply {
    error(ErrorCode::NoSuchName, format!("there is no {asked:?}: no such profile, or no tenant that is in use"))
}

pub(super) fn not_resolved(profile: &ProfileName) -> ErrorReply {
    let retry_after = Some(Duration::from_secs(1).into());
    let message = format!("the list of the tenants of {profile} has not arrived in the time given; ask again");
    ErrorReply { retry_after, ..error(ErrorCode::Unavailable, message) }
}

pub(super) fn expired_meanwhile() -> ErrorReply {
    let retry_after = Some(Duration::ZERO.into());
    ErrorReply { retry_after, ..error(ErrorCode::Unavailable, "the token expired before it could be sent; ask again") }
}

fn invalid(message: String) -> ErrorReply {
    error(ErrorCode::InvalidArgument, message)
}

fn denied(message: String) -> ErrorReply {
    error(ErrorCode::Denied, message)
}

fn error(code: ErrorCode, message: impl Into<String>) -> ErrorReply {
    ErrorReply { code, message: message.into(), retry_after: None }
}
