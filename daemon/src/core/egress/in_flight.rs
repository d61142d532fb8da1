//! Requests on the wire: how many there may be, at one host and in all. The rate alone bounds nothing: a host that
//! answers after 30 s would have 30 s' worth of requests on the wire, each with a descriptor and its memory.

use std::collections::HashMap;
use std::sync::Arc;

use crate::core::provider::RequestId;

/// At one host: more than a host that answers within a second is sent in that second at the default rate.
pub(in crate::core) const MOST_PER_HOST: usize = 64;

/// In all. Each has a connection, and the process keeps a descriptor back for each.
pub const MOST_REQUESTS: usize = 96;

/// So many of these are kept for hosts that have fewer than [`FEW`] on the wire: hosts that do not answer take the
/// others and not these.
const KEPT: usize = 32;
const FEW: usize = 2;

/// The requests that were sent and not answered.
#[derive(Debug, Default)]
pub(in crate::core) struct InFlight {
    hosts: HashMap<RequestId, Arc<str>>,
    /// How many each host has; at least one.
    counts: HashMap<Arc<str>, usize>,
}

impl InFlight {
    /// Whether this host may be sent one more.
    pub(in crate::core) fn has_room(&self, host: &str) -> bool {
        let of_host = self.counts.get(host).copied().unwrap_or(0);
        let most = if of_host < FEW { MOST_REQUESTS } else { MOST_REQUESTS - KEPT };
        of_host < MOST_PER_HOST && self.hosts.len() < most
    }

    pub(in crate::core) fn sent(&mut self, request: RequestId, host: &Arc<str>) {
        self.hosts.insert(request, Arc::clone(host));
        *self.counts.entry(Arc::clone(host)).or_default() += 1;
    }

    pub(in crate::core) fn answered(&mut self, request: RequestId) {
        let Some(host) = self.hosts.remove(&request) else { return };
        if let Some(count) = self.counts.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: usize) -> Arc<str> {
        format!("https://host-{number}.example.net:443").into()
    }

    /// Sends to this host as long as it may be sent to; says how many that were.
    fn fill(in_flight: &mut InFlight, host: &Arc<str>, next: &mut u64) -> usize {
        let mut sent = 0;
        while in_flight.has_room(host) {
            *next += 1;
            in_flight.sent(RequestId(*next), host);
            sent += 1;
        }
        sent
    }

    #[test]
    fn hosts_that_do_not_answer_leave_room_for_those_that_have_few_on_the_wire() {
        let (mut in_flight, mut next) = (InFlight::default(), 0);
        assert_eq!(fill(&mut in_flight, &host(0), &mut next), MOST_PER_HOST);
        for other in 1..=(MOST_REQUESTS - MOST_PER_HOST) / FEW {
            assert_eq!(fill(&mut in_flight, &host(other), &mut next), FEW);
        }
        assert_eq!(in_flight.hosts.len(), MOST_REQUESTS);
        assert_eq!(fill(&mut in_flight, &host(99), &mut next), 0, "there is a bound in all");
    }

    #[test]
    fn an_answer_makes_room_once() {
        let (mut in_flight, mut next) = (InFlight::default(), 0);
        fill(&mut in_flight, &host(0), &mut next);
        in_flight.answered(RequestId(1));
        in_flight.answered(RequestId(1));
        assert_eq!(fill(&mut in_flight, &host(0), &mut next), 1);
        for request in 1..=next {
            in_flight.answered(RequestId(request));
        }
        assert!(in_flight.hosts.is_empty() && in_flight.counts.is_empty(), "nothing is left of hosts that are gone");
    }
}
