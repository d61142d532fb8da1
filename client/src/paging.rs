//! Lists that come in pages: followed to their end, which a daemon in disorder cannot put off for ever.

use tokend_proto::{Reply, Request, StatusPage, Tenant, TenantsPage};

use crate::call::Plan;
use crate::client::{Client, Rights, Status, expect};
use crate::{Error, ProtocolError};

/// Pages of one list. Pages are of some 64 KiB: that is more names than a daemon can hold.
const MAX_PAGES: usize = 1024;

pub(crate) async fn status(client: &Client, name: Option<&str>) -> Result<Status, Error> {
    let mut whole: Option<Status> = None;
    for _ in 0..MAX_PAGES {
        let last = whole.as_ref().and_then(|status| status.names.last()).map(|it| it.name.clone());
        let after = last.as_deref();
        let answer = client.call(Plan::read(client.wait()), |_| Request::Status { name, after }).await?;
        let page: StatusPage =
            expect(answer, "Status", |reply| if let Reply::Status(it) = reply { Some(it) } else { None })?;
        advances(after, page.names.iter().map(|it| it.name.as_str()), page.more)?;
        let more = page.more;
        let status =
            whole.get_or_insert_with(|| Status { version: page.version, notes: page.notes, names: Vec::new() });
        status.names.extend(page.names);
        if !more {
            return whole.ok_or(Error::Protocol(ProtocolError::EndlessPages));
        }
    }
    Err(Error::Protocol(ProtocolError::EndlessPages))
}

pub(crate) async fn rights(client: &Client) -> Result<Rights, Error> {
    let mut whole: Option<Rights> = None;
    for _ in 0..MAX_PAGES {
        let last = whole.as_ref().and_then(|rights| rights.names.last()).map(|it| it.name.clone());
        let after = last.as_deref();
        let answer = client.call(Plan::read(client.wait()), |_| Request::Rights { after }).await?;
        let page: tokend_proto::Rights =
            expect(answer, "Rights", |reply| if let Reply::Rights(it) = reply { Some(it) } else { None })?;
        advances(after, page.names.iter().map(|it| it.name.as_str()), page.more)?;
        let tokend_proto::Rights { peer, slices, no_unit, names, more } = page;
        let rights = whole.get_or_insert_with(|| Rights { peer, slices, no_unit, names: Vec::new() });
        rights.names.extend(names);
        if !more {
            return whole.ok_or(Error::Protocol(ProtocolError::EndlessPages));
        }
    }
    Err(Error::Protocol(ProtocolError::EndlessPages))
}

pub(crate) async fn tenants(client: &Client, profile: &str) -> Result<Vec<Tenant>, Error> {
    let mut whole: Vec<Tenant> = Vec::new();
    for _ in 0..MAX_PAGES {
        let last = whole.last().map(|it| it.id.clone());
        let after = last.as_deref();
        let answer = client.call(Plan::slow_read(client.wait()), |_| Request::Tenants { profile, after }).await?;
        let page: TenantsPage =
            expect(answer, "Tenants", |reply| if let Reply::Tenants(it) = reply { Some(it) } else { None })?;
        advances(after, page.tenants.iter().map(|it| it.id.as_str()), page.more)?;
        whole.extend(page.tenants);
        if !page.more {
            return Ok(whole);
        }
    }
    Err(Error::Protocol(ProtocolError::EndlessPages))
}

/// Each page has to go on where the last one ended; one that promises more has to hold something.
fn advances<'a>(after: Option<&str>, keys: impl Iterator<Item = &'a str>, more: bool) -> Result<(), Error> {
    let mut last = after;
    let mut any = false;
    for key in keys {
        if last.is_some_and(|last| key <= last) {
            return Err(Error::Protocol(ProtocolError::EndlessPages));
        }
        (last, any) = (Some(key), true);
    }
    if more && !any { Err(Error::Protocol(ProtocolError::EndlessPages)) } else { Ok(()) }
}
