//! Every coding with samples that other programs wrote: gzip, zlib, brotli and zstd of Python and of the shell.

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use super::*;

/// A token response of 108 bytes.
const TEXT: &[u8] =
    br#"{"refresh_token":"r2","token_type":"bearer","access_token":"a2","expires_in":7200,"scope":"all all all all"}"#;
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xabV*JM+J-\xce\x88/\xc9\xcfN\xcdS\xb2R*2R\xd2Q\x02s\xe2K*\x0bR\x81\x22I\
      \xa9\x89E\xa9E@\xd1\xc4\xe4\xe4\xd4\xe2b\xb8\xcaD\x90\xca\xd4\x8a\x82L\xa0\xfe\xf8L\xa0\x88\xb9\x91\x81\x81\x8eR\
      qr>X[bN\x8e\x02\x12V\xaa\x05\x00\xab\x11.\xefl\x00\x00\x00";
const ZLIB: &[u8] =
    b"x\xda\xabV*JM+J-\xce\x88/\xc9\xcfN\xcdS\xb2R*2R\xd2Q\x02s\xe2K*\x0bR\x81\x22I\xa9\x89E\xa9E@\xd1\xc4\xe4\xe4\xd4\
      \xe2b\xb8\xcaD\x90\xca\xd4\x8a\x82L\xa0\xfe\xf8L\xa0\x88\xb9\x91\x81\x81\x8eRqr>X[bN\x8e\x02\x12V\xaa\x05\x00\
      \xd0\x04#\xd7";
const DEFLATE: &[u8] =
    b"\xabV*JM+J-\xce\x88/\xc9\xcfN\xcdS\xb2R*2R\xd2Q\x02s\xe2K*\x0bR\x81\x22I\xa9\x89E\xa9E@\xd1\xc4\xe4\xe4\xd4\xe2b\
      \xb8\xcaD\x90\xca\xd4\x8a\x82L\xa0\xfe\xf8L\xa0\x88\xb9\x91\x81\x81\x8eRqr>X[bN\x8e\x02\x12V\xaa\x05\x00";
const BROTLI: &[u8] =
    b"\x1bk\x00\x00\x04ds\xa9\x9ee\x83X\x0e\xb6\x22\x06\xc3A\x1e\xac\xe7:9?\xd0\x01\xe5k+\x0b\xd34\x0bS\x09<\x86\xe5\
      \xf7:X\xfa1\x05 \x02\xea\xc1\x19C\xb0\x07\x96\xc29\xcf\xd4 ,\xb14R\xf5\x18\xe7\xaem\xaa\x02\xbc\x1f'\xbb\x97\x92\
      \x0f";
const ZSTD: &[u8] =
    b"(\xb5/\xfd\x00X\x8d\x02\x00\xa2\x04\x10\x16\xa0W\x07\x86)6\x026\x7f\x99\x9b\xdb\xa4\xfe\x05s9\x02IU/\x02\x89\x81\
      \xb5\xb2\xa55\x96b\x82c\xa6\xd0^\x953\x9e\xbbO)\x8d\xd6k^\xf0\xf1\xdd\xf1\x90\xd1F}\xcc^\xb4\x87\x88\xbd\x0eW#\
      \x01\x05\x00;#\xb5:\x06\xf6n\xaaZ\xb8f\x13";
const ZSTD_CHECKED: &[u8] =
    b"(\xb5/\xfd\x04X\x8d\x02\x00\xa2\x04\x10\x16\xa0W\x07\x86)6\x026\x7f\x99\x9b\xdb\xa4\xfe\x05s9\x02IU/\x02\x89\x81\
      \xb5\xb2\xa55\x96b\x82c\xa6\xd0^\x953\x9e\xbbO)\x8d\xd6k^\xf0\xf1\xdd\xf1\x90\xd1F}\xcc^\xb4\x87\x88\xbd\x0eW#\
      \x01\x05\x00;#\xb5:\x06\xf6n\xaaZ\xb8f\x13|\x0d\x86\x96";
const GZIP_NAMED: &[u8] =
    b"\x1f\x8b\x08\x1e\x00\x00\x00\x00\x00\xff\x03\x00abcname.json\x00a comment\x00\x00\x00\xabV*JM+J-\xce\x88/\xc9\
      \xcfN\xcdS\xb2R*2R\xd2Q\x02s\xe2K*\x0bR\x81\x22I\xa9\x89E\xa9E@\xd1\xc4\xe4\xe4\xd4\xe2b\xb8\xcaD\x90\xca\xd4\
      \x8a\x82L\xa0\xfe\xf8L\xa0\x88\xb9\x91\x81\x81\x8eRqr>X[bN\x8e\x02\x12V\xaa\x05\x00\xab\x11.\xefl\x00\x00\x00";
const GZIP_OF_BROTLI: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x01L\x00\xb3\xff\x1bk\x00\x00\x04ds\xa9\x9ee\x83X\x0e\xb6\x22\x06\xc3A\
      \x1e\xac\xe7:9?\xd0\x01\xe5k+\x0b\xd34\x0bS\x09<\x86\xe5\xf7:X\xfa1\x05 \x02\xea\xc1\x19C\xb0\x07\x96\xc29\xcf\
      \xd4 ,\xb14R\xf5\x18\xe7\xaem\xaa\x02\xbc\x1f'\xbb\x97\x92\x0f\x16\xbb\xbaAL\x00\x00\x00";
const GZIP_OF_GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x93\xef\xe6`\x00\x01&\xe6\xd5aZ^\xbe\xda^\xba\xe7:\xf4O\x9e\xf7;\x1b\
      \xbc)H\xcb(\xe8R S\xf1#o-\xee\xa0F%\xcf\x95\x9d\xae+]\x1d.\x1ey\xf2\xe4\xca\xa3\xa4\x1d\xa7\x5c&\x9c\xba\xd2\xd5\
      \xe4\xb3\xe0\xdf\x0f\x9f\x05\x1d;'66\xf6\x05\x15\x16\xd9ED'\xf9\xf51\x09\x85\xadbeX-\xa8\xf7>\x07h4\x00\xf9\xc2\
      \xe7\x99c\x00\x00\x00";
const ZSTD_FLUSHED_CUT: &[u8] =
    b"(\xb5/\xfd\x00X\x8c\x02\x00\xa2\x04\x10\x16\xa0W\x07\x86)6\x026\x7f\x99\x9b\xdb\xa4\xfe\x05s9\x02IU/\x02\x89\x81\
      \xb5\xb2\xa55\x96b\x82c\xa6\xd0^\x953\x9e\xbbO)\x8d\xd6k^\xf0\xf1\xdd\xf1\x90\xd1F}\xcc^\xb4\x87\x88\xbd\x0eW#\
      \x01\x05\x00;#\xb5:\x06\xf6n\xaaZ\xb8f\x13";
const BROTLI_FLUSHED_CUT: &[u8] =
    b"\x8b5\x00\x00\x04ds\xa9\x9ee\x83X\x0e\xb6\x22\x06\xc3A\x1e\xac\xe7:9?\xd0\x01\xe5k+\x0b\xd34\x0bS\x09<\x86\xe5\
      \xf7:X\xfa1\x05 \x02\xea\xc1\x19C\xb0\x07\x96\xc29\xcf\xd4 ,\xb14R\xf5\x18\xe7\xaem\xaa\x02\xbc\x1f'\xbb\x97\x92\
      o\x00";
const GZIP_FLUSHED_CUT: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xaaV*JM+J-\xce\x88/\xc9\xcfN\xcdS\xb2R*2R\xd2Q\x02s\xe2K*\x0bR\x81\x22I\
      \xa9\x89E\xa9E@\xd1\xc4\xe4\xe4\xd4\xe2b\xb8\xcaD\x90\xca\xd4\x8a\x82L\xa0\xfe\xf8L\xa0\x88\xb9\x91\x81\x81\x8eR\
      qr>X[bN\x8e\x02\x12V\xaa\x05\x00\x00\x00\xff\xff";
/// Blanks: 8 MiB, compressed twice, and twice 512 KiB.
const BOMB_GZIP_OF_GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xd7\xb1\x0d\x82@\x00\x85\xe1\xcb]H\x8c\x0bH\x87$6N`\xe22\xd6nq\x84\
      \x86\xc4\x9a\xce\x05\x1c\x839X\x81\x15\x0crc`\xbe\xaf\xfa\xeb\xd7\xbd\xe6u\x08EL\xcb\xd4\x95\xc8\xe7\xf1{=}\x8e\
      \x01\x00\x00\x00\xf8sy\xeeS,\xd1\xae\x8f\xdb\xc5\x1e\x00\x00\x00\xb0\x03\xefj\xa8\xef\xcf\xed\xd6\x87\x1f\xe3|\
      \x86\xcf\xf0\x1f\x00\x00";
const BOMB_BROTLI: &[u8] = b"[\xff\xff\x87_\x02$\x1e\x0b\x04r\xef\x0f\x00";
const BOMB_ZSTD: &[u8] =
    b"(\xb5/\xfd\x04XT\x00\x00\x10  \x01\x00\xfb\xff9\xc0\x02\x02\x00\x10 \x02\x00\x10 \x03\x00\x10 \x97l\xb2m";

const LIMIT: usize = 256 * 1024;

fn headers(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (CONTENT_ENCODING, HeaderValue::from_str(value).unwrap())).collect()
}

fn came(bytes: &[u8]) -> Body {
    Body { bytes: Zeroizing::new(bytes.to_vec()), end: Ok(()) }
}

fn decoded(encoding: &[&str], bytes: &[u8]) -> (Vec<u8>, Result<(), BodyFault>) {
    let body = decode(&headers(encoding), came(bytes), LIMIT);
    (body.bytes.to_vec(), body.end)
}

#[track_caller]
fn assert_text(encoding: &[&str], bytes: &[u8]) {
    let (text, end) = decoded(encoding, bytes);
    assert_eq!((text.escape_ascii().to_string(), end), (TEXT.escape_ascii().to_string(), Ok(())), "{encoding:?}");
}

#[test]
fn each_coding_is_undone_by_its_name_in_whatever_case() {
    for name in ["gzip", "GZIP", " x-gzip ", "X-Gzip"] {
        assert_text(&[name], GZIP);
    }
    for bytes in [ZLIB, DEFLATE] {
        for name in ["deflate", "Deflate"] {
            assert_text(&[name], bytes);
        }
    }
    for name in ["br", "BR"] {
        assert_text(&[name], BROTLI);
    }
    for bytes in [ZSTD, ZSTD_CHECKED] {
        assert_text(&["zstd"], bytes);
    }
}

#[test]
fn codings_are_undone_in_the_order_opposite_to_theirs() {
    assert_text(&["br, gzip"], GZIP_OF_BROTLI);
    assert_text(&["br", "identity", "gzip"], GZIP_OF_BROTLI);
    assert_text(&["gzip, gzip"], GZIP_OF_GZIP);
    let many = ["gzip"; 1000];
    assert_text(&many, GZIP);
}

#[test]
fn what_is_plainly_compressed_is_undone_without_a_word_of_it() {
    for encoding in [&[][..], &["identity"], &["none"], &["utf-8"]] {
        assert_text(encoding, GZIP);
        assert_text(encoding, ZSTD);
        assert_text(encoding, TEXT);
    }
}

#[test]
fn a_text_that_is_not_compressed_is_left_alone_whatever_the_header_says() {
    for name in ["gzip", "deflate", "br", "zstd", "own", "gzip, gzip, gzip, gzip, gzip, gzip"] {
        assert_text(&[name], TEXT);
    }
    assert_eq!(decoded(&["gzip"], b""), (Vec::new(), Ok(())));
}

#[test]
fn what_was_compressed_in_parts_is_put_together() {
    let (text, end) = decoded(&["gzip"], &[GZIP, GZIP].concat());
    assert_eq!((text, end), (TEXT.repeat(2), Ok(())));
    assert_text(&["gzip"], GZIP_NAMED);
}

#[test]
fn a_missing_trailer_does_not_matter() {
    for trailer in 0..=8 {
        assert_text(&["gzip"], &GZIP[..GZIP.len() - trailer]);
    }
    for trailer in 0..=4 {
        assert_text(&["deflate"], &ZLIB[..ZLIB.len() - trailer]);
        assert_text(&["zstd"], &ZSTD_CHECKED[..ZSTD_CHECKED.len() - trailer]);
    }
}

#[test]
fn what_breaks_off_yields_what_it_holds_and_nothing_else() {
    for (name, bytes) in [("gzip", GZIP), ("deflate", ZLIB), ("deflate", DEFLATE), ("br", BROTLI), ("zstd", ZSTD)] {
        let mut longest = 0;
        for cut in 1..bytes.len() {
            let body = Body { bytes: Zeroizing::new(bytes[..cut].to_vec()), end: Err(BodyFault::TimedOut) };
            let body = decode(&headers(&[name]), body, LIMIT);
            assert_eq!(body.end, Err(BodyFault::TimedOut), "{name}, {cut} bytes");
            if TEXT.starts_with(&body.bytes) {
                longest = longest.max(body.bytes.len());
            }
            let (_, end) = decoded(&[name], &bytes[..cut]);
            let nothing_yet = bytes.starts_with(&decoded(&[name], &bytes[..cut]).0);
            assert!(end == Err(BodyFault::BrokenOff) || nothing_yet || cut + 8 >= bytes.len(), "{name}, {cut} bytes");
        }
        assert!(name == "zstd" || longest > TEXT.len() / 2, "{name}: {longest}");
    }
}

#[test]
fn blocks_before_a_break_are_kept() {
    assert_eq!(decoded(&["zstd"], ZSTD_FLUSHED_CUT), (TEXT.to_vec(), Err(BodyFault::BrokenOff)));
    assert_eq!(decoded(&["br"], BROTLI_FLUSHED_CUT), (TEXT.to_vec(), Err(BodyFault::BrokenOff)));
    assert_eq!(decoded(&["gzip"], GZIP_FLUSHED_CUT), (TEXT.to_vec(), Err(BodyFault::BrokenOff)));
}

#[test]
fn what_grows_without_end_is_cut_at_the_limit() {
    for (names, bytes) in [("gzip, gzip", BOMB_GZIP_OF_GZIP), ("br", BOMB_BROTLI), ("zstd", BOMB_ZSTD)] {
        for limit in [10_000, LIMIT] {
            let body = decode(&headers(&[names]), came(bytes), limit);
            assert_eq!((body.bytes.len(), body.end), (limit, Err(BodyFault::TooLong(limit / 1024))), "{names}");
            assert!(body.bytes.iter().all(|byte| *byte == b' '));
        }
    }
}

#[test]
fn noise_is_an_answer_and_no_panic() {
    let mut seed = 7_u32;
    for (name, bytes) in [("gzip", GZIP), ("deflate", ZLIB), ("br", BROTLI), ("zstd", ZSTD_CHECKED)] {
        for _ in 0..500 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut noise = bytes.to_vec();
            let at = seed as usize % noise.len();
            noise[at] ^= (seed >> 24) as u8 | 1;
            assert!(decoded(&[name], &noise).0.len() <= LIMIT);
        }
    }
}
