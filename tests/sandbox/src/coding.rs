//! Content codings (RFC 9110, section 8.4.1) without compression: blocks that are stored as they are.

use super::{Coding, Response};

/// The most that a stored block of deflate holds (RFC 1951, section 3.2.4).
const BLOCK: usize = 0xffff;

impl Coding {
    /// The response as it goes over the wire.
    #[must_use]
    pub fn coded(self, response: Response) -> Response {
        let body = self.encode(&response.body);
        Response { body, ..response }.with("content-encoding", self.name())
    }

    /// What `Content-Encoding` says.
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate | Self::RawDeflate => "deflate",
        }
    }

    fn encode(self, body: &[u8]) -> Vec<u8> {
        let deflated = stored(body);
        match self {
            Self::RawDeflate => deflated,
            Self::Deflate => [&[0x78, 0x01], deflated.as_slice(), &adler32(body).to_be_bytes()].concat(),
            Self::Gzip => {
                // No name, no time, an unknown system: RFC 1952, section 2.3.
                let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
                let size = (body.len() % (1 << 32)) as u32;
                let crc = crc32fast::hash(body);
                [&head, deflated.as_slice(), &crc.to_le_bytes(), &size.to_le_bytes()].concat()
            }
        }
    }
}

fn stored(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 16);
    let mut blocks = body.chunks(BLOCK).peekable();
    if blocks.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out
}

/// RFC 1950, section 8.2.
fn adler32(body: &[u8]) -> u32 {
    const PRIME: u32 = 65_521;
    let (a, b) = body.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % PRIME;
        (a, (a + b) % PRIME)
    });
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_the_books() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        let gzip = Coding::Gzip.encode(b"123456789");
        assert_eq!(gzip[gzip.len() - 8..][..4], 0xcbf4_3926_u32.to_le_bytes());
    }

    #[test]
    fn a_long_body_is_stored_in_blocks_of_which_only_the_last_says_so() {
        let body = vec![b'x'; BLOCK + 1];
        let coded = Coding::RawDeflate.encode(&body);
        assert_eq!(coded.len(), body.len() + 2 * 5);
        assert_eq!((coded[0], coded[5 + BLOCK]), (0, 1));
        assert_eq!(Coding::RawDeflate.encode(b""), [1, 0, 0, 0xff, 0xff]);
    }
}
