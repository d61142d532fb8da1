//! The two listings of an MSP workspace's tenants.

use serde_json::{Value, json};

use super::api::{forbidden, greenlake_error, unauthorized};
use super::call::Call;
use super::mint::with_hyphens;
use super::state::{Scope, Workspace};
use super::{Now, OffsetCounts, Provider, Response};

/// The most tenants in one page of GreenLake's listing.
const LARGEST_PAGE: usize = 300;

/// The page when nothing else is asked for.
const USUAL_PAGE: usize = 100;

/// The most tenants in one page of Central's listing.
const LARGEST_CENTRAL_PAGE: usize = 100;

impl Provider {
    /// `GET /workspaces/v1/msp-tenants?limit&offset&filter`.
    pub(super) fn msp_tenants(&self, now: Now, call: &Call<'_>) -> Response {
        self.listing(now, call, |tenants| {
            let limit = page_size(call, LARGEST_PAGE)?.min(self.quirks.largest_page.max(1));
            let offset = call.number("offset")?.unwrap_or(0);
            let wanted = filtered_name(call.param("filter"))?;
            let is_wanted = |(_, name): &&(String, String)| wanted.as_ref().is_none_or(|wanted| name == wanted);
            let tenants: Vec<_> = tenants.iter().filter(is_wanted).collect();
            let skip = match self.quirks.offset_counts {
                OffsetCounts::Items => offset,
                OffsetCounts::Pages => offset.saturating_mul(limit),
                OffsetCounts::Nothing => 0,
            };
            let items: Vec<Value> = tenants
                .iter()
                .skip(skip)
                .take(limit)
                .map(|(id, name)| json!({ "id": self.listed(id), "workspaceName": name }))
                .collect();
            Ok(json!({ "offset": offset, "count": items.len(), "total": tenants.len(), "items": items }))
        })
    }

    /// `GET /workspaces/v1/msp-tenants/{id}`.
    pub(super) fn msp_tenant(&self, now: Now, call: &Call<'_>) -> Response {
        let workspace = match self.msp_workspace(now, call) {
            Ok(workspace) => workspace,
            Err(refusal) => return refusal,
        };
        let wanted = call.id.unwrap_or_default().replace('-', "").to_ascii_lowercase();
        match workspace.tenants.iter().find(|(id, _)| *id == wanted) {
            Some((id, name)) => Response::json(200, &json!({ "id": self.listed(id), "workspaceName": name })),
            None => greenlake_error(404, "HPE_GL_WORKSPACES_TENANT_NONEXISTANT", "Tenant does not exist"),
        }
    }

    /// `GET /network-msp/v1/list-tenants?limit&next`; `next` counts pages from 1.
    pub(super) fn central_tenants(&self, now: Now, call: &Call<'_>) -> Response {
        self.listing(now, call, |tenants| {
            let limit = page_size(call, LARGEST_CENTRAL_PAGE)?;
            let next = call.number("next")?.unwrap_or(1).max(1);
            let items: Vec<Value> = tenants
                .iter()
                .skip((next - 1).saturating_mul(limit))
                .take(limit)
                .map(|(id, name)| json!({ "tenantId": self.listed(id), "tenantName": name }))
                .collect();
            let more = next.saturating_mul(limit) < tenants.len();
            let following = if more { json!((next + 1).to_string()) } else { Value::Null };
            Ok(json!({ "count": items.len(), "total": tenants.len(), "next": following, "items": items }))
        })
    }

    fn listing(
        &self,
        now: Now,
        call: &Call<'_>,
        page: impl FnOnce(&[(String, String)]) -> Result<Value, &'static str>,
    ) -> Response {
        match self.msp_workspace(now, call).map(|workspace| page(&workspace.tenants)) {
            Err(refusal) => refusal,
            Ok(Ok(body)) => Response::json(200, &body),
            Ok(Err(parameter)) => greenlake_error(400, "HPE_GL_ERROR_BAD_REQUEST", &format!("Invalid {parameter}")),
        }
    }

    /// The workspace whose tenants the bearer may list.
    fn msp_workspace(&self, now: Now, call: &Call<'_>) -> Result<&Workspace, Response> {
        let bearer = call.request.bearer_token().and_then(|token| self.state.tokens.live(now, token));
        let workspace = match bearer.map(|token| &token.scope) {
            None | Some(Scope::Classic | Scope::Other) => return Err(unauthorized()),
            Some(Scope::Workspace(id)) => self.state.workspaces.get(id),
            Some(Scope::Central | Scope::Tenant(_)) => None,
        };
        let msp = workspace.filter(|workspace| !workspace.tenants.is_empty());
        msp.ok_or_else(|| forbidden("Not an MSP workspace"))
    }

    fn listed(&self, id: &str) -> String {
        if self.quirks.hyphens_in_listing { with_hyphens(id) } else { id.to_owned() }
    }
}

/// The name in `workspaceName eq '…'`, where a quote is written twice (OData, `SQUOTE-in-string`); none without a
/// filter.
fn filtered_name(filter: &str) -> Result<Option<String>, &'static str> {
    if filter.is_empty() {
        return Ok(None);
    }
    let quoted = filter.trim().strip_prefix("workspaceName eq ").map(str::trim);
    let inner = quoted.and_then(|quoted| quoted.strip_prefix('\'')?.strip_suffix('\''));
    let inner = inner.filter(|inner| !inner.replace("''", "").contains('\''));
    inner.map(|inner| Some(inner.replace("''", "'"))).ok_or("filter")
}

fn page_size(call: &Call<'_>, largest: usize) -> Result<usize, &'static str> {
    let limit = call.number("limit")?.unwrap_or(USUAL_PAGE);
    if (1..=largest).contains(&limit) { Ok(limit) } else { Err("limit") }
}

#[cfg(test)]
mod tests {
    use super::super::{Quirks, Request};
    use super::*;

    /// An MSP workspace with that many tenants, and its token.
    fn msp(tenants: usize) -> (Provider, String) {
        let mut provider = Provider::new(9);
        let workspace = provider.add_workspace();
        for n in 0..tenants {
            provider.add_tenant(&workspace, &format!("Tenant {n}")).unwrap();
        }
        let client = provider.add_api_client(Some(&workspace));
        let request = Request::form(
            &format!("/authorization/v2/oauth2/{workspace}/token"),
            &[("grant_type", "client_credentials")],
        );
        let reply = provider.handle(0, &request.basic(&client.client_id, &client.client_secret)).reply().unwrap();
        (provider, reply.text("access_token"))
    }

    fn get(provider: &mut Provider, token: &str, target: &str) -> Response {
        provider.handle(0, &Request::get(target).bearer(token)).reply().unwrap()
    }

    fn names(reply: &Response, field: &str) -> Vec<String> {
        let items = reply.value()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn paging_by_items_and_by_pages_brings_everybody_once() {
        for (counts, step) in [(OffsetCounts::Items, 300), (OffsetCounts::Pages, 1)] {
            let (mut provider, token) = msp(650);
            provider.set_quirks(Quirks { offset_counts: counts, ..Quirks::default() });
            let mut seen = Vec::new();
            for page in 0..3 {
                let target = format!("/workspaces/v1/msp-tenants?limit=300&offset={}", page * step);
                let reply = get(&mut provider, &token, &target);
                assert_eq!(reply.value()["total"], json!(650));
                seen.extend(names(&reply, "workspaceName"));
            }
            let expected: Vec<String> = (0..650).map(|n| format!("Tenant {n}")).collect();
            assert_eq!(seen, expected);
            let beyond = format!("/workspaces/v1/msp-tenants?limit=300&offset={}", 3 * step);
            assert!(names(&get(&mut provider, &token, &beyond), "id").is_empty());
        }
    }

    #[test]
    fn ids_are_listed_as_uuids_or_without_hyphens_as_the_quirk_says() {
        let (mut provider, token) = msp(1);
        let listed = names(&get(&mut provider, &token, "/workspaces/v1/msp-tenants"), "id");
        assert_eq!(listed[0].matches('-').count(), 4);
        provider.set_quirks(Quirks { hyphens_in_listing: false, ..Quirks::default() });
        assert_eq!(
            names(&get(&mut provider, &token, "/workspaces/v1/msp-tenants"), "id")[0],
            listed[0].replace('-', "")
        );
    }

    #[test]
    fn a_page_over_300_or_no_number_is_a_bad_request() {
        let (mut provider, token) = msp(1);
        for query in ["limit=301", "limit=0", "limit=x", "offset=-1"] {
            assert_eq!(
                get(&mut provider, &token, &format!("/workspaces/v1/msp-tenants?{query}")).status,
                400,
                "{query}"
            );
        }
    }

    #[test]
    fn centrals_listing_pages_by_next() {
        let (mut provider, token) = msp(150);
        let first = get(&mut provider, &token, "/network-msp/v1/list-tenants?limit=100&next=1");
        assert_eq!((names(&first, "tenantId").len(), first.text("next").as_str()), (100, "2"));
        let second = get(&mut provider, &token, "/network-msp/v1/list-tenants?limit=100&next=2");
        assert_eq!((names(&second, "tenantName").len(), &second.value()["next"]), (50, &Value::Null));
    }

    #[test]
    fn only_an_msp_token_may_list() {
        let (mut provider, _) = msp(1);
        assert_eq!(get(&mut provider, "dead", "/workspaces/v1/msp-tenants").status, 401);
        let (mut plain, token) = msp(0);
        assert_eq!(get(&mut plain, &token, "/workspaces/v1/msp-tenants").status, 403);
    }

    #[test]
    fn a_provider_may_have_small_pages_or_but_one() {
        let (mut provider, token) = msp(7);
        let list = |provider: &mut Provider, offset| {
            names(&get(provider, &token, &format!("/workspaces/v1/msp-tenants?limit=300&offset={offset}")), "id").len()
        };
        provider.set_quirks(Quirks { largest_page: 3, ..Quirks::default() });
        assert_eq!([0, 3, 6, 9].map(|offset| list(&mut provider, offset)), [3, 3, 1, 0]);
        let pages = Quirks { largest_page: 3, offset_counts: OffsetCounts::Pages, ..Quirks::default() };
        provider.set_quirks(pages);
        assert_eq!([0, 1, 2, 3].map(|offset| list(&mut provider, offset)), [3, 3, 1, 0]);
        provider.set_quirks(Quirks { offset_counts: OffsetCounts::Nothing, ..pages });
        assert_eq!([0, 1, 300].map(|offset| list(&mut provider, offset)), [3, 3, 3]);
    }

    #[test]
    fn a_tenant_is_found_by_its_name_and_by_its_id() {
        let (mut provider, token) = msp(3);
        let workspace = provider.state.workspaces.keys().next().unwrap().clone();
        let id = provider.add_tenant(&workspace, "O'Neill & Sons").unwrap();
        let filter = |text: &str| {
            let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            format!("/workspaces/v1/msp-tenants?filter={encoded}")
        };
        let reply = get(&mut provider, &token, &filter("workspaceName eq 'O''Neill & Sons'"));
        assert_eq!((names(&reply, "id"), &reply.value()["total"]), (vec![with_hyphens(&id)], &json!(1)));
        for bad in ["workspaceName eq 'O'Neill'", "workspaceName ne 'x'", "x"] {
            assert_eq!(get(&mut provider, &token, &filter(bad)).status, 400, "{bad}");
        }
        for written in [id.clone(), with_hyphens(&id)] {
            let reply = get(&mut provider, &token, &format!("/workspaces/v1/msp-tenants/{written}"));
            assert_eq!((reply.status, reply.text("workspaceName").as_str()), (200, "O'Neill & Sons"));
        }
        let reply = get(&mut provider, &token, "/workspaces/v1/msp-tenants/0123");
        assert_eq!((reply.status, reply.text("errorCode").as_str()), (404, "HPE_GL_WORKSPACES_TENANT_NONEXISTANT"));
        assert_eq!(get(&mut provider, "dead", "/workspaces/v1/msp-tenants/0123").status, 401);
    }
}
