//! What can be asked: how each request is made and what its reply means, for either client.

use std::time::Duration;

use tokend_proto::{
    Explanation, Fingerprint, Imported, Millis, Peer, ProfileName, Reloaded, Renewed, Reply, Request, Secret,
    SecretStr, TokenRef,
};

use crate::plan::Plan;
use crate::wire::Answer;
use crate::{Error, InvalidName, Token, TokenOptions};

/// A question to the daemon, of one request or, where its answer comes in pages, of several.
pub(crate) trait Question {
    /// What the caller gets.
    type Answer;

    /// How long the next request may take.
    fn plan(&self) -> Plan;

    /// The next request, with the wait that is left of its plan.
    fn request(&self, left: Duration) -> Request<'_>;

    /// Reads a reply; `None` when there is another request to be made.
    fn read(&mut self, answer: Answer) -> Result<Option<Self::Answer>, Error>;
}

/// A question of one request.
struct Single<'a, P> {
    plan: Plan,
    request: Request<'a>,
    read: P,
}

impl<P, T> Question for Single<'_, P>
where
    P: Fn(Answer) -> Result<T, Error>,
{
    type Answer = T;

    fn plan(&self) -> Plan {
        self.plan
    }

    fn request(&self, left: Duration) -> Request<'_> {
        match self.request {
            Request::Get { name, min_ttl, .. } => Request::Get { name, min_ttl, wait: left.into() },
            other => other,
        }
    }

    fn read(&mut self, answer: Answer) -> Result<Option<T>, Error> {
        (self.read)(answer).map(Some)
    }
}

pub(crate) fn get(
    name: &str,
    options: TokenOptions,
    wait: Duration,
) -> Result<impl Question<Answer = Token> + '_, Error> {
    token_name(name)?;
    let min_ttl = options.min_ttl;
    Ok(Single {
        plan: Plan::read(options.wait.unwrap_or(wait)),
        request: Request::Get { name, min_ttl: min_ttl.into(), wait: Millis::default() },
        read: move |answer| token(name, min_ttl, answer),
    })
}

pub(crate) fn reject(
    name: &str,
    fingerprint: Fingerprint,
    min_ttl: Duration,
    wait: Duration,
) -> Result<impl Question<Answer = Token> + '_, Error> {
    token_name(name)?;
    Ok(Single {
        plan: Plan::slow_read(wait),
        request: Request::Reject { name, fingerprint, min_ttl: min_ttl.into() },
        read: move |answer| token(name, min_ttl, answer),
    })
}

pub(crate) fn explain(name: &str, wait: Duration) -> Result<impl Question<Answer = Explanation> + '_, Error> {
    token_name(name)?;
    Ok(Single {
        plan: Plan::read(wait),
        request: Request::Explain { name },
        read: |answer: Answer| {
            answer.expect("Explain", |reply| if let Reply::Explanation(it) = reply { Some(*it) } else { None })
        },
    })
}

pub(crate) fn refresh(name: &str, wait: Duration) -> Result<impl Question<Answer = Renewed> + '_, Error> {
    token_name(name)?;
    Ok(Single {
        plan: Plan::once(wait),
        request: Request::Refresh { name },
        read: |answer: Answer| {
            answer.expect("Refresh", |reply| if let Reply::Renewed(it) = reply { Some(it) } else { None })
        },
    })
}

pub(crate) fn import<'a>(
    profile: &'a str,
    refresh_token: &'a Secret,
    wait: Duration,
) -> Result<impl Question<Answer = Imported> + 'a, Error> {
    profile_name(profile)?;
    let refresh_token = SecretStr::new(refresh_token);
    Ok(Single {
        plan: Plan::once(wait),
        request: Request::Import { name: profile, refresh_token },
        read: |answer: Answer| {
            answer.expect("Import", |reply| if let Reply::Imported(it) = reply { Some(it) } else { None })
        },
    })
}

pub(crate) fn reload(wait: Duration) -> impl Question<Answer = Reloaded> {
    Single {
        plan: Plan::once(wait),
        request: Request::Reload,
        read: |answer: Answer| {
            answer.expect("Reload", |reply| if let Reply::Reloaded(it) = reply { Some(it) } else { None })
        },
    }
}

pub(crate) fn whoami(wait: Duration) -> impl Question<Answer = Peer> {
    Single {
        plan: Plan::read(wait),
        request: Request::WhoAmI,
        read: |answer: Answer| {
            answer.expect("WhoAmI", |reply| if let Reply::Peer(it) = reply { Some(it) } else { None })
        },
    }
}

pub(crate) fn ping(wait: Duration) -> impl Question<Answer = String> {
    Single {
        plan: Plan::read(wait),
        request: Request::Ping,
        read: |answer: Answer| {
            answer.expect("Ping", |reply| if let Reply::Pong { version } = reply { Some(version) } else { None })
        },
    }
}

fn token(name: &str, min_ttl: Duration, answer: Answer) -> Result<Token, Error> {
    let flags = answer.flags;
    let token = answer.expect("Get", |reply| if let Reply::Token(it) = reply { Some(it) } else { None })?;
    Token::new(name, min_ttl, flags, token).map_err(Error::from)
}

pub(crate) fn token_name(name: &str) -> Result<(), Error> {
    match name.parse::<TokenRef>() {
        Ok(_) => Ok(()),
        Err(source) => Err(InvalidName { name: name.to_owned(), source }.into()),
    }
}

pub(crate) fn profile_name(name: &str) -> Result<(), Error> {
    match name.parse::<ProfileName>() {
        Ok(_) => Ok(()),
        Err(source) => Err(InvalidName { name: name.to_owned(), source }.into()),
    }
}
