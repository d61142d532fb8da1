//! One connection: hyper's requests in, outcomes acted out.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Shared;
use super::wire::{Script, Tricks, Wire};
use crate::{Ending, Outcome, Request, Response, Unended, admin};

/// The largest body of a request; the largest that anybody should send is a form with a token in it.
const MAX_BODY: usize = 1024 * 1024;

/// Bytes that are announced and never sent.
const TOO_LONG: usize = 64;

/// The connection ends without an answer. hyper wants an error for that.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on purpose")]
struct Reset;

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let tricks = Arc::new(Tricks::default());
    let wire = Wire::new(stream, Arc::clone(&tricks));
    let service = service_fn(|request| respond(request, &shared, &tricks));
    // Errors are the client's going away, or a reset or cut that was asked for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
}

async fn respond(
    request: hyper::Request<Incoming>,
    shared: &Shared,
    tricks: &Tricks,
) -> Result<hyper::Response<Script>, Reset> {
    let request = match read(request).await {
        Ok(request) => request,
        Err(status) => return Ok(whole(Response { status, ..Response::default() })),
    };
    let Outcome { delay, ending } = shared.change(|provider, now| {
        if request.path.starts_with(admin::PREFIX) {
            let response = admin::handle(provider, now, &request);
            return Outcome { delay: 0, ending: Ending::Reply(response) };
        }
        provider.handle(now, &request)
    });
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    match ending {
        Ending::Reply(response) => Ok(whole(response)),
        Ending::Truncated(response, keep) => {
            Ok(announced(&response, Script::cut(&response.body[..keep]), response.body.len()))
        }
        Ending::Unended(response, Unended::NoLastChunk) => Ok(head(&response, Script::cut(&response.body))),
        Ending::Unended(response, Unended::LengthTooLong) => {
            Ok(announced(&response, Script::cut(&response.body), response.body.len() + TOO_LONG))
        }
        Ending::Unended(response, Unended::Silent) => {
            Ok(announced(&response, Script::silent(&response.body), response.body.len() + TOO_LONG))
        }
        Ending::Coded(response, coding) => Ok(whole(coding.coded(response))),
        Ending::OddHead(response, odd) => {
            tricks.put_in(odd.lines());
            Ok(whole(response))
        }
        Ending::ResetBeforeHandling | Ending::ResetAfterHandling => {
            tricks.reset();
            Err(Reset)
        }
    }
}

/// The response with this length announced.
fn announced(response: &Response, script: Script, length: usize) -> hyper::Response<Script> {
    let mut reply = head(response, script);
    reply.headers_mut().insert(CONTENT_LENGTH, length.into());
    reply
}

/// The request in our terms, or the status that refuses it.
async fn read(request: hyper::Request<Incoming>) -> Result<Request, u16> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) if error.is::<LengthLimitError>() => return Err(413),
        Err(_) => return Err(400),
    };
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Ok(Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    })
}

fn whole(mut response: Response) -> hyper::Response<Script> {
    let script = Script::whole(std::mem::take(&mut response.body));
    head(&response, script)
}

/// Status and headers; what HTTP cannot carry (a fault may ask for it) becomes a 500.
fn head(response: &Response, script: Script) -> hyper::Response<Script> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(script).unwrap_or_else(|_| {
        let mut reply = hyper::Response::new(Script::whole(b"the sandbox cannot send this".to_vec()));
        *reply.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        reply
    })
}
