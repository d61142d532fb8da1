//! What every part of the configuration is validated with.

use std::cell::RefCell;

use super::diagnostics::Diagnostics;
use super::environment::Environment;
use super::outside::Named;
use super::purpose::Purpose;

/// For one file.
pub(super) struct Context<'c> {
    pub(super) diagnostics: &'c Diagnostics,
    pub(super) environment: &'c Environment,
    pub(super) purpose: Purpose,
    pub(super) named: RefCell<Named>,
}
