//! Something refers to each file: a file that nobody reads is a file that somebody forgot.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use layout::{files, root, text};

/// Files that a program finds by their names alone, and the program.
const BY_NAME: [(&str, &str); 13] = [
    (".cargo/config.toml", "cargo"),
    (".gitignore", "git"),
    (".rustfmt.toml", "rustfmt"),
    (".clippy.toml", "clippy"),
    ("Cargo.lock", "cargo"),
    ("Cargo.toml", "cargo"),
    ("README.md", "a reader of the folder"),
    ("ARCHITECTURE.md", "a reader of the root"),
    ("CHANGELOG.md", "a reader of the root"),
    ("CONTRIBUTING.md", "a reader of the root"),
    ("SECURITY.md", "a reader of the root"),
    ("LICENSE", "a reader of the root"),
    ("build.rs", "cargo"),
];

/// Folders whose files a program reads one and all, and the file that says so.
const READ_WHOLE: [(&str, &str); 5] = [
    (".github/workflows", "GitHub"),
    ("daemon/debian", "cargo-deb, from daemon/Cargo.toml"),
    ("tests/fuzz/seeds", "tests/properties/tests/corpus.rs"),
    ("tests/fuzz/fuzz_targets", "tests/fuzz/Cargo.toml"),
    ("tests/mutations", "tests/mutations/run.sh"),
];

fn is_found_by_name(file: &Path) -> bool {
    BY_NAME.iter().any(|(name, _)| file.ends_with(name))
        || READ_WHOLE.iter().any(|(folder, _)| file.starts_with(folder))
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// A module that its parent declares, or a program that cargo finds by its place.
fn is_source(file: &Path, texts: &BTreeMap<PathBuf, String>) -> bool {
    if !is_rust(file) {
        return false;
    }
    let (Some(folder), Some(stem)) = (file.parent(), file.file_stem().and_then(|stem| stem.to_str())) else {
        return false;
    };
    let is_root = ["lib.rs", "main.rs"].iter().any(|name| file.ends_with(Path::new("src").join(name)));
    let is_program = ["src/bin", "tests", "examples", "benches"].iter().any(|place| folder.ends_with(place))
        || (stem == "main" && folder.parent().is_some_and(|above| above.ends_with("tests")));
    let (name, place) = match stem {
        "mod" => (folder.file_name().and_then(|name| name.to_str()).unwrap_or_default(), folder.parent()),
        stem => (stem, Some(folder)),
    };
    let place = place.unwrap_or(Path::new(""));
    let declaration = format!("mod {name};");
    let mut parents =
        texts.iter().filter(|(parent, _)| parent.parent() == Some(place) || **parent == place.with_extension("rs"));
    let is_declared = parents.any(|(_, text)| text.lines().any(|line| line.ends_with(&declaration)));
    is_root || is_program || is_declared
}

#[test]
fn something_refers_to_each_file() {
    let texts: BTreeMap<PathBuf, String> =
        files().into_iter().map(|file| (file.clone(), text(&root(), &file))).collect();
    let is_named = |file: &Path| {
        let word = |word: Option<&OsStr>| word.and_then(OsStr::to_str).unwrap_or_default().to_owned();
        let (name, quoted) = (word(file.file_name()), format!("\"{}\"", word(file.file_stem())));
        let mut others = texts.iter().filter(|(other, _)| *other != file);
        others.any(|(_, text)| text.contains(&name) || (!is_rust(file) && text.contains(&quoted)))
    };
    let forgotten = texts.keys().filter(|file| !is_source(file, &texts) && !is_named(file) && !is_found_by_name(file));
    let forgotten: Vec<_> = forgotten.map(|file| file.display().to_string()).collect();
    assert_eq!(forgotten, [""; 0], "expected something to refer to these");
}
