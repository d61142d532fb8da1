//! The core's architecture invariant.

use std::path::Path;

#[test]
fn the_core_imports_only_std_and_the_wire_format() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        read += 1;
        let text = std::fs::read_to_string(&path).expect("readable");
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("use ")) {
            let root = line.split([':', ';', ' ']).next().unwrap_or_default();
            let allowed = ["std", "tokend_proto", "super", "self", "crate"].contains(&root)
                // In `core/mod.rs` the module's own children stand without a prefix.
                || path.file_name().is_some_and(|n| n == "mod.rs");
            assert!(allowed, "{}: use {line}", path.display());
            assert!(!line.starts_with("crate::") || line.starts_with("crate::core"), "{}: use {line}", path.display());
        }
        for forbidden in ["tokio", "reqwest", "SystemTime", "Instant::now", "std::net", "std::fs", "std::env"] {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            assert!(code.into_iter().all(|line| !line.contains(forbidden)), "{}: {forbidden}", path.display());
        }
    }
    assert!(read > 15, "the sources were not found");
}
