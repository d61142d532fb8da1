//! Very many watchers of one name: from the provider's answer to the last one served.

use super::{Bench, BenchError, Case, Section};

pub(super) fn measure(bench: &mut Bench) -> Result<(), BenchError> {
    let mut section = Section::new("From the provider's answer to the last watcher", &[]);
    section.note("Not measured: there is no `Watch` yet.");
    bench.report.add(Case::Watchers, section);
    Ok(())
}
