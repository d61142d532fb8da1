//! Looks for secrets in a text, also for parts of them and in other spellings.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::form_urlencoded;

/// Bytes in a row that are no coincidence, neither with other text nor with another secret.
const PIECE: usize = 12;

/// The beginnings of the secrets of which a piece stands in the text, each with the spelling. `PIECE` bytes of the
/// beginning are enough, and twice as many from anywhere else.
pub(crate) fn leaks(text: &str, secrets: &BTreeSet<String>) -> Vec<(String, &'static str)> {
    let windows: HashSet<&[u8]> = text.as_bytes().windows(PIECE).collect();
    let mut found = Vec::new();
    for secret in secrets.iter().map(|secret| unshared(secret)) {
        for (spelling, spelt) in spellings(secret) {
            if spelt.as_bytes().chunks_exact(PIECE).any(|piece| windows.contains(piece)) {
                // Only what is needed to find it: a reader of the failure need not read all of it.
                found.push((secret.chars().take(PIECE).collect(), spelling));
            }
        }
    }
    found
}

/// A secret without what it shares with others: a JWT's header says how it is signed, and is no secret.
fn unshared(secret: &str) -> &str {
    let payload = secret.starts_with("eyJ").then(|| secret.split_once('.')).flatten();
    payload.map_or(secret, |(_, payload)| payload)
}

/// How a secret could be written.
pub(crate) fn spellings(secret: &str) -> Vec<(&'static str, String)> {
    let escaped = |bytes: &[u8], lower: bool| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = if lower { write!(text, "%{byte:02x}") } else { write!(text, "%{byte:02X}") };
            text
        })
    };
    let hex = secret.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let debug = format!("{secret:?}");
    let json = serde_json::to_string(secret).expect("a string");
    let mut spellings = vec![
        ("plain", secret.to_owned()),
        ("Debug", debug.trim_matches('"').to_owned()),
        ("JSON", json.trim_matches('"').to_owned()),
        ("form", form_urlencoded::byte_serialize(secret.as_bytes()).collect()),
        ("percent, every byte", escaped(secret.as_bytes(), false)),
        ("percent, every byte, lower case", escaped(secret.as_bytes(), true)),
        ("hex", hex.clone()),
        ("hex, upper case", hex.to_uppercase()),
        ("list of bytes", format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned()),
    ];
    // Base64 of a text depends on where in it the secret begins: `id:secret` of HTTP Basic, say.
    for before in 0..3 {
        let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
        // What depends on the neighbours is left out: up to 6 bits at either side.
        let inner = |text: String| {
            let whole = padded.len() / 3 * 4;
            text[(before * 8).div_ceil(6)..whole].to_owned()
        };
        spellings.push(("base64", inner(STANDARD_NO_PAD.encode(&padded))));
        spellings.push(("base64url", inner(URL_SAFE_NO_PAD.encode(&padded))));
    }
    spellings
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.c29tZXRoaW5nLWxvbmc_fn5-.Zm9v-YmFyYmF6cXV4Zm9vYmFy";
    const PASSWORD: &str = "p@ss/w+rd %&\"\\é and more";

    fn found(text: &str) -> BTreeSet<String> {
        let secrets = [TOKEN, PASSWORD].map(str::to_owned).into();
        leaks(text, &secrets).into_iter().map(|(secret, _)| secret).collect()
    }

    fn just(secret: &str) -> BTreeSet<String> {
        [unshared(secret).chars().take(PIECE).collect()].into()
    }

    #[test]
    fn harmless_text_holds_no_secret() {
        assert_eq!(found(""), BTreeSet::new());
        assert_eq!(found("INFO tokend::core: renewed name=campus fingerprint=d23d800d631b4f4c"), BTreeSet::new());
    }

    #[test]
    fn a_secret_is_found_in_every_spelling_wherever_it_stands() {
        for secret in [TOKEN, PASSWORD] {
            for (spelling, spelt) in spellings(secret) {
                assert!(found(&format!("x={spelt}, and more")).is_superset(&just(secret)), "{spelling}: {spelt}");
            }
            for user in ["a", "ab", "abc"] {
                let basic = STANDARD.encode(format!("{user}:{secret}"));
                assert!(found(&format!("Basic {basic}")).is_superset(&just(secret)), "{basic}");
            }
        }
    }

    #[test]
    fn the_beginning_of_a_secret_and_a_good_piece_of_it_are_found() {
        let token = unshared(TOKEN);
        assert_eq!(found(&format!("token {}…", &token[..PIECE])), just(TOKEN));
        for start in 0..token.len() - 2 * PIECE {
            assert_eq!(found(&format!("…{}…", &token[start..start + 2 * PIECE])), just(TOKEN));
        }
    }
}
