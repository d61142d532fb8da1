//! What is to be reached.

/// Which side of the aim is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// At least as much.
    Least,
    /// At most as much.
    Most,
}

/// One thing to reach.
#[derive(Debug, Clone, Copy)]
pub struct Aim {
    /// What a case calls it.
    pub key: &'static str,
    /// In words.
    pub what: &'static str,
    /// What is good.
    pub side: Side,
    /// How much.
    pub reach: f64,
    /// Of what; empty for a ratio.
    pub unit: &'static str,
}

const fn least(key: &'static str, what: &'static str, reach: f64) -> Aim {
    Aim { key, what, side: Side::Least, reach, unit: "" }
}

const fn most(key: &'static str, what: &'static str, reach: f64, unit: &'static str) -> Aim {
    Aim { key, what, side: Side::Most, reach, unit }
}

/// All of them, in the order of the report. A key begins with the letter of the case that measures it.
pub const AIMS: [Aim; 30] = [
    least("a.tokio.1", "throughput against bare tokio, 1 connection", 0.95),
    least("a.tokio.64", "throughput against bare tokio, 64 connections", 0.95),
    least("a.tokio.1000", "throughput against bare tokio, 1,000 connections", 0.95),
    least("a.blocking.1", "throughput against a blocking ping-pong, 1 connection", 0.80),
    least("a.redis.1", "throughput against Redis GET, 1 connection", 1.10),
    least("a.redis.64", "throughput against Redis GET, 64 connections", 1.20),
    least("a.memcached.64", "throughput against memcached, 64 connections", 1.05),
    least("b.redis", "16 pipelined on each of 16 connections against Redis", 1.30),
    least("c.redis", "a new connection for each request against Redis", 1.15),
    least("c.oidc", "a new connection for each request against oidc-agent", 2.0),
    most("d.minimal", "packaged `tokenctl get` against a minimal static program, time", 1.15, ""),
    most("d.oidc", "packaged `tokenctl get` against `oidc-token`, time", 0.55, ""),
    most("d.redis", "packaged `tokenctl get` against `redis-cli`, time", 0.20, ""),
    most("a.p99", "p99 at 1,000 connections against bare tokio, two processors", 1.3, ""),
    most("f.connection", "resident memory per idle connection", 1.2, "KiB"),
    most("f.before", "daemon resident before its first TLS request, four profiles", 5.0, "MiB"),
    most("f.after", "daemon resident after it, four profiles", 7.0, "MiB"),
    most("f.start", "exec to the first connection against bare tokio, time", 1.3, ""),
    most("e.read", "cached read in the client with its expiry check, 1 thread", 20.0, "ns"),
    most("e.threads", "the same, 2 threads against 1, time per read", 1.6, ""),
    most("g.memory", "10,000 warm tenants: memory per tenant beside its token and frame", 1.0, "KiB"),
    most("g.processor", "10,000 warm tenants at the limiter's rate: processor share", 1.0, "% of a core"),
    most("i.status.p50", "others' reads beside a flood of `status` against one of `Ping`s, p50", 1.5, ""),
    most("i.status.p99", "the same, p99", 2.0, ""),
    most("i.explain.p50", "others' reads beside a flood of `explain` against one of `Ping`s, p50", 1.5, ""),
    most("i.explain.p99", "the same, p99", 2.0, ""),
    most("i.wait.p50", "others' reads beside a flood of waits against one of `Ping`s, p50", 1.5, ""),
    most("i.wait.p99", "the same, p99", 2.0, ""),
    most("i.busy", "root's `status` beside these floods that hears `busy`", 0.0, "%"),
    most("f.wakeups", "idle daemon, no name due: wake-ups, the watchdog's included", 4.0, "a minute"),
];

impl Aim {
    /// As a person writes it.
    #[must_use]
    pub fn wanted(&self) -> String {
        let sign = match self.side {
            Side::Least => '≥',
            Side::Most => '≤',
        };
        format!("{sign} {} {}", self.reach, self.unit).trim_end().to_owned()
    }

    /// What profiles have shown to stand in its way, as an item of a list.
    #[must_use]
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self.key {
            "c.redis" => Some(include_str!("reasons/new-connection.md")),
            "f.before" => Some(include_str!("reasons/resident.md")),
            "g.memory" => Some(include_str!("reasons/tenant.md")),
            _ => None,
        }
    }

    /// Whether this is good enough.
    #[must_use]
    pub fn is_reached_by(&self, found: f64) -> bool {
        match self.side {
            Side::Least => found >= self.reach,
            Side::Most => found <= self.reach,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_reached_from_its_own_side() {
        let (least, most) = (least("x", "", 0.95), most("y", "", 1.3, "ns"));
        assert!(least.is_reached_by(0.95) && !least.is_reached_by(0.94));
        assert!(most.is_reached_by(1.3) && !most.is_reached_by(1.31));
        assert_eq!((least.wanted(), most.wanted()), ("≥ 0.95".to_owned(), "≤ 1.3 ns".to_owned()));
    }

    #[test]
    fn keys_are_of_a_case_and_of_one_aim() {
        for (at, aim) in AIMS.iter().enumerate() {
            assert!(AIMS[..at].iter().all(|other| other.key != aim.key), "{}", aim.key);
            assert!(super::super::Case::of_letter(&aim.key[..1]).is_some(), "{}", aim.key);
        }
    }
}
