//! An event that is taken up on one thread and given to a layer on another: what journald's layer sends, it sends at
//! once, and waits where journald does not read.

use std::io;
use std::sync::{Arc, OnceLock};

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::queue::{Line, Queue};
use super::stored_event::StoredEvent;
use super::writer;

/// Puts events into the queue, and on the writer's thread gives them to the layer that sends them. Spans are not taken
/// up: the daemon has none.
pub(super) struct Events<M, L> {
    queue: Arc<Queue>,
    make: M,
    /// Made on the writer's thread: that may take as long as sending.
    layer: OnceLock<L>,
}

impl<L, M: Fn() -> io::Result<L>> Events<M, L> {
    pub(super) fn new(queue: Arc<Queue>, make: M) -> Self {
        Self { queue, make, layer: OnceLock::new() }
    }
}

impl<S, L, M> Layer<S> for Events<M, L>
where
    S: Subscriber,
    L: Layer<S>,
    M: Fn() -> io::Result<L> + 'static,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !writer::is_this_thread() {
            return self.queue.push(Line::Event(StoredEvent::of(event)));
        }
        if self.layer.get().is_none()
            && let Ok(layer) = (self.make)()
        {
            let _ = self.layer.set(layer);
        }
        // What it cannot be given is lost, as it is where journald ends.
        if let Some(layer) = self.layer.get() {
            layer.on_event(event, context);
        }
    }
}
