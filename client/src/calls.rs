//! The calls that both clients make: each one's request and the meaning of its reply.

use std::str::FromStr;
use std::time::Duration;

use tokend_proto::{
    Explanation, Fingerprint, Imported, Millis, NameError, Peer, ProfileName, Reloaded, Renewed, Reply, Request,
    Secret, SecretStr, TokenRef,
};

use crate::retry::RetryPolicy;
use crate::wire::Answer;
use crate::{Error, InvalidName, Token, TokenOptions};

/// A call to the daemon: one request, or several when the answer comes in pages.
pub(crate) trait Call {
    /// What the caller gets.
    type Answer;

    /// How long the next request may take.
    fn policy(&self) -> RetryPolicy;

    /// The next request. `left` is what is left of the policy's wait.
    fn request(&self, left: Duration) -> Request<'_>;

    /// Reads a reply. `None`: the call needs another request.
    fn read(&mut self, answer: Answer) -> Result<Option<Self::Answer>, Error>;
}

/// Reads the only kind of reply that answers a request.
macro_rules! reply {
    ($request:literal, $reply:pat => $value:expr) => {
        |answer: Answer| answer.expect($request, |reply| if let $reply = reply { Some($value) } else { None })
    };
}

pub(crate) use reply;

/// A call that is one request.
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
    check_name::<TokenRef>(name)?;
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
    check_name::<TokenRef>(name)?;
    Ok(Single {
        policy: RetryPolicy::slow_read(wait),
        request: Request::Reject { name, fingerprint, min_ttl: min_ttl.into() },
        read: move |answer| token(name, min_ttl, answer),
    })
}

pub(crate) fn explain(name: &str, wait: Duration) -> Result<impl Call<Answer = Explanation> + '_, Error> {
    check_name::<TokenRef>(name)?;
    Ok(Single {
        policy: RetryPolicy::read(wait),
        request: Request::Explain { name },
        read: reply!("Explain", Reply::Explanation(it) => *it),
    })
}

pub(crate) fn refresh(name: &str, wait: Duration) -> Result<impl Call<Answer = Renewed> + '_, Error> {
    check_name::<TokenRef>(name)?;
    Ok(Single {
        policy: RetryPolicy::once(wait),
        request: Request::Refresh { name },
        read: reply!("Refresh", Reply::Renewed(it) => it),
    })
}

pub(crate) fn import<'a>(
    profile: &'a str,
    refresh_token: &'a Secret,
    wait: Duration,
) -> Result<impl Call<Answer = Imported> + 'a, Error> {
    check_name::<ProfileName>(profile)?;
    let refresh_token = SecretStr::new(refresh_token);
    Ok(Single {
        policy: RetryPolicy::once(wait),
        request: Request::Import { name: profile, refresh_token },
        read: reply!("Import", Reply::Imported(it) => it),
    })
}

pub(crate) fn reload(wait: Duration) -> impl Call<Answer = Reloaded> {
    Single {
        policy: RetryPolicy::once(wait),
        request: Request::Reload,
        read: reply!("Reload", Reply::Reloaded(it) => it),
    }
}

pub(crate) fn whoami(wait: Duration) -> impl Call<Answer = Peer> {
    Single { policy: RetryPolicy::read(wait), request: Request::WhoAmI, read: reply!("WhoAmI", Reply::Peer(it) => it) }
}

pub(crate) fn ping(wait: Duration) -> impl Call<Answer = String> {
    Single {
        policy: RetryPolicy::read(wait),
        request: Request::Ping,
        read: reply!("Ping", Reply::Pong { version } => version),
    }
}

fn token(name: &str, min_ttl: Duration, answer: Answer) -> Result<Token, Error> {
    let flags = answer.flags;
    let token = reply!("Get", Reply::Token(it) => it)(answer)?;
    Token::new(name, min_ttl, flags, token).map_err(Error::from)
}

/// Checks a name of a token or of a profile.
pub(crate) fn check_name<N: FromStr<Err = NameError>>(name: &str) -> Result<(), Error> {
    let parsed = name.parse::<N>();
    parsed.map(drop).map_err(|source| InvalidName { name: name.to_owned(), source }.into())
}
