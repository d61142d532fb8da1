//! A path that a document, a script or a comment names is there.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use layout::{files, root, text};

/// What programs make: where cargo-fuzz puts the inputs that broke a property.
const MADE: [&str; 1] = ["tests/fuzz/artifacts"];

/// The words of a text that may be paths of this repository, with their lines.
fn path_words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_.-/*".contains(c);
    let words = text.lines().enumerate().flat_map(move |(at, line)| {
        line.split(move |c| !is_path(c)).map(move |word| (at + 1, word.trim_matches('.').trim_end_matches('/')))
    });
    // NAME stands for one that a reader chooses.
    words.filter(|(_, word)| word.contains('/') && !word.contains('*') && !word.contains("NAME"))
}

/// Where the links of a Markdown page lead, with their lines; those to other hosts are left out.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let links = text.lines().enumerate().flat_map(|(at, line)| {
        let targets = line.split("](").skip(1);
        targets.filter_map(move |rest| Some((at + 1, rest.split(')').next()?.split('#').next()?)))
    });
    links.filter(|(_, target)| !target.is_empty() && !target.contains("://"))
}

/// From the root, from the folder of the file that names it, or from one between: a crate's own, say.
fn is_there(file: &Path, path: &str) -> bool {
    file.ancestors().skip(1).any(|folder| root().join(folder).join(path).exists())
}

#[test]
fn each_path_that_is_named_is_there() {
    let files = files();
    let tops: BTreeSet<&str> = files.iter().filter_map(|file| file.iter().next()?.to_str()).collect();
    let mut missing = Vec::new();
    let mut named = 0;
    for file in &files {
        let text = text(&root(), file);
        let is_page = file.extension().is_some_and(|extension| extension == "md");
        let own = |(_, word): &(usize, &str)| word.split('/').next().is_some_and(|top| tops.contains(top));
        let words: Vec<_> = path_words(&text).filter(own).collect();
        let links: Vec<_> = if is_page { links(&text).collect() } else { Vec::new() };
        for (line, path) in words.into_iter().chain(links) {
            named += 1;
            if !is_there(file, path) && !MADE.contains(&path) {
                missing.push(format!("{}:{line}: {path}", file.display()));
            }
        }
    }
    assert!(named > 100, "expected many paths, found {named}");
    assert_eq!(missing, [""; 0], "expected these to be files or folders");
}

#[test]
fn each_mutation_fits_the_source() {
    let patches: Vec<PathBuf> =
        files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "patch")).collect();
    assert!(patches.len() > 20, "expected the mutations, found {}", patches.len());
    for patch in patches {
        // As tests/mutations/run.sh does. It needs no repository.
        let fits = Command::new("git").args(["apply", "--check", "-C1"]).arg(&patch).current_dir(root()).output();
        let fits = match fits {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return skipped::because("git is not there");
            }
            fits => fits.unwrap_or_else(|error| panic!("git: {error}")),
        };
        assert!(fits.status.success(), "{}: {}", patch.display(), String::from_utf8_lossy(&fits.stderr));
    }
}
