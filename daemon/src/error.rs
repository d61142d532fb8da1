//! Errors as people read them.

use std::error::Error;
use std::iter;

/// An error with all its causes, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (**cause).source());
    iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

/// Several errors with their causes, a line for each.
#[must_use]
pub fn lines<E: Error>(errors: &[E]) -> String {
    errors.iter().map(|error| chain(error)).collect::<Vec<_>>().join("\n")
}
