//! The repository, as a newcomer reads it: its files, and what they say of each other.
//!
//! The tests beside it hold three things: a path in a document is there, a file is referred to by something, and
//! modules import each other in one direction only. Not here: anything that runs the product.

pub mod calls;
mod circles;
pub mod modules;

use std::fs;
use std::path::{Path, PathBuf};

/// The crates that users install: the folder of each and its root file.
pub const CRATES: [(&str, &str); 4] = [
    ("proto", "proto/src/lib.rs"),
    ("client", "client/src/lib.rs"),
    ("client/tokenctl", "client/tokenctl/src/lib.rs"),
    ("daemon", "daemon/src/lib.rs"),
];

/// The folder that holds the whole repository.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    folder.canonicalize().expect("this package stands in the repository")
}

/// All files of the repository, relative to [`root`] and sorted. Left out is what programs make: `target`, and what
/// version control keeps for itself.
pub fn files() -> Vec<PathBuf> {
    let root = root();
    let mut files = Vec::new();
    collect(&root, &mut files);
    let relative = files.iter().map(|file| file.strip_prefix(&root).expect("it is below the root").to_owned());
    let mut relative: Vec<_> = relative.collect();
    relative.sort();
    relative
}

/// A file's text, by its path below `root`; empty where it is not UTF-8, as the golden bytes are not.
pub fn text(root: &Path, file: &Path) -> String {
    let bytes = fs::read(root.join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    String::from_utf8(bytes).unwrap_or_default()
}

/// The lines of a source file that are code: no blank line, no comment, and nothing of its tests.
pub fn product_lines(text: &str) -> impl Iterator<Item = &str> {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    product.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// How many [`product_lines`] there are.
pub fn code_lines(text: &str) -> usize {
    product_lines(text).count()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_symlink() || path.is_file() {
            files.push(path);
        } else if !["target", ".git", "corpus", "artifacts", "__pycache__", ".venv"].contains(&name) {
            collect(&path, files);
        }
    }
}
