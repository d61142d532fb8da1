//! What `tokenctl get` is compared with: the least that a process does to get a token, by hand and with nothing but
//! std.
//!
//! `minimal-get SOCKET NAME` prints the token. The benchmark compiles it by itself, static. It knows no errors:
//! whatever goes wrong ends it.

use std::io::{Error, Read, Result, Write};
use std::os::unix::net::UnixStream;

/// `Request::Get` and `Reply::Token`: their places in those types.
const GET: u8 = 1;
const TOKEN: u8 = 1;

/// How long it waits, as the command line does: 10,000 ms as bincode has a number over 250.
const WAIT: [u8; 3] = [251, 0x10, 0x27];

/// Version, request id, flags.
const HEADER: usize = 10;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(socket), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err(Error::other("minimal-get SOCKET NAME"));
    };
    let mut value = vec![GET, u8::try_from(name.len()).map_err(Error::other)?];
    value.extend_from_slice(name.as_bytes());
    // No least life.
    value.push(0);
    value.extend_from_slice(&WAIT);
    let length = u32::try_from(HEADER + value.len()).map_err(Error::other)?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    frame.extend_from_slice(&value);

    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&frame)?;
    let mut reply = [0; 4096];
    let mut read = 0;
    while read < 4 || read < 4 + u32::from_be_bytes([reply[0], reply[1], reply[2], reply[3]]) as usize {
        match stream.read(&mut reply[read..])? {
            0 => return Err(Error::other("no whole reply")),
            length => read += length,
        }
    }
    let value = &reply[4 + HEADER..read];
    let token = match value {
        [TOKEN, 251, low, high, rest @ ..] => rest.get(..usize::from(u16::from_le_bytes([*low, *high]))),
        [TOKEN, length @ 0..=250, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    };
    let mut line = token.ok_or_else(|| Error::other("no token"))?.to_vec();
    line.push(b'\n');
    std::io::stdout().lock().write_all(&line)
}
