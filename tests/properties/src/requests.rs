//! A peer's request, decoded without the socket: the input is one frame.

use tokend_proto::codec::{DecodeError, decode_request, encode_request};
use tokend_proto::limits::MAX_FRAME;
use tokend_proto::{HEADER_LEN, Header, LENGTH_PREFIX, Request, TokenRef, frame_length};

/// What is decoded encodes to a frame that says the same, is no longer, and is the only one of its length to begin so.
/// Names are read and written alike, and a refresh token is not shown.
///
/// # Panics
/// When that does not hold.
pub fn requests(frame: &[u8]) {
    let Some((header, value)) = frame.get(LENGTH_PREFIX..).and_then(|rest| Header::split(rest).ok()) else { return };
    if let Some(prefix) = frame.first_chunk() {
        let announced = u32::from_be_bytes(*prefix) as usize;
        assert_eq!(frame_length(*prefix).ok(), Some(announced).filter(|it| (HEADER_LEN..=MAX_FRAME).contains(it)));
    }
    assert_eq!(header.to_bytes(), frame[LENGTH_PREFIX..LENGTH_PREFIX + HEADER_LEN]);

    let request = match decode_request(value) {
        Ok(request) => request,
        Err(DecodeError::UnknownRequest(number)) => return assert!(number > 12, "{number} is a request of ours"),
        Err(DecodeError::Malformed) => return,
        Err(DecodeError::TrailingBytes(more)) => {
            return assert!(decode_request(&value[..value.len() - more]).is_ok(), "{more} bytes too many");
        }
    };
    if HEADER_LEN + value.len() > MAX_FRAME {
        // No frame brings so much.
        return;
    }
    let encoded = encode_request(header.request_id, &request).expect("what came in one frame fits into one");
    let (again, canonical) = Header::split(&encoded[LENGTH_PREFIX..]).expect("a frame has a header");
    assert_eq!(again, Header::new(header.request_id));
    assert_eq!(
        frame_length(encoded[..LENGTH_PREFIX].try_into().expect("four bytes")),
        Ok(encoded.len() - LENGTH_PREFIX)
    );
    assert_eq!(decode_request(canonical), Ok(request));
    assert!(canonical.len() <= value.len(), "{} bytes became {}", value.len(), canonical.len());
    for end in 0..canonical.len().min(64) {
        assert!(decode_request(&canonical[..end]).is_err(), "cut at {end} it is still a request");
    }
    assert_eq!(decode_request(&[canonical, b"\0"].concat()), Err(DecodeError::TrailingBytes(1)));

    for name in names(&request).into_iter().flatten() {
        if let Ok(parsed) = name.parse::<TokenRef>() {
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }
    if let Request::Import { refresh_token, .. } = request {
        let shown = format!("{:?}", Request::Import { name: "legacy", refresh_token });
        assert_eq!(shown, r#"Import { name: "legacy", refresh_token: SecretStr(…) }"#);
    }
}

fn names<'a>(request: &Request<'a>) -> [Option<&'a str>; 2] {
    match *request {
        Request::Get { name, .. }
        | Request::Reject { name, .. }
        | Request::Refresh { name }
        | Request::Watch { name }
        | Request::Explain { name }
        | Request::Import { name, .. } => [Some(name), None],
        Request::Status { name, after } => [name, after],
        Request::Tenants { profile, after } => [Some(profile), after],
        Request::Rights { after } => [after, None],
        Request::Ping | Request::Reload | Request::WhoAmI | Request::Unwatch { .. } => [None, None],
    }
}
