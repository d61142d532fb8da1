//! What peers read when there is no token for them.

use std::time::Duration;

use tokend_proto::{ErrorCode, ErrorReply, Millis, TokenName};

use crate::core::effect::Outcome;
use crate::core::time::BootTime;
use crate::core::token_state::{Name, TroubleKind};

pub(in crate::core) const TOO_SHORT: &str =
    "the provider gave the same token again, which has too little life left to be exchanged";

pub(in crate::core) fn error(code: ErrorCode, message: impl Into<String>, retry_after: Option<Duration>) -> Outcome {
    Outcome::Error(ErrorReply { code, message: message.into(), retry_after: retry_after.map(Millis::from) })
}

pub(in crate::core) fn no_such_name(message: impl Into<String>) -> Outcome {
    error(ErrorCode::NoSuchName, message, None)
}

pub(in crate::core) fn throttled(name: &TokenName, wait: Duration) -> Outcome {
    let message = format!("{name} was renewed on demand a short while ago; it can be again in {} s", seconds(wait));
    error(ErrorCode::Throttled, message, Some(wait))
}

/// Why there is no token under this name. `parent` is the workspace whose token it waits for in vain.
pub(in crate::core) fn no_token(name: &TokenName, entry: &Name, parent: Option<&Name>, now: BootTime) -> Outcome {
    if let Some(parent) = parent {
        let message = parent.trouble.as_ref().map_or(TOO_SHORT, |trouble| &trouble.message);
        return no_token_yet(name, &of_workspace(message), parent.retry_at.map(|at| at.since(now)));
    }
    let retry_after = entry.retry_at.map(|at| at.since(now));
    let Some(trouble) = &entry.trouble else {
        let message = format!("{name} has no good token yet; its request is under way");
        return error(ErrorCode::Unavailable, message, None);
    };
    let what = &trouble.message;
    match trouble.kind {
        TroubleKind::Transient => no_token_yet(name, what, retry_after),
        TroubleKind::AwaitingLogin => error(ErrorCode::AwaitingLogin, format!("{name}: {what}"), retry_after),
        TroubleKind::Rejected | TroubleKind::ParentRejected => {
            let advice = advice(entry).unwrap_or_default();
            error(ErrorCode::Rejected, format!("{name}: {what}; {advice}"), None)
        }
        TroubleKind::ChainLost | TroubleKind::ChainEmpty => {
            let code = match trouble.kind {
                TroubleKind::ChainLost => ErrorCode::ChainLost,
                _ => ErrorCode::ChainEmpty,
            };
            let advice = advice(entry).unwrap_or_default();
            error(code, format!("{name}: {what}; {advice}"), None)
        }
    }
}

fn no_token_yet(name: &TokenName, what: &str, retry_after: Option<Duration>) -> Outcome {
    let next = retry_after
        .map_or_else(|| "trying again now".to_owned(), |wait| format!("trying again in {} s", seconds(wait)));
    error(ErrorCode::Unavailable, format!("{name} has no good token: {what}; {next}"), retry_after)
}

/// What is wrong with a workspace's token, as its tenants say it.
pub(in crate::core) fn of_workspace(what: &str) -> String {
    format!("the token of its workspace cannot be renewed: {what}")
}

/// What a person has to do, where nothing else helps.
pub(in crate::core) fn advice(entry: &Name) -> Option<String> {
    let profile = &entry.profile.name;
    match entry.trouble.as_ref()?.kind {
        TroubleKind::Rejected => {
            Some(format!("correct the credentials of profile {profile}, then run: tokenctl reload"))
        }
        TroubleKind::ParentRejected => {
            Some(format!("correct the credentials of the workspace, profile {profile}, then run: tokenctl reload"))
        }
        TroubleKind::ChainLost | TroubleKind::ChainEmpty => Some(format!(
            "create a token in the web UI (API Gateway, System Apps & Tokens, Download Token), then run: tokenctl \
             import {profile} FILE"
        )),
        TroubleKind::Transient | TroubleKind::AwaitingLogin => None,
    }
}

/// Whole seconds, rounded up: what is announced as over is over.
pub(in crate::core) fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
