//! An event that outlives the call that logged it, until the writer's thread dispatches it.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::late;
use crate::core::time::BootTime;
use crate::os::clock;

/// Fields of an event, its message among them; of more the rest is left out.
const MAX_FIELDS: usize = 32;

/// An event with its fields as journald gets them: as text.
#[derive(Debug)]
pub(super) struct StoredEvent {
    metadata: &'static Metadata<'static>,
    fields: Vec<(Field, String)>,
    at: BootTime,
}

impl StoredEvent {
    pub(super) fn of(event: &Event<'_>) -> Self {
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
        let waited = late::waited(self.at, clock::boot());
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
