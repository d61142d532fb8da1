//! Circles in a graph of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Groups of files each of which leads to each other one, sorted.
pub(crate) fn circles(edges: &BTreeMap<&Path, BTreeSet<&Path>>) -> Vec<Vec<String>> {
    let reachable: BTreeMap<_, _> = edges.keys().map(|file| (*file, reachable(file, edges))).collect();
    let mut circles = BTreeSet::new();
    for (file, seen) in &reachable {
        let both = seen.iter().filter(|other| reachable.get(*other).is_some_and(|back| back.contains(file)));
        let circle: Vec<String> = both.map(|file| file.display().to_string()).collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(from: &Path, edges: &BTreeMap<&'a Path, BTreeSet<&'a Path>>) -> BTreeSet<&'a Path> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&Path> = edges[from].iter().copied().collect();
    while let Some(file) = next.pop() {
        if seen.insert(file) {
            next.extend(edges.get(file).into_iter().flatten());
        }
    }
    seen
}
