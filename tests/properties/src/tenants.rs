//! A page of an MSP workspace's tenants. The input is as for `token_responses`; its first word does not matter.

use serde_json::Value;
use tokend::core::provider::{Answer, TenantPage};
use tokend::provider::{Parsed, RequestKind, interpret};
use tokend_proto::{TenantRef, WorkspaceId};

use super::token_responses::{Response, failed};

/// What the provider gives at once, at most.
const FULL: u64 = 300;

/// Of a page nothing is made up, nothing is mistaken for something else, and its count is that of its entries, so that
/// the next page begins where this one ends. Every name on it can be asked for.
///
/// # Panics
/// When that does not hold.
pub fn tenants(data: &[u8]) {
    let response = Response::of(data);
    for offset in [0, data.len() as u64, u64::MAX] {
        match interpret(RequestKind::ListTenants, offset, response.came()) {
            Parsed::Answer(Answer::Failed(failure)) => failed(RequestKind::ListTenants, response.status, &failure),
            Parsed::Answer(Answer::Tenants(page)) => {
                assert!((200..300).contains(&response.status), "a page with status {}", response.status);
                page_is_that_of(&response, offset, &page);
            }
            other => panic!("a listing brought {other:?}"),
        }
    }
}

fn page_is_that_of(response: &Response<'_>, offset: u64, page: &TenantPage) {
    let Some(json) = response.json() else { return };
    let entries = json["items"].as_array().expect("a page has a list");
    assert_eq!(page.received, entries.len() as u64);
    match json.get("total").and_then(Value::as_u64) {
        Some(total) => assert_eq!(page.total, total),
        None if page.received < FULL => assert_eq!(page.total, offset.saturating_add(page.received)),
        None => assert_eq!(page.total, offset.saturating_add(page.received).saturating_add(1)),
    }

    let id = |entry: &Value| entry.get("id")?.as_str()?.parse::<WorkspaceId>().ok();
    let with_ids: Vec<_> = entries.iter().filter_map(|entry| Some((id(entry)?, entry))).collect();
    assert_eq!(page.items.len(), with_ids.len());
    for ((id, name), (expected, entry)) in page.items.iter().zip(with_ids) {
        assert_eq!(*id, expected);
        if !name.is_empty() {
            assert_eq!(Some(name.as_str()), entry["workspaceName"].as_str());
            assert!(name.parse::<TenantRef>().is_ok(), "{name:?} cannot be asked for");
        }
    }
}
