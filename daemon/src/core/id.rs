//! Numbers that name questions and writes, and who asks.

/// Names one peer's question; it gets exactly one [`super::effect::Outcome`], or none if the peer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId(pub u64);

/// Names a write to the store and its one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub u64);

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The user.
    pub uid: u32,
    /// Root or the daemon's own user, for whom some of everything is kept.
    pub superuser: bool,
}
