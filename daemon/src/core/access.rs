//! Who may read which name. Filled from `[[access]]` by `crate::config`.
