//! The tenants of an MSP workspace, page by page.

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use tokend_proto::{Secret, WorkspaceId};

use super::body::{self, BodyFault};
use super::charset;
use super::classify::{self, RequestKind};
use super::http::Http;
use super::reply::Reply;
use super::request::{self, Request};
use crate::core::provider::{Failure, TenantPage};
use crate::core::settings::{Endpoint, Profile};

const ASKED: RequestKind = RequestKind::ListTenants;

/// The provider's limit.
const PAGE: u64 = 300;

/// What a token's name has room for (see `TenantRef`). Nobody can ask for a tenant by a longer one.
const MAX_WORKSPACE_NAME: usize = 256;

/// One page, from the item numbered `offset` on.
pub(super) async fn page(
    http: &Http,
    profile: &Profile,
    base: &Endpoint,
    token: &Secret,
    offset: u64,
) -> Result<TenantPage, Failure> {
    let request = Request::get(ASKED, url(base, offset)?).secret_header("authorization", "Bearer ", token.expose())?;
    page_of(&http.send(profile, request).await?, offset)
}

/// What the answer brings.
pub(super) fn page_of(reply: &Reply, offset: u64) -> Result<TenantPage, Failure> {
    let body = classify::success(ASKED, reply)?;
    parse(body, offset).map_err(|fault| {
        let refused = classify::error_in_success(ASKED, reply, &charset::utf8(body));
        refused.unwrap_or_else(|| classify::unreadable(ASKED, reply, fault))
    })
}

fn url(base: &Endpoint, offset: u64) -> Result<Url, Failure> {
    request::url(ASKED, &base.url, format_args!("/workspaces/v1/msp-tenants?limit={PAGE}&offset={offset}"))
}

fn parse(body: &[u8], offset: u64) -> Result<TenantPage, BodyFault> {
    #[derive(Deserialize)]
    struct Raw {
        total: Option<u64>,
        items: Vec<Value>,
    }

    let raw: Raw = body::json(body, "a page of tenants")?;
    let received = raw.items.len() as u64;
    Ok(TenantPage {
        total: raw.total.unwrap_or_else(|| total_without_word(offset, received)),
        items: raw.items.iter().filter_map(tenant).collect(),
        received,
    })
}

/// Where the provider does not say how many there are, a page that is not full is the last one, and behind a
/// full one there is taken to be one more: the next page will tell.
fn total_without_word(offset: u64, received: u64) -> u64 {
    let seen = offset.saturating_add(received);
    if received < PAGE { seen } else { seen.saturating_add(1) }
}

/// An entry without a usable id is none; one without a usable name has an empty one.
fn tenant(item: &Value) -> Option<(WorkspaceId, String)> {
    let id = item.get("id")?.as_str()?.parse().ok()?;
    let name = item.get("workspaceName").and_then(Value::as_str).filter(|name| name.len() <= MAX_WORKSPACE_NAME);
    Some((id, name.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

    fn read(json: &Value, offset: u64) -> TenantPage {
        parse(json.to_string().as_bytes(), offset).unwrap()
    }

    #[test]
    fn a_documented_page_is_read() {
        let body = format!(
            r#"{{"offset":0,"count":1,"total":7,"items":[{{"id":"{ID}","workspaceName":"Acme Corp","createdBy":{{}}}}]}}"#
        );
        let page = parse(body.as_bytes(), 0).unwrap();
        assert_eq!(page, TenantPage { total: 7, items: vec![(ID.parse().unwrap(), "Acme Corp".into())], received: 1 });
    }

    #[test]
    fn entries_without_a_usable_id_are_dropped_but_counted() {
        let items = serde_json::json!([
            {"workspaceName": "no id"}, {"id": 5}, {"id": "short"}, "text", null,
            {"id": ID}, {"id": ID.replace('-', ""), "workspaceName": null}, {"id": ID, "workspaceName": "x".repeat(257)},
        ]);
        let page = read(&serde_json::json!({"total": 8, "items": items}), 0);
        assert_eq!(page.received, 8);
        assert_eq!(page.items, vec![(ID.parse().unwrap(), String::new()); 3]);
    }

    #[test]
    fn without_a_total_a_page_that_is_not_full_is_the_last() {
        let full = vec![serde_json::json!({"id": ID}); PAGE as usize];
        assert_eq!(read(&serde_json::json!({"items": full}), 300).total, 601);
        assert_eq!(read(&serde_json::json!({"items": full[1..]}), 300).total, 599);
        assert_eq!(read(&serde_json::json!({"items": [], "total": null}), 600).total, 600);
        assert_eq!(read(&serde_json::json!({"items": full}), u64::MAX).total, u64::MAX);
    }

    #[test]
    fn json_of_another_shape_is_a_fault() {
        for body in ["{}", "[]", r#"{"items":{}}"#, r#"{"items":[],"total":"many"}"#, r#"{"items":[],"total":-1}"#] {
            assert_eq!(parse(body.as_bytes(), 0), Err(BodyFault::OtherShape("a page of tenants")), "{body}");
        }
    }
}
