//! Reads the members of a JSON object, whatever is odd in those that nobody asks for.
//!
//! An answer that spent something must not be lost for a byte of Latin-1, a line end or a `NaN` in a field that is of
//! no interest, for a key that stands there twice, or for what stands before or after the object. So values are not
//! read here: they are found by their ends. Nothing calls itself, so that no depth of nesting can overflow the stack.

use std::borrow::Cow;

use tokend_proto::Secret;
use zeroize::Zeroizing;

use super::body::BodyFault;

/// The keys that are of interest. Others are skipped.
const KEYS: [&str; 12] = [
    "access_token",
    "auth_code",
    "error",
    "error_description",
    "expires_in",
    "message",
    "refresh_token",
    "token_type",
    // Of objects that hold the one that is meant.
    "data",
    "response",
    "result",
    "token",
];

/// Most members of interest: there are as many keys, and some stand there twice.
const MOST_MEMBERS: usize = 256;

/// Places where an object may begin that are tried: messages in front of it may hold braces.
const MOST_BEGINS: usize = 8;

/// The members of interest in their order, with repetitions; the values as they stand there.
pub(super) struct Object<'a>(Vec<(&'static str, &'a [u8])>);

/// An object in a text.
pub(super) struct Found<'a> {
    pub(super) object: Object<'a>,
    /// Only blanks are around it.
    pub(super) alone: bool,
}

/// The first object of a text. One that begins the text and is broken or cut off is the only one that is looked at:
/// what stands in it could be of an older time.
pub(super) fn find(text: &[u8]) -> Result<Found<'_>, BodyFault> {
    let begins = text.iter().enumerate().filter(|(_, byte)| **byte == b'{').map(|(at, _)| at);
    let mut fault = BodyFault::NotJson;
    for begin in begins.take(MOST_BEGINS) {
        let mut scan = Scan { text, at: begin + 1 };
        match scan.members() {
            Ok(object) => {
                let around = [&text[..begin], &text[scan.at..]];
                return Ok(Found { object, alone: around.iter().all(|text| text.trim_ascii().is_empty()) });
            }
            Err(broken) => {
                fault = broken;
                if text[..begin].iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'[') {
                    break;
                }
            }
        }
    }
    Err(fault)
}

impl<'a> Object<'a> {
    /// Values of this key, the last one first: that is the one that most readers take.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().rev().filter(move |(found, _)| *found == key).map(|(_, value)| *value)
    }

    /// The last one that is a string, without the blanks and line ends around it.
    pub(super) fn text(&self, key: &str) -> Option<Secret> {
        self.all(key).find_map(text)
    }

    /// Whether the last one stands for nothing.
    pub(super) fn is_nothing(&self, key: &str) -> bool {
        self.all(key).next().is_none_or(|value| value == b"null")
    }

    /// The one object that stands under a key that is known for it, or in this one.
    pub(super) fn inner(&self) -> Option<Found<'a>> {
        let mut all = ["data", "response", "result", "token"].into_iter().flat_map(|key| self.all(key));
        let inner = all.find(|value| value.starts_with(b"{") || value.starts_with(b"["))?;
        find(inner).ok()
    }
}

/// A string, without the blanks and control characters around it.
pub(super) fn text(value: &[u8]) -> Option<Secret> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_blank = |byte: &u8| *byte <= b' ';
    let begin = inner.iter().position(|byte| !is_blank(byte)).unwrap_or(inner.len());
    let end = inner.iter().rposition(|byte| !is_blank(byte)).map_or(begin, |last| last + 1);
    let mut quoted = Zeroizing::new(Vec::with_capacity(value.len()));
    quoted.push(b'"');
    quoted.extend_from_slice(&inner[begin..end]);
    quoted.push(b'"');
    let read = Zeroizing::new(serde_json::from_slice::<String>(&quoted).ok()?);
    // Those that were written as escapes.
    let is_around = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    Some(Secret::from(read.trim_matches(is_around)))
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// From behind the opening brace to behind the closing one.
    fn members(&mut self) -> Result<Object<'a>, BodyFault> {
        let mut members = Vec::new();
        loop {
            match self.next_of(|byte| byte.is_ascii_whitespace() || byte == b',')? {
                b'}' => {
                    self.at += 1;
                    return Ok(Object(members));
                }
                b'"' => {}
                _ => return Err(BodyFault::NotJson),
            }
            let key = known(self.string()?);
            if self.next_of(|byte| byte.is_ascii_whitespace())? != b':' {
                return Err(BodyFault::NotJson);
            }
            self.at += 1;
            let value = self.value()?;
            if let Some(key) = key.filter(|_| members.len() < MOST_MEMBERS) {
                members.push((key, value));
            }
        }
    }

    /// The first byte that is not one of these, which stays the next one.
    fn next_of(&mut self, skipped: impl Fn(u8) -> bool) -> Result<u8, BodyFault> {
        loop {
            match self.text.get(self.at) {
                None => return Err(BodyFault::HalfJson),
                Some(byte) if skipped(*byte) => self.at += 1,
                Some(byte) => return Ok(*byte),
            }
        }
    }

    /// With its quotes.
    fn string(&mut self) -> Result<&'a [u8], BodyFault> {
        let begin = self.at;
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                None => return Err(BodyFault::HalfJson),
                Some(b'\\') => self.at += 2,
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[begin..self.at]);
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn value(&mut self) -> Result<&'a [u8], BodyFault> {
        let first = self.next_of(|byte| byte.is_ascii_whitespace())?;
        let begin = self.at;
        match first {
            b'"' => return self.string(),
            b'{' | b'[' => self.nested()?,
            // A number, true, null, or whatever a provider takes for a value.
            _ => {
                self.next_of(|byte| !matches!(byte, b',' | b'}'))?;
            }
        }
        Ok(self.text[begin..self.at].trim_ascii_end())
    }

    /// To behind the end of what begins here.
    fn nested(&mut self) -> Result<(), BodyFault> {
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at) {
                None => return Err(BodyFault::HalfJson),
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Which key of interest this is.
fn known(quoted: &[u8]) -> Option<&'static str> {
    let bare = &quoted[1..quoted.len() - 1];
    let key: Cow<'_, [u8]> = match bare.contains(&b'\\') {
        true => serde_json::from_slice::<String>(quoted).ok()?.into_bytes().into(),
        false => bare.into(),
    };
    KEYS.into_iter().find(|known| known.as_bytes() == &*key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn token_of(json: &[u8]) -> Option<Secret> {
        find(json).unwrap_or_else(|fault| panic!("{fault}: {}", json.escape_ascii())).object.text("refresh_token")
    }

    #[test]
    fn what_nobody_asks_for_can_be_as_odd_as_it_likes() {
        let deep = [b"[{\"a\":".repeat(100_000), b"0".to_vec(), b"}]".repeat(100_000)].concat();
        let odd: [&[u8]; 14] = [
            b"1",
            b"-0.5e+7",
            b"1e999",
            b"NaN",
            b"-Infinity",
            b"",
            b"\"M\xfcnchen\"",
            b"\"two\nlines\"",
            b"\"\\q\"",
            b"\"\\ud800\"",
            b"\"}\"",
            b"[1,{\"refresh_token\":\"no\"},\"]\"]",
            b"{}",
            &deep,
        ];
        for value in odd {
            for json in [
                [b"{\"odd\":".as_slice(), value, b",\"refresh_token\":\"r2\"}"].concat(),
                [b"{\"refresh_token\":\"r2\" ,\n \"odd\" : ".as_slice(), value, b" , }"].concat(),
            ] {
                assert_eq!(token_of(&json), Some("r2".into()), "{}", value[..value.len().min(40)].escape_ascii());
                assert!(find(&json).unwrap().alone);
            }
        }
    }

    #[test]
    fn the_last_value_that_can_be_read_counts() {
        let cases: [(&str, &str); 6] = [
            (r#""r1","refresh_token":"r2""#, "r2"),
            (r#""r2","refresh_token":null"#, "r2"),
            (r#""r2","refresh_token":7"#, "r2"),
            (r#""r1","refresh\u005ftoken":"r2""#, "r2"),
            (r#"{},"refresh_token":"r2""#, "r2"),
            (r#""r2","Refresh_token":"r1""#, "r2"),
        ];
        for (members, expected) in cases {
            let json = format!("{{\"refresh_token\":{members}}}");
            assert_eq!(token_of(json.as_bytes()), Some(expected.into()), "{json}");
        }
    }

    #[test]
    fn an_object_is_found_among_other_things() {
        for (text, alone) in [
            ("{\"refresh_token\":\"r2\"}", true),
            (" \r\n{\"refresh_token\":\"r2\"}\n ", true),
            ("[{\"refresh_token\":\"r2\"}]", false),
            ("{\"refresh_token\":\"r2\"}\0\0", false),
            ("{\"refresh_token\":\"r2\"}{\"refresh_token\":\"r3\"}", false),
            ("Notice: {x} is {}y\n)]}',\n{\"refresh_token\":\"r2\"}", false),
            ("{\"refresh_token\":\"r2\"}</body>", false),
        ] {
            let text = text.replace("{}y", "y");
            assert_eq!(token_of(text.as_bytes()), Some("r2".into()), "{text}");
            assert_eq!(find(text.as_bytes()).unwrap().alone, alone, "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_is_no_object_wherever_the_cut_is() {
        let whole = br#"{"a":[{"b":"}"}],"refresh_token":"r\"2}","n":7.5,"data":{"c":"\\"}}"#;
        assert!(find(whole).is_ok_and(|found| found.alone));
        for cut in 0..whole.len() {
            assert!(find(&whole[..cut]).is_err(), "{}", whole[..cut].escape_ascii());
        }
        assert_eq!(find(b"{\"a\":1").err(), Some(BodyFault::HalfJson));
        assert_eq!(find(b"upstream gone").err(), Some(BodyFault::NotJson));
        assert_eq!(find(b"{upstream: gone}").err(), Some(BodyFault::NotJson));
    }

    #[test]
    fn a_text_loses_what_is_around_it_and_nothing_inside() {
        let cases: [(&[u8], Option<&str>); 10] = [
            (b"\"r2\"", Some("r2")),
            (b"\" r2\\r\\n\"", Some("r2")),
            (b"\"\n\tr2\r\n\"", Some("r2")),
            (b"\"\\ufeffr2\"", Some("r2")),
            (b"\"a b\"", Some("a b")),
            (b"\"a\\nb\"", Some("a\nb")),
            (b"\"a\nb\"", None),
            (b"\"\"", Some("")),
            (b"7", None),
            (b"\"", None),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected.map(Secret::from), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn members_are_bounded() {
        let json = format!("{{{}}}", "\"error\":1,".repeat(10_000));
        assert_eq!(find(json.as_bytes()).unwrap().object.all("error").count(), MOST_MEMBERS);
    }
}
