//! An event that is taken up on one thread and given to a layer on another: what journald's layer sends, it sends at
//! once, and waits where journald does not read.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::queue::{Line, Queue};
use super::writer;
use crate::core::time::Boot;
use crate::os::clock;

/// Fields of an event, its message among them; of more the rest is left out.
const MAX_FIELDS: usize = 32;

/// An event with its fields as journald gets them: as text.
#[derive(Debug)]
pub(super) struct StoredEvent {
    metadata: &'static Metadata<'static>,
    fields: Vec<(Field, String)>,
    at: Boot,
}

impl StoredEvent {
    fn of(event: &Event<'_>) -> Self {
        let mut stored = Self { metadata: event.metadata(), fields: Vec::with_capacity(4), at: clock::boot() };
        event.record(&mut stored);
        stored
    }

    /// Bytes that its fields take.
    pub(super) fn size(&self) -> usize {
        let text: usize = self.fields.iter().map(|(_, text)| text.capacity()).sum();
        text + self.fields.capacity() * size_of::<(Field, String)>()
    }

    /// Logs it, on this thread.
    pub(super) fn dispatch(mut self) {
        let waited = super::waited(self.at, clock::boot());
        if let Some((_, message)) = self.fields.iter_mut().find(|(field, _)| field.name() == "message") {
            message.push_str(&waited);
        }
        let Some((any, _)) = self.fields.first() else { return };
        let mut values: [(&Field, Option<&dyn tracing::Value>); MAX_FIELDS] = [(any, None); MAX_FIELDS];
        for (value, (field, text)) in values.iter_mut().zip(&self.fields) {
            *value = (field, Some(text));
        }
        Event::dispatch(self.metadata, &self.metadata.fields().value_set(&values));
    }
}

impl Visit for StoredEvent {
    fn record_str(&mut self, field: &Field, text: &str) {
        self.fields.push((field.clone(), text.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.push((field.clone(), format!("{value:?}")));
    }
}

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
