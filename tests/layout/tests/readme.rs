//! tests/README.md names the members and the tests that there are.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn readme() -> String {
    fs::read_to_string(tests().join("README.md")).unwrap()
}

/// Each link: what it shows, and where it leads.
fn links(text: &str) -> Vec<(&str, &str)> {
    let ends = text.match_indices("](");
    ends.filter_map(|(at, _)| {
        let shown = &text[text[..at].rfind('[')? + 1..at];
        let target = &text[at + 2..];
        Some((shown.trim_matches('`'), &target[..target.find(')')?]))
    })
    .collect()
}

/// The folders of tests/ that are packages.
fn members() -> Vec<PathBuf> {
    let folders = fs::read_dir(tests()).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("Cargo.toml").is_file()).collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// A test of libtest's, or a scenario in a list of libtest-mimic's.
fn has_test(source: &str, name: &str) -> bool {
    let function = source.find(&format!("fn {name}(")).is_some_and(|at| {
        let before = source[..at].rsplit("\n\n").next().unwrap_or_default();
        before.contains("#[test]")
    });
    function || source.contains(&format!("    (\"{name}\", "))
}

#[test]
fn each_test_that_is_named_is_there() {
    let readme = readme();
    let mut named = 0;
    for (name, target) in links(&readme) {
        let path = tests().join(target);
        assert!(path.exists(), "tests/README.md: expected a file or folder at {target}");
        if target.contains("/tests/") && !name.ends_with(".rs") {
            let source = fs::read_to_string(&path).unwrap();
            assert!(has_test(&source, name), "tests/README.md: expected a test {name} in {target}");
            named += 1;
        }
    }
    assert!(named > 50, "expected the tables to be read, found {named} tests");
}

#[test]
fn each_file_with_tests_is_named() {
    let readme = readme();
    let targets: BTreeSet<_> = links(&readme).into_iter().map(|(_, target)| tests().join(target)).collect();
    for member in members().iter().filter(|member| !member.ends_with("skipped")) {
        let mut files = Vec::new();
        sources(&member.join("tests"), &mut files);
        for file in &files {
            let tests = fs::read_to_string(file).unwrap().contains("\n#[test]\n");
            assert!(!tests || targets.contains(file), "expected tests/README.md to name a test of {}", file.display());
        }
    }
}

#[test]
fn each_member_has_a_row_and_each_rule_is_one() {
    let readme = readme();
    for member in members() {
        let name = member.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("[`{name}`](")), "expected tests/README.md to say what {name} is");
    }
    let mut files = Vec::new();
    sources(&tests().join("simulation/src"), &mut files);
    let simulation: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let rules = readme.lines().filter_map(|line| line.split_once("; rule")).flat_map(|(_, rules)| rules.split('`'));
    for rule in rules.filter(|rule| rule.contains('-')) {
        assert!(simulation.contains(&format!("\"{rule}\"")), "expected a rule {rule} in the simulation");
    }
}
