//! Addresses of hosts, as getaddrinfo(3) has them: /etc/hosts and whatever else nsswitch.conf(5) names count.
//!
//! A look-up cannot be stopped, and may take much longer than a connection is waited for. So there is one for each host
//! at a time, which all share who want to connect to it, on a thread that nobody joins.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use crate::os::detached::{Threads, Undone};

/// Hosts that are looked up at the same time, with a socket or two each. There are some twenty clusters and a proxy or
/// two; with far more of them, one whose name is in /etc/hosts is still not kept waiting by those that no name server
/// answers for.
pub const MAX_LOOK_UPS: usize = 256;

static LOOKING_UP: Threads = Threads::new(MAX_LOOK_UPS);

/// An answer that came when nobody waited any more is kept for this long: a name server that is slower than a
/// connection is waited for is of use all the same.
const LATE_ANSWER: Duration = Duration::from_secs(30);

/// Why there are no addresses.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NoAddress {
    /// The resolver's own words, which name no host.
    #[error("{0}")]
    Failed(Arc<str>),
    /// It may still answer.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Hangs(Duration),
    /// It has not been asked.
    #[error(transparent)]
    NotAsked(#[from] Undone),
}

type Found = Result<Vec<SocketAddr>, NoAddress>;
type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Looks hosts up and waits for that no longer than its patience.
pub(super) struct Resolver {
    patience: Duration,
    hosts: Arc<Hosts>,
}

/// The look-ups of this process, whatever configuration they are for.
struct Hosts {
    look_up: Box<LookUp>,
    under_way: Mutex<HashMap<String, UnderWay>>,
}

/// A look-up, or the late answer of one.
struct UnderWay {
    answer: watch::Receiver<Option<Found>>,
    ended: Option<Instant>,
    /// Held so that the look-up is begun even if all who waited are gone.
    _wanted: oneshot::Receiver<()>,
}

impl Resolver {
    /// Waits this long for an answer.
    pub(super) fn new(patience: Duration) -> Self {
        static HOSTS: LazyLock<Arc<Hosts>> =
            LazyLock::new(|| Hosts::new(|host| Ok((host, 0).to_socket_addrs()?.collect())));
        Self { patience, hosts: Arc::clone(&HOSTS) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (patience, hosts) = (self.patience, Arc::clone(&self.hosts));
        Box::pin(async move {
            let addresses = hosts.addresses(name.as_str(), patience).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Hosts {
    fn new(look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { look_up: Box::new(look_up), under_way: Mutex::default() })
    }

    async fn addresses(self: &Arc<Self>, host: &str, patience: Duration) -> Found {
        let mut answer = self.join(host)?;
        match timeout(patience, answer.wait_for(Option::is_some)).await {
            Ok(Ok(found)) => found.clone().expect("it was waited for"),
            Ok(Err(_)) => Err(Undone::Failed.into()),
            Err(_) => Err(NoAddress::Hangs(patience)),
        }
    }

    /// The look-up that is under way, or a late answer, or a new one.
    fn join(self: &Arc<Self>, host: &str) -> Result<watch::Receiver<Option<Found>>, Undone> {
        let mut under_way = self.lock();
        under_way.retain(|_, look_up| look_up.ended.is_none_or(|ended| ended.elapsed() < LATE_ANSWER));
        if let Some(look_up) = under_way.get(host) {
            let answer = look_up.answer.clone();
            if look_up.ended.is_some() {
                under_way.remove(host); // it was good for once
            }
            return Ok(answer);
        }
        let (sender, answer) = watch::channel(None);
        let (hosts, name) = (Arc::clone(self), host.to_owned());
        let look_up = move || {
            let found = (hosts.look_up)(&name);
            hosts.ended(&name, &sender, found);
        };
        let wanted = LOOKING_UP.begin(host, look_up)?;
        under_way.insert(host.to_owned(), UnderWay { answer: answer.clone(), ended: None, _wanted: wanted });
        Ok(answer)
    }

    fn ended(&self, host: &str, sender: &watch::Sender<Option<Found>>, found: io::Result<Vec<SocketAddr>>) {
        let found = found.map_err(|error| NoAddress::Failed(error.to_string().into()));
        let mut under_way = self.lock();
        let waited_for = sender.receiver_count() > 1; // one is ours
        if waited_for || found.is_err() {
            under_way.remove(host);
        } else if let Some(look_up) = under_way.get_mut(host) {
            look_up.ended = Some(Instant::now());
        }
        sender.send_replace(Some(found));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, UnderWay>> {
        // It is changed in single steps.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const MOMENT: Duration = Duration::from_millis(10);

    /// Each look-up ends when the test says how, and is counted.
    fn hosts() -> (Arc<Hosts>, mpsc::Sender<io::Result<Vec<SocketAddr>>>, Arc<AtomicUsize>) {
        let (sender, answers) = mpsc::channel();
        let (answers, count) = (Mutex::new(answers), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&count);
        let hosts = Hosts::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            answers.lock().unwrap().recv().unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))
        });
        (hosts, sender, count)
    }

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[tokio::test]
    async fn all_who_want_one_host_share_one_look_up_and_its_answer_or_failure() {
        let (hosts, sender, count) = hosts();
        for fails in [false, true] {
            let waiting: Vec<_> = (0..100).map(|_| hosts.join("shared.example").unwrap()).collect();
            let answer = if fails { Err(io::ErrorKind::HostUnreachable.into()) } else { Ok(vec![address()]) };
            sender.send(answer).unwrap();
            for mut answer in waiting {
                let found = answer.wait_for(Option::is_some).await.unwrap().clone().unwrap();
                assert_eq!(found.is_err(), fails);
            }
        }
        assert_eq!(count.load(Ordering::SeqCst), 2, "an answer that was waited for is not kept");
    }

    #[tokio::test]
    async fn a_look_up_that_hangs_keeps_no_other_host_waiting_and_is_not_repeated() {
        let (hanging, sender, count) = hosts();
        let _first = hanging.join("hangs.example").unwrap();
        while count.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            let found = hanging.addresses("hangs.example", MOMENT).await;
            assert!(matches!(found, Err(NoAddress::Hangs(MOMENT))));
        }
        let quick = Hosts::new(|_| Ok(vec![address()]));
        assert_eq!(quick.addresses("quick.example", LONG).await.unwrap(), [address()]);
        assert_eq!(count.load(Ordering::SeqCst), 1);
        drop(sender);
    }

    #[tokio::test]
    async fn a_late_answer_is_good_for_the_next_who_asks_and_for_once() {
        let (hosts, sender, count) = hosts();
        assert!(hosts.addresses("late.example", MOMENT).await.is_err());
        sender.send(Ok(vec![address()])).unwrap();
        while hosts.lock()["late.example"].ended.is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(hosts.addresses("late.example", LONG).await.unwrap(), [address()]);
        assert_eq!(count.load(Ordering::SeqCst), 1);
        sender.send(Ok(vec![])).unwrap();
        assert!(hosts.addresses("late.example", LONG).await.unwrap().is_empty());
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn hosts_are_looked_up_as_the_system_does_it() {
        let resolver = Resolver::new(LONG);
        let found = resolver.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
        let nowhere = format!("{}.invalid", "x".repeat(64));
        assert!(resolver.resolve(nowhere.parse().unwrap()).await.is_err());
    }
}
