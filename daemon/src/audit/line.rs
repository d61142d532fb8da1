//! Audit records in the text log: the line alone, without the fields, which say the same once more.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::record::TARGET;

/// Writes audit records as lines, and everything else as the format inside does.
#[derive(Debug, Clone, Default)]
pub struct AuditAsLine<Format>(pub Format);

impl<S, N, Format> FormatEvent<S, N> for AuditAsLine<Format>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    Format: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        if metadata.target() != TARGET {
            return self.0.format_event(context, writer, event);
        }
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {:>5} {TARGET}: ", metadata.level())?;
        let mut message = Message(writer, Ok(()));
        event.record(&mut message);
        let Message(mut writer, written) = message;
        written?;
        writeln!(writer)
    }
}

/// Picks the message out of the fields.
struct Message<'w>(Writer<'w>, fmt::Result);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.1 = write!(self.0, "{value:?}");
        }
    }
}
