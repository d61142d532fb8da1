//! Reads from the client's cache in this process: by one thread, and by two at once.

use super::{Bench, BenchError, Case, Section};

/// Until the client has a cache.
const NOT_YET: &str = "the client has no cache yet";

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    bench.report.found("e.read", Err(NOT_YET.to_owned()));
    bench.report.found("e.threads", Err(NOT_YET.to_owned()));
    let mut section = Section::new("Time per read", &[]);
    section.note(format!("Not measured: {NOT_YET}."));
    bench.report.add(Case::Cached, section);
    Ok(())
}
