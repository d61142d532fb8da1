//! Answers that are whole in the provider's eyes and odd in everybody else's: each has a name, and one row says what
//! it does.
//!
//! The request was carried out: whatever it spent is spent, and what it was spent for is in the answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Coding, Ending, OddHead, Response, Unended};
use super::effect::with_member;

/// One way of being odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each has its row in the table, which the sandbox program prints")]
pub enum Odd {
    Gzip,
    Deflate,
    RawDeflate,
    NoLastChunk,
    LengthTooLong,
    LengthTooLongAndSilent,
    BlankBeforeColon,
    FoldedHeader,
    ManyHeaders,
    Bom,
    Utf16,
    Latin1,
    DuplicateKeys,
    BytesAfter,
    BlanksAround,
    OverTheLimit,
    ExpiresAsText,
    ExpiresWithFraction,
    ExpiresEmpty,
    ExpiresSoon,
    ExpiresNull,
    ExpiresAbsent,
    ExpiresZero,
    ExpiresOne,
    TypeAbsent,
    TypeEmpty,
    TypeWithBlank,
    TypeUrn,
    TypeDpop,
    TypeMac,
    TypeNotAvailable,
    TypeNumber,
    AccessAbsent,
    AccessNull,
    RefreshAbsent,
    RefreshNull,
    RefreshEmpty,
    RefreshNumber,
    ScopeList,
    StatusOk,
    StatusCreated,
    NoCookies,
    TotalTooLarge,
    TotalAbsent,
    TotalAsText,
    EmptyPage,
}

/// What a row does.
pub(crate) enum Does {
    /// The body is coded, and nobody asked for it.
    Coded(Coding),
    /// The end of the body is not marked, or not where it was announced.
    Unended(Unended),
    /// A head that no library would write.
    Head(OddHead),
    /// The text of the body changes.
    Text(fn(&[u8]) -> Vec<u8>),
    /// A member of the object has this text, or is missing. Only an object that holds it changes.
    Member(&'static str, Option<&'static str>),
    /// The member's number becomes this text, `#` being the number.
    Number(&'static str, &'static str),
    /// The status, whatever it was.
    Status(u16),
    /// A header is left out.
    Without(&'static str),
    /// The page's items are left out.
    NoItems,
}

/// A row: the name as in JSON and in the log, and what it is, for people.
pub(crate) struct Row {
    pub(crate) odd: Odd,
    pub(crate) name: &'static str,
    pub(crate) does: Does,
    pub(crate) is: &'static str,
}

const fn row(odd: Odd, name: &'static str, does: Does, is: &'static str) -> Row {
    Row { odd, name, does, is }
}

const EXPIRES: &str = "expires_in";
const TYPE: &str = "token_type";
const ACCESS: &str = "access_token";
const REFRESH: &str = "refresh_token";

#[rustfmt::skip]
pub(crate) static ROWS: [Row; 46] = [
    row(Odd::Gzip, "gzip", Does::Coded(Coding::Gzip), "gzip that was not asked for"),
    row(Odd::Deflate, "deflate", Does::Coded(Coding::Deflate), "deflate (zlib) that was not asked for"),
    row(Odd::RawDeflate, "raw-deflate", Does::Coded(Coding::RawDeflate), "deflate without zlib's header, as some servers send it"),
    row(Odd::NoLastChunk, "no-last-chunk", Does::Unended(Unended::NoLastChunk), "chunked, and the connection closes before the last chunk"),
    row(Odd::LengthTooLong, "length-too-long", Does::Unended(Unended::LengthTooLong), "Content-Length announces more than there is, and the connection closes"),
    row(Odd::LengthTooLongAndSilent, "length-too-long-and-silent", Does::Unended(Unended::Silent), "the same, and the connection stays open"),
    row(Odd::BlankBeforeColon, "blank-before-colon", Does::Head(OddHead::BlankBeforeColon), "a header X-A : 1"),
    row(Odd::FoldedHeader, "folded-header", Does::Head(OddHead::Folded), "a header on two lines (obs-fold)"),
    row(Odd::ManyHeaders, "many-headers", Does::Head(OddHead::Many), "120 more headers"),
    row(Odd::Bom, "bom", Does::Text(bom), "a byte order mark before the object"),
    row(Odd::Utf16, "utf16", Does::Text(utf16), "UTF-16 with a byte order mark"),
    row(Odd::Latin1, "latin1", Does::Text(latin1), "one more member with a Latin-1 byte in it"),
    row(Odd::DuplicateKeys, "duplicate-keys", Does::Text(duplicated), "each key twice, with the same value"),
    row(Odd::BytesAfter, "bytes-after", Does::Text(bytes_after), "a comment after the object"),
    row(Odd::BlanksAround, "blanks-around", Does::Text(blanks_around), "blanks and newlines around the object"),
    row(Odd::OverTheLimit, "over-the-limit", Does::Text(padded), "300,000 bytes, padding before the first member"),
    row(Odd::ExpiresAsText, "expires-as-text", Does::Number(EXPIRES, "\"#\""), "expires_in as text"),
    row(Odd::ExpiresWithFraction, "expires-with-fraction", Does::Number(EXPIRES, "\"#.0\""), "expires_in as text, with a fraction"),
    row(Odd::ExpiresEmpty, "expires-empty", Does::Member(EXPIRES, Some("\"\"")), "expires_in is an empty text"),
    row(Odd::ExpiresSoon, "expires-soon", Does::Member(EXPIRES, Some("\"soon\"")), "expires_in is a word"),
    row(Odd::ExpiresNull, "expires-null", Does::Member(EXPIRES, Some("null")), "expires_in is null"),
    row(Odd::ExpiresAbsent, "expires-absent", Does::Member(EXPIRES, None), "no expires_in"),
    row(Odd::ExpiresZero, "expires-zero", Does::Member(EXPIRES, Some("0")), "expires_in is 0"),
    row(Odd::ExpiresOne, "expires-one", Does::Member(EXPIRES, Some("1")), "expires_in is 1"),
    row(Odd::TypeAbsent, "type-absent", Does::Member(TYPE, None), "no token_type"),
    row(Odd::TypeEmpty, "type-empty", Does::Member(TYPE, Some("\"\"")), "token_type is an empty text"),
    row(Odd::TypeWithBlank, "type-with-blank", Does::Member(TYPE, Some("\"Bearer \"")), "token_type ends in a blank"),
    row(Odd::TypeUrn, "type-urn", Does::Member(TYPE, Some("\"urn:ietf:params:oauth:token-type:access_token\"")), "token_type is a URN"),
    row(Odd::TypeDpop, "type-dpop", Does::Member(TYPE, Some("\"DPoP\"")), "token_type is DPoP"),
    row(Odd::TypeMac, "type-mac", Does::Member(TYPE, Some("\"MAC\"")), "token_type is MAC"),
    row(Odd::TypeNotAvailable, "type-not-available", Does::Member(TYPE, Some("\"N_A\"")), "token_type is N_A"),
    row(Odd::TypeNumber, "type-number", Does::Member(TYPE, Some("7")), "token_type is a number"),
    row(Odd::AccessAbsent, "access-absent", Does::Member(ACCESS, None), "no access token"),
    row(Odd::AccessNull, "access-null", Does::Member(ACCESS, Some("null")), "the access token is null"),
    row(Odd::RefreshAbsent, "refresh-absent", Does::Member(REFRESH, None), "no refresh token"),
    row(Odd::RefreshNull, "refresh-null", Does::Member(REFRESH, Some("null")), "the refresh token is null"),
    row(Odd::RefreshEmpty, "refresh-empty", Does::Member(REFRESH, Some("\"\"")), "the refresh token is an empty text"),
    row(Odd::RefreshNumber, "refresh-number", Does::Member(REFRESH, Some("20261201")), "the refresh token is a number"),
    row(Odd::ScopeList, "scope-list", Does::Text(scope_list), "one more member, which is a list"),
    row(Odd::StatusOk, "status-ok", Does::Status(200), "200, also where the body is an error"),
    row(Odd::StatusCreated, "status-created", Does::Status(201), "201, also where the body is an error"),
    row(Odd::NoCookies, "no-cookies", Does::Without("set-cookie"), "no cookies"),
    row(Odd::TotalTooLarge, "total-too-large", Does::Member("total", Some("100000")), "the listing's total is 100000"),
    row(Odd::TotalAbsent, "total-absent", Does::Member("total", None), "the listing has no total"),
    row(Odd::TotalAsText, "total-as-text", Does::Number("total", "\"#\""), "the listing's total is a text"),
    row(Odd::EmptyPage, "empty-page", Does::NoItems, "the listing's page is empty"),
];

impl Odd {
    pub(crate) fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.odd == self).expect("each has its row, as a test says")
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.odd)
    }

    /// Its name, as in JSON and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub(super) fn spoil(self, mut answer: Response) -> Ending {
        Ending::Reply(match &self.row().does {
            Does::Coded(coding) => return Ending::Coded(answer, *coding),
            Does::Unended(how) => return Ending::Unended(answer, *how),
            Does::Head(head) => return Ending::OddHead(answer, *head),
            Does::Text(change) => {
                answer.body = change(&answer.body);
                answer
            }
            Does::Member(name, text) => with_member(answer, name, *text),
            Does::Number(name, text) => {
                let number = answer.value()[*name].to_string();
                with_member(answer, name, Some(&text.replace('#', &number)))
            }
            Does::Status(status) => Response { status: *status, ..answer },
            Does::Without(header) => {
                answer.headers.retain(|(name, _)| name != header);
                answer
            }
            Does::NoItems => {
                let mut value = answer.value();
                if value["items"].is_array() {
                    value["items"] = json!([]);
                    value["count"] = json!(0);
                    answer.body = value.to_string().into_bytes();
                }
                answer
            }
        })
    }
}

fn bom(body: &[u8]) -> Vec<u8> {
    [b"\xef\xbb\xbf", body].concat()
}

fn utf16(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn latin1(body: &[u8]) -> Vec<u8> {
    with_first(body, b"\"appname\":\"Caf\xe9\"")
}

fn scope_list(body: &[u8]) -> Vec<u8> {
    with_first(body, br#""scope":["all",{"of":"it"}]"#)
}

fn padded(body: &[u8]) -> Vec<u8> {
    let padding = [b"\"padding\":\"".as_slice(), &[b'A'; 300_000], b"\""].concat();
    with_first(body, &padding)
}

fn duplicated(body: &[u8]) -> Vec<u8> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) if !object.is_empty() => {
            let text = Value::Object(object).to_string();
            with_first(body, &text.as_bytes()[1..text.len() - 1])
        }
        _ => body.to_vec(),
    }
}

fn bytes_after(body: &[u8]) -> Vec<u8> {
    [body, b"\n<!-- edge-07 -->\n"].concat()
}

fn blanks_around(body: &[u8]) -> Vec<u8> {
    [b"\r\n\t ", body, b" \r\n\r\n"].concat()
}

/// The object with this before its members; anything else as it is.
fn with_first(body: &[u8], member: &[u8]) -> Vec<u8> {
    match body.strip_prefix(b"{") {
        Some(b"}") => [b"{", member, b"}"].concat(),
        Some(rest) => [b"{", member, b",", rest].concat(),
        None => body.to_vec(),
    }
}
