//! Every coding with samples that other programs wrote: gzip, zlib, brotli and zstd of Python and of the shell.

use reqwest::header::HeaderValue;

use super::*;

/// A token response of 105 bytes.
const TEXT: &[u8] = br#"@TEXT@"#;
@CONSTS@

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
    for (name, bytes) in [("gzip", BOMB_GZIP), ("deflate", BOMB_DEFLATE), ("br", BOMB_BROTLI), ("zstd", BOMB_ZSTD)] {
        for limit in [1, 1000, LIMIT] {
            let body = decode(&headers(&[name]), came(bytes), limit);
            assert_eq!((body.bytes.len(), body.end), (limit, Err(BodyFault::TooLong(limit / 1024))), "{name}");
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
