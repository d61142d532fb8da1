//! Where tokens, secrets and ids come from: a seed and a counter, so that a run can be repeated.

/// SplitMix64's increment: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Room for the header, and for enough of the rest that no two tokens are the same.
const SHORTEST_JWT: usize = 64;

/// The shortest Classic token that is not found twice.
const SHORTEST_OPAQUE: usize = 16;

/// The longest token that anybody can ask for.
const LONGEST: usize = 1024 * 1024;

/// Secrets that a ledger holds.
const LEDGER: usize = 10_000;

/// The header of the tokens that look like a JWT: `{"alg":"RS256","kid":"sandbox"}`.
const JWT_HEADER: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InNhbmRib3gifQ";

/// A source of names that nobody has seen before. Not fit for keeping real secrets.
#[derive(Clone)]
pub(super) struct Mint {
    state: u64,
    ledger: Option<Vec<String>>,
    colons: bool,
}

impl Mint {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: mix(seed ^ GOLDEN), ledger: None, colons: false }
    }

    /// Writes down, from now on, whatever is minted and is a secret.
    pub(super) fn keep_ledger(&mut self) {
        self.ledger.get_or_insert_default();
    }

    /// What was written down.
    pub(super) fn ledger(&self) -> &[String] {
        self.ledger.as_deref().unwrap_or_default()
    }

    /// Access tokens have a colon in them from now on, or have none.
    pub(super) fn put_colons(&mut self, colons: bool) {
        self.colons = colons;
    }

    fn write_down(&mut self, secret: &str) {
        if let Some(ledger) = &mut self.ledger {
            assert!(ledger.len() < LEDGER, "a ledger is for short runs");
            ledger.push(secret.to_owned());
        }
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number from 0 up to, but not including, 1.
    pub(super) fn roll(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A token in the shape of a JWT: a `b64token` (RFC 6750, section 2.1) of that many bytes.
    pub(super) fn jwt(&mut self, length: usize) -> String {
        let length = length.clamp(SHORTEST_JWT, LONGEST);
        let rest = length - JWT_HEADER.len() - 2;
        let signature = (rest / 3).min(342);
        let mut token = String::with_capacity(length);
        token.push_str(JWT_HEADER);
        token.push('.');
        self.push_base64url(&mut token, rest - signature);
        token.push('.');
        self.push_base64url(&mut token, signature);
        self.put_colon(&mut token);
        self.write_down(&token);
        token
    }

    /// A Classic access token.
    pub(super) fn opaque(&mut self, length: usize) -> String {
        let mut token = self.letters(length);
        self.put_colon(&mut token);
        self.write_down(&token);
        token
    }

    fn put_colon(&self, token: &mut String) {
        if self.colons {
            token.replace_range(7..8, ":");
        }
    }

    /// Letters and digits, as Kong makes tokens and codes.
    pub(super) fn alphanumeric(&mut self, length: usize) -> String {
        let text = self.letters(length);
        self.write_down(&text);
        text
    }

    fn letters(&mut self, length: usize) -> String {
        let length = length.clamp(SHORTEST_OPAQUE, LONGEST);
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let missing = length - text.len();
            self.push_base64url(&mut text, missing);
            text.retain(|c| c.is_ascii_alphanumeric());
        }
        text
    }

    /// 32 hex digits.
    pub(super) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    fn push_base64url(&mut self, text: &mut String, mut count: usize) {
        while count > 0 {
            let mut bits = self.next();
            for _ in 0..count.min(10) {
                text.push(char::from(BASE64URL[(bits & 63) as usize]));
                bits >>= 6;
                count -= 1;
            }
        }
    }
}

/// 32 hex digits with the hyphens of a UUID.
pub(super) fn with_hyphens(id: &str) -> String {
    match (id.len(), id.is_ascii()) {
        (32, true) => [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-"),
        _ => id.to_owned(),
    }
}

/// SplitMix64's finalizer.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tokens_are_b64tokens_of_the_length_asked_for_and_never_repeat() {
        let mut mint = Mint::new(7);
        let tokens: BTreeSet<String> = (0..1000).map(|_| mint.jwt(900)).collect();
        assert_eq!(tokens.len(), 1000);
        for token in &tokens {
            assert_eq!(token.len(), 900);
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b)), "{token}");
        }
        assert_eq!(mint.alphanumeric(32).len(), 32);
        assert_eq!((mint.jwt(0).len(), mint.alphanumeric(0).len()), (SHORTEST_JWT, SHORTEST_OPAQUE));
        assert_eq!(with_hyphens(&mint.hex()).len(), 36);
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens_and_another_seed_others() {
        assert_eq!(Mint::new(1).jwt(300), Mint::new(1).jwt(300));
        assert_ne!(Mint::new(1).jwt(300), Mint::new(2).jwt(300));
    }
}
