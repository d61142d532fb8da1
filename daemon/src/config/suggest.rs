//! "Did you mean …?"

/// The candidate that `typed` is most likely meant to be, if any is close enough.
pub(super) fn closest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer than any key was not mistyped; this also bounds the work.
    if typed.len() > 64 {
        return None;
    }
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| (distance(&typed, &candidate.to_ascii_lowercase().replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Characters to insert, delete, replace, or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognized_and_other_words_are_not() {
        let keys = ["client_id", "client_secret", "kind", "before"];
        for (typed, meant) in [
            ("clientid", Some("client_id")),
            ("client-id", Some("client_id")),
            ("Client_Secert", Some("client_secret")),
            ("knid", Some("kind")),
            ("befor", Some("before")),
            ("after", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(closest(typed, keys), meant, "{typed}");
        }
        assert_eq!(closest(&"x".repeat(100_000), keys), None);
    }
}
