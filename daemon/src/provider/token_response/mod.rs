//! The token response (RFC 6749 section 5.1), lenient where providers differ and strict where a peer or a header would
//! suffer.
//!
//! A grant that spends something (a refresh, the last step of a login) gets whatever can be used of its answer: a new
//! refresh token counts whatever else is odd, for the old one is dead.

mod fields;

use tokend_proto::{Secret, limits};

use self::fields::{Kind, Seconds};
use super::body::{self, BodyFault};
use super::charset;
use super::classify::{self, RequestKind};
use super::form;
use super::loose::{self, Object};
use super::reply::Reply;
use crate::core::provider::{Failure, PairResponse, RefreshToken, TokenResponse};

/// Longest access token, in bytes: as long as a frame takes it with its stamps and type. GreenLake's are some 1.5 KiB.
const MAX_ACCESS_TOKEN: usize = limits::MAX_FRAME - 4 * 1024;

const NOT_ALONE: &str = "the answer holds more than one JSON object";
const NOT_ENDED: &str = "the answer was whole, but the connection did not say so";

/// The answer to a grant that brings an access token alone. A refresh token, should there be one, is left alone.
pub(super) fn token(asked: RequestKind, reply: &Reply) -> Result<TokenResponse, Failure> {
    read(asked, reply, |object| access(object).map_err(BodyFault::OtherShape))
}

/// The answer to a Classic grant, which brings a pair and has spent something for it.
pub(super) fn pair(asked: RequestKind, reply: &Reply) -> Result<PairResponse, Failure> {
    read(asked, reply, |object| {
        let refresh_token = refresh_token(object);
        let mut warnings = Vec::new();
        let access = access(object).inspect_err(|why| warnings.push(*why)).ok();
        match (&access, &refresh_token) {
            (None, RefreshToken::Absent | RefreshToken::Unreadable) => {
                Err(BodyFault::OtherShape("there is no refresh_token and no access_token that can be used"))
            }
            _ => Ok(PairResponse { access, refresh_token, warnings }),
        }
    })
}

/// Whatever notes what was odd.
trait Warned {
    fn warn(&mut self, warning: &'static str);
}

impl Warned for TokenResponse {
    fn warn(&mut self, warning: &'static str) {
        self.warnings.push(warning);
    }
}

impl Warned for PairResponse {
    fn warn(&mut self, warning: &'static str) {
        self.warnings.push(warning);
    }
}

/// Looks for the tokens, and for an error where there are none: also a 200 may hold one.
fn read<T: Warned>(
    asked: RequestKind,
    reply: &Reply,
    tokens: impl Fn(&Object<'_>) -> Result<T, BodyFault>,
) -> Result<T, Failure> {
    let body = classify::success(asked, reply)?;
    let text = charset::utf8(body);
    let unreadable = |fault| classify::unreadable(asked, reply, fault);
    if let Some(fault) = body::no_json(&text) {
        return Err(unreadable(reply.body.end.err().unwrap_or(fault)));
    }
    let as_json = loose::find(&text).is_err().then(|| from_form(&text)).flatten();
    let found = loose::find(as_json.as_deref().unwrap_or(&text));
    if let Err(cut) = reply.body.end {
        // Where the end is missing, an object that is whole and alone cannot be the beginning of another one.
        let object = found.ok().filter(|found| found.alone && as_json.is_none()).map(|found| found.object);
        let mut tokens = object.and_then(|object| tokens(&object).ok()).ok_or_else(|| unreadable(cut))?;
        tokens.warn(NOT_ENDED);
        return Ok(tokens);
    }
    let found = found.map_err(unreadable)?;
    let read = match tokens(&found.object) {
        Ok(read) => Ok((read, found.alone)),
        Err(fault) => {
            let inner = found.object.inner().and_then(|inner| tokens(&inner.object).ok());
            inner.map(|read| (read, found.alone)).ok_or(fault)
        }
    };
    match read {
        Ok((read, true)) => Ok(read),
        Ok((mut read, false)) => {
            read.warn(NOT_ALONE);
            Ok(read)
        }
        Err(fault) => Err(classify::error_in_success(asked, reply, &text).unwrap_or_else(|| unreadable(fault))),
    }
}

/// Some servers answer in a form (RFC 6749 has it for requests only): the same as JSON.
fn from_form(text: &[u8]) -> Option<bytes::Bytes> {
    let begins = text
        .trim_ascii()
        .split(|byte| *byte == b'&')
        .any(|part| [b"access_token=".as_slice(), b"refresh_token="].iter().any(|name| part.starts_with(name)));
    if !begins {
        return None;
    }
    let fields: Vec<(String, Secret)> = url::form_urlencoded::parse(text.trim_ascii())
        .map(|(name, value)| (name.into_owned(), Secret::new(value.into_owned())))
        .collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    Some(form::json_object(&fields))
}

/// An access token that can be served, or why there is none.
fn access(object: &Object<'_>) -> Result<TokenResponse, &'static str> {
    let mut warnings = Vec::new();
    let mut all = object.all("access_token").filter_map(loose::text).peekable();
    if all.peek().is_none() {
        return Err("there is no access_token");
    }
    let access_token = all
        .map(|token| without_type(&token))
        .find(|token| is_b64token(token.expose()))
        .ok_or("the access_token is not one that fits into a header (RFC 6750)")?;
    let token_type = match fields::token_type(object) {
        Kind::Bearer(word) => word,
        Kind::Unknown => {
            warnings.push("the token_type is not known and taken for Bearer");
            "Bearer".to_owned()
        }
        Kind::NotServable => return Err("the token_type is one that needs more than the token (DPoP, MAC, PoP, N_A)"),
    };
    let expires_in = match fields::expires_in(object) {
        Seconds::Read(seconds) => Some(seconds),
        Seconds::Absent => None,
        Seconds::Unreadable => {
            warnings.push("the expires_in cannot be read");
            None
        }
    };
    Ok(TokenResponse { access_token, token_type, expires_in, warnings })
}

/// Some servers write the whole value of the header.
fn without_type(token: &Secret) -> Secret {
    let text = token.expose();
    match text.split_once(' ') {
        Some((word, rest)) if word.eq_ignore_ascii_case("bearer") => Secret::from(rest.trim()),
        _ => Secret::from(text),
    }
}

fn refresh_token(object: &Object<'_>) -> RefreshToken {
    let mut nothing = true;
    for value in object.all("refresh_token") {
        match loose::text(value) {
            Some(token) if fields::is_word_for_nothing(token.expose()) => {}
            Some(token) if is_visible(token.expose(), limits::MAX_REFRESH_TOKEN) => return RefreshToken::New(token),
            None if value == b"null" => {}
            _ => nothing = false,
        }
    }
    if nothing { RefreshToken::Absent } else { RefreshToken::Unreadable }
}

/// RFC 6750 section 2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(text: &str) -> bool {
    let stem = text.trim_end_matches('=');
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !stem.is_empty() && text.len() <= MAX_ACCESS_TOKEN && stem.bytes().all(allowed)
}

/// `1*VSCHAR` (RFC 6749 appendix A): refresh tokens and authorization codes.
pub(super) fn is_visible(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && text.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

#[cfg(test)]
mod tests;
