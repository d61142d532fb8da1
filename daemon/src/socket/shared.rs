//! What all connections share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Context;
use super::admission::Admission;
use super::deadlines::Alarms;
use crate::core::id::WaiterId;

/// What all connections share.
pub(super) struct Shared {
    pub(super) context: Context,
    pub(super) admission: Arc<Admission>,
    pub(super) alarms: Arc<Alarms>,
    next_waiter: AtomicU64,
    pub(super) draining: AtomicBool,
    /// Whether the log has it that the units of peers cannot be known.
    pub(super) unit_trouble_told: AtomicBool,
}

impl Shared {
    /// Belongs to the runtime it is made in.
    pub(super) fn new(context: Context) -> io::Result<Self> {
        let admission = Arc::new(Admission::new(&context.limits));
        let alarms = Arc::new(Alarms::new(Arc::clone(&context.clock))?);
        Ok(Self {
            context,
            admission,
            alarms,
            next_waiter: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            unit_trouble_told: AtomicBool::new(false),
        })
    }

    pub(super) fn next_waiter(&self) -> WaiterId {
        WaiterId(self.next_waiter.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
