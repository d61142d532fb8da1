//! The licences of the crates that are linked into the programs. They ask for their text to go with the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::PackageError;
use super::programs::{host, run};

/// Every crate that either program is made of, with its licence and the texts that it brings.
pub(super) fn text(root: &Path) -> Result<String, PackageError> {
    let mut command = binaries::cargo();
    command.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", &host()?]);
    let metadata: Value = serde_json::from_str(&run(command.current_dir(root))?).expect("cargo prints JSON");
    let linked = linked(&metadata);
    let mut text = "tokend and tokenctl are built from the following crates, each under its own licence.\n".to_owned();
    // Many share one text to the letter.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in array(&metadata["packages"]) {
        if !linked.contains(string(&package["id"])) || package["source"].is_null() {
            continue;
        }
        let name = format!("{} {}", string(&package["name"]), string(&package["version"]));
        let _ = writeln!(text, "  {name}: {}", string(&package["license"]));
        let folder = Path::new(string(&package["manifest_path"])).parent().map(Path::to_owned);
        for file in folder.iter().flat_map(|folder| licence_files(folder)) {
            texts.entry(fs::read_to_string(&file).unwrap_or_default()).or_default().push(name.clone());
        }
    }
    for (licence, names) in texts {
        let _ = write!(text, "\n{}\n{}:\n\n{}\n", "-".repeat(80), names.join(", "), licence.trim_end());
    }
    Ok(text)
}

/// Ids of all packages that the programs need at run time.
fn linked(metadata: &Value) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Value> =
        array(&metadata["resolve"]["nodes"]).map(|node| (string(&node["id"]), node)).collect();
    let programs = array(&metadata["packages"])
        .filter(|package| matches!(string(&package["name"]), "tokend" | "tokenctl"))
        .map(|package| string(&package["id"]));
    let mut open: Vec<&str> = programs.collect();
    let mut linked = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(node) = nodes.get(id).filter(|_| linked.insert(id)) else { continue };
        let normal = |dependency: &&Value| array(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
        open.extend(array(&node["deps"]).filter(normal).map(|dependency| string(&dependency["pkg"])));
    }
    linked
}

fn licence_files(folder: &Path) -> Vec<PathBuf> {
    let is_licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_uppercase();
        path.is_file() && ["LICENSE", "LICENCE", "COPYING", "NOTICE"].iter().any(|word| name.starts_with(word))
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_licence).collect();
    files.sort();
    files
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
