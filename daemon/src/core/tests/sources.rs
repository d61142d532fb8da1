//! The architecture invariant of what decides: it has no I/O, no clock and no randomness of its own.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders, with all below them, and files that import only `std`, `tokend-proto` and each other.
const PURE: [&str; 3] = ["core", "access/policy.rs", "access/unit.rs"];

/// The modules of these. `systemd::fd_store` is named in core's documentation only.
const MODULES: [&str; 3] = ["crate::core", "crate::access::policy", "crate::access::unit"];

const FORBIDDEN: [&str; 7] = ["tokio", "reqwest", "SystemTime", "Instant::now", "std::net", "std::fs", "std::env"];

#[test]
fn what_decides_imports_only_std_and_the_wire_format() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<PathBuf> = PURE.iter().flat_map(|pure| sources(&src.join(pure))).collect();
    assert!(files.len() > 30, "the sources were not found");
    let faults: Vec<String> = files.iter().flat_map(|file| faults(file)).collect();
    assert_eq!(faults, [""; 0]);
}

/// The product's sources here: tests may use what they like.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs" || name == "fixture.rs");
        return if path.extension().is_some_and(|e| e == "rs") && !is_test {
            vec![path.to_owned()]
        } else {
            Vec::new()
        };
    }
    if path.ends_with("tests") {
        return Vec::new();
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.flat_map(|entry| sources(&entry.expect("an entry").path())).collect()
}

fn faults(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("readable");
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = product.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let is_faulty = |line: &&str| {
        let imported = line.strip_prefix("pub use ").or_else(|| line.strip_prefix("use "));
        let foreign = imported.is_some_and(|path| {
            let root = path.split([':', ';', ' ']).next().unwrap_or_default();
            // The children of a module stand in its own file without a prefix.
            let child = || product.contains(&format!("mod {root};"));
            !["std", "tokend_proto", "super", "self", "crate"].contains(&root) && !child()
        });
        let elsewhere = line.match_indices("crate::").any(|(at, _)| {
            let path = &line[at..];
            !path.starts_with("crate::)") && !MODULES.iter().any(|module| path.starts_with(module))
        });
        foreign || elsewhere || FORBIDDEN.iter().any(|word| line.contains(word))
    };
    code.filter(is_faulty).map(|line| format!("{}: {line}", path.display())).collect()
}
