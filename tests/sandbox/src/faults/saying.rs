//! What is said in the provider's place, or where its answer was: by something between here and there, or by the
//! provider on a bad day.

use serde::{Deserialize, Serialize};

use super::super::{Endpoint, Response};

/// One thing that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each has its row in the table, which the sandbox program prints")]
pub enum Saying {
    ForbiddenPage,
    ForbiddenText,
    UnauthorizedPage,
    UnauthorizedText,
    UnauthorizedEmpty,
    CaptivePortal,
    InvalidClient,
    UnauthorizedClient,
    InvalidScope,
    InvalidToken,
    ExpiredJwt,
    BadWorkspace,
    NoWorkspace,
    WrongCustomer,
    ErrorWithOk,
    UnsupportedMediaType,
    RequestTimeout,
    ClientClosed,
}

/// A row: name, status, type, body, and what it is, for people.
pub(crate) struct Row {
    saying: Saying,
    pub(crate) name: &'static str,
    status: u16,
    content_type: &'static str,
    body: &'static str,
    pub(crate) is: &'static str,
}

const HTML: &str = "text/html";
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

const DENIED: &str = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>You don't have \
                      permission to access this server.<P>Reference #18.5bfb1902</BODY></HTML>";

const fn row(
    saying: Saying,
    name: &'static str,
    (status, content_type): (u16, &'static str),
    body: &'static str,
    is: &'static str,
) -> Row {
    Row { saying, name, status, content_type, body, is }
}

#[rustfmt::skip]
pub(crate) static ROWS: [Row; 18] = [
    row(Saying::ForbiddenPage, "forbidden-page", (403, HTML), DENIED, "403 with the HTML of a firewall"),
    row(Saying::ForbiddenText, "forbidden-text", (403, TEXT), "Request blocked by policy 4711\n", "403 with text"),
    row(Saying::UnauthorizedPage, "unauthorized-page", (401, HTML), "<html><h1>401 Authorization Required</h1></html>", "401 with HTML"),
    row(Saying::UnauthorizedText, "unauthorized-text", (401, TEXT), "Unauthorized", "401 with text"),
    row(Saying::UnauthorizedEmpty, "unauthorized-empty", (401, TEXT), "", "401 with nothing"),
    row(Saying::CaptivePortal, "captive-portal", (511, HTML), "<html><title>Sign in to the network</title></html>", "511 of a captive portal"),
    row(Saying::InvalidClient, "invalid-client", (401, JSON),
        r#"{"error":"invalid_client","error_description":"Invalid client or client credentials."}"#,
        "invalid_client though the client is good; 400 with Kong's words at the Classic gateway"),
    row(Saying::UnauthorizedClient, "unauthorized-client", (400, JSON),
        r#"{"error":"unauthorized_client","error_description":"The client is not authorized to request this grant type."}"#,
        "400 unauthorized_client"),
    row(Saying::InvalidScope, "invalid-scope", (400, JSON),
        r#"{"error":"invalid_scope","error_description":"The requested scope(s) must be blank or a subset of the provided scopes."}"#,
        "400 invalid_scope"),
    row(Saying::InvalidToken, "invalid-token", (401, JSON),
        r#"{"error":"invalid_token","error_description":"The access token is invalid or has expired"}"#,
        "401 invalid_token though the token is good"),
    row(Saying::ExpiredJwt, "expired-jwt", (400, JSON),
        r#"{"responseCode":400,"message":"signature has expired","debugId":"sandbox"}"#,
        "400 with the words of an expired JWT"),
    row(Saying::BadWorkspace, "bad-workspace", (400, JSON),
        r#"{"httpStatusCode":400,"errorCode":"HPE_GL_ERROR_BAD_REQUEST","message":"Invalid workspace","debugId":"sandbox"}"#,
        "400 HPE_GL_ERROR_BAD_REQUEST"),
    row(Saying::NoWorkspace, "no-workspace", (404, JSON),
        r#"{"httpStatusCode":404,"errorCode":"HPE_GL_WORKSPACES_TENANT_NONEXISTANT","message":"Tenant does not exist","debugId":"sandbox"}"#,
        "404 HPE_GL_WORKSPACES_TENANT_NONEXISTANT"),
    row(Saying::WrongCustomer, "wrong-customer", (403, JSON), r#"{"message":"Invalid customer_id"}"#, "403 of a login for another customer"),
    row(Saying::ErrorWithOk, "error-with-ok", (200, JSON),
        r#"{"error":"temporarily_unavailable","error_description":"Please try again later"}"#,
        "200 with an error in it"),
    row(Saying::UnsupportedMediaType, "unsupported-media-type", (415, JSON), r#"{"message":"Unsupported Media Type"}"#, "415"),
    row(Saying::RequestTimeout, "request-timeout", (408, HTML), "<html><h1>408 Request Timeout</h1></html>", "408 of a gateway"),
    row(Saying::ClientClosed, "client-closed", (499, HTML), "<html><h1>499 Client Closed Request</h1></html>", "499 of a gateway"),
];

impl Saying {
    fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.saying == self).expect("each has its row, as a test says")
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.saying)
    }

    /// Its name, as in JSON and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub(super) fn said(self, endpoint: Endpoint) -> Response {
        if self == Self::InvalidClient && endpoint.is_classic() {
            let kongs = r#"{"error":"invalid_client","error_description":"Invalid client authentication"}"#;
            return Response::new(400, JSON, kongs);
        }
        let Row { status, content_type, body, .. } = *self.row();
        Response::new(status, content_type, body)
    }
}
