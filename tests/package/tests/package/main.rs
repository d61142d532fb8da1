//! The Debian package, built in the profile of the tests, and what it is generated from.

mod contents;
mod generated;
