//! Texts as JSON wants them: UTF-8 without a byte order mark, whatever they came in.

use zeroize::Zeroizing;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text in UTF-8. What cannot be read in it stands there as U+FFFD, which fits into no token. The
/// buffer is wiped, and never outgrown.
pub(super) fn utf8(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let form = Form::of(bytes);
    // A byte or two of these become three at most.
    let mut text = Zeroizing::new(Vec::with_capacity(3 * bytes.len()));
    match form {
        Form::Utf8 => {
            for chunk in without_mark(bytes).utf8_chunks() {
                text.extend_from_slice(chunk.valid().as_bytes());
                if !chunk.invalid().is_empty() {
                    push(&mut text, char::REPLACEMENT_CHARACTER);
                }
            }
        }
        Form::Utf16(read) => {
            let units = bytes.chunks_exact(2).map(|unit| read([unit[0], unit[1]]));
            for read in char::decode_utf16(units) {
                push(&mut text, read.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        Form::Utf32(read) => {
            for unit in bytes.chunks_exact(4) {
                let read = char::from_u32(read([unit[0], unit[1], unit[2], unit[3]]));
                push(&mut text, read.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
    }
    if text.starts_with(UTF8_MARK) {
        text.drain(..UTF8_MARK.len());
    }
    text
}

enum Form {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
    Utf32(fn([u8; 4]) -> u32),
}

impl Form {
    /// By its mark, or by its zero bytes: JSON begins with two characters of ASCII (RFC 4627 section 3).
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0xff, 0xfe, 0, 0, ..] | [1..=255, 0, 0, 0, ..] => Self::Utf32(u32::from_le_bytes),
            [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, 1..=255, ..] => Self::Utf32(u32::from_be_bytes),
            [0xff, 0xfe, ..] | [1..=255, 0, 1..=255, 0, ..] => Self::Utf16(u16::from_le_bytes),
            [0xfe, 0xff, ..] | [0, 1..=255, 0, 1..=255, ..] => Self::Utf16(u16::from_be_bytes),
            _ => Self::Utf8,
        }
    }
}

fn without_mark(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(UTF8_MARK) {
        bytes = rest;
    }
    bytes
}

fn push(text: &mut Vec<u8>, character: char) {
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        String::from_utf8(utf8(bytes).to_vec()).unwrap()
    }

    #[test]
    fn a_text_is_the_same_in_whatever_form_it_came() {
        const TEXT: &str = "{\"a\":\"é\u{1f511}\"}";
        let marked = format!("\u{feff}{TEXT}");
        for text in [TEXT, &marked] {
            let units = || text.encode_utf16();
            let characters = || text.chars().map(u32::from);
            let forms: [Vec<u8>; 5] = [
                text.into(),
                units().flat_map(u16::to_le_bytes).collect(),
                units().flat_map(u16::to_be_bytes).collect(),
                characters().flat_map(u32::to_le_bytes).collect(),
                characters().flat_map(u32::to_be_bytes).collect(),
            ];
            for form in forms {
                assert_eq!(read(&form), TEXT, "{form:02x?}");
            }
        }
        assert_eq!(read(b"\xef\xbb\xbf\xef\xbb\xbf{}"), "{}", "two marks");
    }

    #[test]
    fn what_cannot_be_read_is_marked_and_the_rest_stays() {
        assert_eq!(read(b"{\"a\":\"M\xfcnchen\"}"), "{\"a\":\"M\u{fffd}nchen\"}");
        assert_eq!(read(b"{\0\"\0\x00\xd8}\0\x01"), "{\"\u{fffd}}");
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\xff\xfe"), "");
    }

    #[test]
    fn a_buffer_has_room_for_the_worst_text() {
        assert_eq!(utf8(&[0xff; 1000]).len(), 3000);
        let worst: Vec<u8> = (0..1000).flat_map(|_| 0xffff_u16.to_le_bytes()).collect();
        assert_eq!(utf8(&[b"{\0}\0".as_slice(), &worst].concat()).len(), 2 + 3000);
    }
}
