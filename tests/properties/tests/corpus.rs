//! The fuzz targets, over their seeds and some thousand changes of these: the same in every run, on stable Rust.
//! `tests/fuzz/README.md` says how to look for longer.

#![allow(clippy::unwrap_used, reason = "a test ends where an unwrap fails")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use properties::{TARGETS, Target};

/// Changes of the seeds, for a target that only computes.
const CHANGES: usize = 4_000;

/// For one that opens a connection or seals a file for each input.
const SLOW_CHANGES: usize = 1_000;

/// What is put in somewhere: what ends, begins or bounds things in one of the formats.
const PIECES: [&[u8]; 24] = [
    b"",
    b"\0",
    b"\xff",
    b"\x01",
    b"\xfb",
    b"\xfc\0\0\x01\0",
    b"\xfd\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\0\x01\0\0",
    b"\"",
    b"'",
    b"\n",
    b"\n\n",
    b"[",
    b"]",
    b"{",
    b"}",
    b"=",
    b",",
    b":",
    b"\\",
    b"\xc3\xa9",
    b"-1",
    b"1e999",
    b"null",
];

#[test]
fn configuration() {
    run("configuration", CHANGES);
}

#[test]
fn frames() {
    run("frames", SLOW_CHANGES);
}

#[test]
fn records() {
    run("records", SLOW_CHANGES);
}

#[test]
fn replies() {
    run("replies", SLOW_CHANGES);
}

#[test]
fn requests() {
    run("requests", CHANGES);
}

#[test]
fn tenants() {
    run("tenants", CHANGES);
}

#[test]
fn token_responses() {
    run("token_responses", CHANGES);
}

#[test]
fn every_target_has_seeds_a_test_and_a_line_for_cargo_fuzz() {
    let manifest = fs::read_to_string(here().join("../fuzz/Cargo.toml")).unwrap();
    let tests = include_str!("corpus.rs");
    for (name, _) in TARGETS {
        assert!(!seeds(name).is_empty(), "{name} has no seeds");
        assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")), "{name} is not in fuzz/Cargo.toml");
        assert!(tests.contains(&format!("\nfn {name}() {{")), "{name} has no test");
        let line = fs::read_to_string(here().join(format!("../fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(line.contains(&format!("properties::{name}(data)")), "{line}");
    }
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Its own, and for what crosses the socket the golden vectors of the wire format.
fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let vectors = here().join("../../proto/tests/vectors");
    let own = here().join("../fuzz/seeds").join(name);
    let folders = if ["frames", "replies", "requests"].contains(&name) { vec![own, vectors] } else { vec![own] };
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut seeds: Vec<_> =
        files.map(|file| file.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    seeds.sort();
    seeds
}

fn run(name: &str, changes: usize) {
    let target = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    for (path, seed) in &seeds {
        check(target, seed, &path.display().to_string());
    }
    let mut draws = Draws(0);
    for round in 0..changes {
        let (path, seed) = &seeds[round % seeds.len()];
        let (_, other) = &seeds[draws.below(seeds.len())];
        check(target, &draws.changed(seed, other), &format!("change {round}, of {}", path.display()));
    }
}

/// An input that fails is shown as Rust would write it, to become a test.
fn check((name, function): Target, input: &[u8], origin: &str) {
    if catch_unwind(AssertUnwindSafe(|| function(input))).is_err() {
        panic!("{name}, {origin}:\nb\"{}\"", input.escape_ascii());
    }
}

/// A small generator with known constants (Knuth, MMIX).
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(most).unwrap()).unwrap()
    }

    /// One to four changes: a bit, a piece in place of some bytes, a part of another seed, or an end that is missing.
    fn changed(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let until = (at + self.below(5)).min(bytes.len());
            match self.below(8) {
                0..=2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                0..=5 => drop(bytes.splice(at..until, PIECES[self.below(PIECES.len())].iter().copied())),
                6 if !other.is_empty() => {
                    let from = self.below(other.len());
                    let to = (from + 1 + self.below(64)).min(other.len());
                    bytes.splice(at..until, other[from..to].iter().copied());
                }
                _ => bytes.truncate(at.max(until)),
            }
        }
        bytes
    }
}
