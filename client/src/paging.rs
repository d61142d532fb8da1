//! Lists that come in pages. The client reads all pages, and gives up a list that would never end.

use std::time::Duration;

use tokend_proto::{NameRights, NameStatus, Peer, ProfileName, Reply, Request, StatusPage, Tenant, TokenRef};

use crate::calls::{Call, check_name, reply};
use crate::retry::RetryPolicy;
use crate::wire::Answer;
use crate::{Error, ProtocolError};

/// Pages of one list. With seven names on each, that is more than a daemon can hold.
const MAX_PAGES: usize = 16 * 1024;

/// The state of the daemon and its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Warnings about the daemon as a whole.
    pub notes: Vec<String>,
    /// The names that this process may read, sorted.
    pub names: Vec<NameStatus>,
}

/// This process as the daemon sees it, and what it may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The process, and the patterns of the rules that apply to it.
    pub peer: Peer,
    /// The systemd slices around its unit, the outermost first.
    pub slices: Vec<String>,
    /// Why its unit is not known; `None` if it is known.
    pub no_unit: Option<String>,
    /// The names that it may read, sorted.
    pub names: Vec<NameRights>,
}

pub(crate) fn status(name: Option<&str>, wait: Duration) -> Result<impl Call<Answer = Status> + '_, Error> {
    name.map(check_name::<TokenRef>).transpose()?;
    Ok(StatusCall { name, policy: RetryPolicy::read(wait), whole: None, pages: 0 })
}

pub(crate) fn rights(wait: Duration) -> impl Call<Answer = Rights> {
    RightsCall { policy: RetryPolicy::read(wait), whole: None, pages: 0 }
}

pub(crate) fn tenants(profile: &str, wait: Duration) -> Result<impl Call<Answer = Vec<Tenant>> + '_, Error> {
    check_name::<ProfileName>(profile)?;
    Ok(TenantsCall { profile, policy: RetryPolicy::slow_read(wait), whole: Vec::new(), pages: 0 })
}

struct StatusCall<'n> {
    name: Option<&'n str>,
    policy: RetryPolicy,
    whole: Option<Status>,
    pages: usize,
}

impl StatusCall<'_> {
    fn last(&self) -> Option<&str> {
        self.whole.as_ref().and_then(|status| status.names.last()).map(|it| it.name.as_str())
    }
}

impl Call for StatusCall<'_> {
    type Answer = Status;

    fn policy(&self) -> RetryPolicy {
        self.policy
    }

    fn request(&self, _left: Duration) -> Request<'_> {
        Request::Status { name: self.name, after: self.last() }
    }

    fn read(&mut self, answer: Answer) -> Result<Option<Status>, Error> {
        let page = reply!("Status", Reply::Status(it) => it)(answer)?;
        advances(self.last(), page.names.iter().map(|it| it.name.as_str()), page.more)?;
        let StatusPage { version, notes, names, more } = page;
        let whole = self.whole.get_or_insert_with(|| Status { version, notes, names: Vec::new() });
        whole.names.extend(names);
        goes_on(&mut self.pages, more).map(|goes_on| if goes_on { None } else { self.whole.take() })
    }
}

struct RightsCall {
    policy: RetryPolicy,
    whole: Option<Rights>,
    pages: usize,
}

impl RightsCall {
    fn last(&self) -> Option<&str> {
        self.whole.as_ref().and_then(|rights| rights.names.last()).map(|it| it.name.as_str())
    }
}

impl Call for RightsCall {
    type Answer = Rights;

    fn policy(&self) -> RetryPolicy {
        self.policy
    }

    fn request(&self, _left: Duration) -> Request<'_> {
        Request::Rights { after: self.last() }
    }

    fn read(&mut self, answer: Answer) -> Result<Option<Rights>, Error> {
        let page = reply!("Rights", Reply::Rights(it) => it)(answer)?;
        advances(self.last(), page.names.iter().map(|it| it.name.as_str()), page.more)?;
        let tokend_proto::Rights { peer, slices, no_unit, names, more } = page;
        let whole = self.whole.get_or_insert_with(|| Rights { peer, slices, no_unit, names: Vec::new() });
        whole.names.extend(names);
        goes_on(&mut self.pages, more).map(|goes_on| if goes_on { None } else { self.whole.take() })
    }
}

struct TenantsCall<'n> {
    profile: &'n str,
    policy: RetryPolicy,
    whole: Vec<Tenant>,
    pages: usize,
}

impl TenantsCall<'_> {
    fn last(&self) -> Option<&str> {
        self.whole.last().map(|it| it.id.as_str())
    }
}

impl Call for TenantsCall<'_> {
    type Answer = Vec<Tenant>;

    fn policy(&self) -> RetryPolicy {
        self.policy
    }

    fn request(&self, _left: Duration) -> Request<'_> {
        Request::Tenants { profile: self.profile, after: self.last() }
    }

    fn read(&mut self, answer: Answer) -> Result<Option<Vec<Tenant>>, Error> {
        let page = reply!("Tenants", Reply::Tenants(it) => it)(answer)?;
        advances(self.last(), page.tenants.iter().map(|it| it.id.as_str()), page.more)?;
        self.whole.extend(page.tenants);
        let goes_on = goes_on(&mut self.pages, page.more)?;
        Ok(if goes_on { None } else { Some(std::mem::take(&mut self.whole)) })
    }
}

/// Whether there is another page.
fn goes_on(pages: &mut usize, more: bool) -> Result<bool, Error> {
    *pages += 1;
    if more && *pages >= MAX_PAGES { Err(ProtocolError::EndlessPages.into()) } else { Ok(more) }
}

/// Checks a page: it has to begin after the last one, and it must not be empty if it promises more.
fn advances<'a>(after: Option<&str>, keys: impl Iterator<Item = &'a str>, more: bool) -> Result<(), Error> {
    let mut last = after;
    let mut any = false;
    for key in keys {
        if last.is_some_and(|last| key <= last) {
            return Err(ProtocolError::EndlessPages.into());
        }
        (last, any) = (Some(key), true);
    }
    if more && !any { Err(ProtocolError::EndlessPages.into()) } else { Ok(()) }
}
