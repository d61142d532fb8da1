//! to come
use std::io;
#[derive(Default)]
pub(super) struct Fault;
impl Fault {
    pub(super) fn step(&self, _: &'static str, _: &str) -> io::Result<()> {
        Ok(())
    }
}
