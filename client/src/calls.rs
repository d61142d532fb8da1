//! What can be asked: how each request is made and what its reply means, for either client.

use std::time::Duration;

use tokend_proto::{
    Explanation, Fingerprint, Imported, Millis, Peer, ProfileName, Reloaded, Renewed, Reply, Request, Secret,
    SecretStr, TokenRef,
};

use crate::retry::RetryPolicy;
use crate::wire::Answer;
use crate::{Error, InvalidName, Token, TokenOptions};

/// A question to the daemon, of one request or, where its answer comes in pages, of several.
pub(crate) trait Call {
    /// What the caller gets.
    type Answer;

    /// How long the next request may take.
    fn policy(&self) -> RetryPolicy;

    /// The next request, with the wait that is left of its policy.
    fn request(&self, left: Duration) -> Request<'_>;

    /// Reads a reply; `None` when there is another request to be made.
    fn read(&mut self, answer: Answer) -> Result<Option<Self::Answer>, Error>;
}

/// A question of one request.
struct Single<'a, P> {
    policy: RetryPolicy,
    request: Request<'a>,
    read: P,
}

impl<P, T> Call for Single<'_, P>
where
    P: Fn(Answer) -> Result<T, Error>,
{
    type Answer = T;

    fn policy(&self) -> RetryPolicy {
        self.policy
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

pub(crate) fn get(name: &str, options: TokenOptions, wait: Duration) -> Result<impl Call<Answer = Token> + '_, Error> {
    token_name(name)?;
    let min_ttl = options.min_ttl;
    Ok(Single {
        policy: RetryPolicy::read(options.wait.unwrap_or(wait)),
        request: Request::Get { name, min_ttl: min_ttl.into(), wait: Millis::default() },
        read: move |answer| token(name, min_ttl, answer),
    })
}

pub(crate) fn reject(
    name: &str,
    fingerprint: Fingerprint,
    min_ttl: Duration,
    wait: Duration,
) -> Result<impl Call<Answer = Token> + '_, Error> {
    token_name(name)?;
    Ok(Single {
        policy: RetryPolicy::slow_read(wait),
        request: Request::Reject { name, fingerprint, min_ttl: min_ttl.into() },
        read: move |answer| token(name, min_ttl, answer),
    })
}

pub(crate) fn explain(name: &str, wait: Duration) -> Result<impl Call<Answer = Explanation> + '_, Error> {
    token_name(name)?;
    Ok(Single {
        policy: RetryPolicy::read(wait),
        request: Request::Explain { name },
        read: |answer: Answer| {
            answer.expect("Explain", |reply| if let Reply::Explanation(it) = reply { Some(*it) } else { None })
        },
    })
}

pub(crate) fn refresh(name: &str, wait: Duration) -> Result<impl Call<Answer = Renewed> + '_, Error> {
    token_name(name)?;
    Ok(Single {
        policy: RetryPolicy::once(wait),
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
) -> Result<impl Call<Answer = Imported> + 'a, Error> {
    profile_name(profile)?;
    let refresh_token = SecretStr::new(refresh_token);
    Ok(Single {
        policy: RetryPolicy::once(wait),
        request: Request::Import { name: profile, refresh_token },
        read: |answer: Answer| {
            answer.expect("Import", |reply| if let Reply::Imported(it) = reply { Some(it) } else { None })
        },
    })
}

pub(crate) fn reload(wait: Duration) -> impl Call<Answer = Reloaded> {
    Single {
        policy: RetryPolicy::once(wait),
        request: Request::Reload,
        read: |answer: Answer| {
            answer.expect("Reload", |reply| if let Reply::Reloaded(it) = reply { Some(it) } else { None })
        },
    }
}

pub(crate) fn whoami(wait: Duration) -> impl Call<Answer = Peer> {
    Single {
        policy: RetryPolicy::read(wait),
        request: Request::WhoAmI,
        read: |answer: Answer| {
            answer.expect("WhoAmI", |reply| if let Reply::Peer(it) = reply { Some(it) } else { None })
        },
    }
}

pub(crate) fn ping(wait: Duration) -> impl Call<Answer = String> {
    Single {
        policy: RetryPolicy::read(wait),
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
