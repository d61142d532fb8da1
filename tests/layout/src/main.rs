//! Prints what CONTRIBUTING.md measures: lines of code for each crate, circles, and how many files one thing takes. Of
//! this repository, or of the one at the path that is its argument: an earlier commit, say.

use std::path::{Path, PathBuf};

use layout::calls::Methods;
use layout::modules::Modules;
use layout::{CRATES, code_lines, product_lines, root, text};

/// Things that a newcomer adds another one of: what it is, and a word that stands wherever this one is handled.
const EXAMPLES: [(&str, &str); 3] = [
    ("a request on the wire", "Explain"),
    ("a kind of profile", "Glp"),
    ("a configuration key", "max_connections_per_uid"),
];

fn main() {
    let root = std::env::args().nth(1).map_or_else(root, PathBuf::from);
    let mut product: Vec<PathBuf> = Vec::new();
    let mut sum = 0;
    for (folder, root_file) in CRATES {
        let modules = Modules::of_crate(&root.join(root_file));
        let files: Vec<_> = modules.files().iter().map(|file| Path::new(folder).join("src").join(file)).collect();
        let lines: usize = files.iter().map(|file| code_lines(&text(&root, file))).sum();
        println!("{folder}: {lines} lines of code in {} files", files.len());
        let edges = modules.edges();
        for circle in modules.circles() {
            println!("  circle of imports of {} files:", circle.len());
            for file in &circle {
                let named = edges[Path::new(file)].iter().map(|file| file.display().to_string());
                let within: Vec<_> = named.filter(|file| circle.contains(file)).collect();
                println!("    {file} -> {}", within.join(" "));
            }
        }
        sum += lines;
        product.extend(files);
    }
    println!("all: {sum} lines of code");

    for (what, word) in EXAMPLES {
        let naming: Vec<_> = product.iter().filter(|file| names(&text(&root, file), word)).collect();
        println!("{what} ({word}): {} files", naming.len());
        naming.iter().for_each(|file| println!("  {}", file.display()));
    }

    let core: Vec<PathBuf> = product.into_iter().filter(|file| file.starts_with("daemon/src/core")).collect();
    let methods = Methods::of_type("Core", &root, &core);
    println!("Core: {} methods", methods.files.len());
    for circle in methods.circles() {
        println!("  circle by call of {} files: {}", circle.len(), circle.join(" "));
    }
}

/// Whether code, not a comment, names it.
fn names(text: &str, word: &str) -> bool {
    let mut words = product_lines(text).flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|other| other.eq_ignore_ascii_case(word))
}
