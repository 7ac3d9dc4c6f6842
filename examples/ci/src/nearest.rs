//! What somebody may have meant.

/// The known word that is closest to this one, as a hint to append to a
/// message; empty when none is close.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = known.into_iter().map(|known| (distance(word, known), known)).min();
    match near {
        Some((distance, known)) if distance <= (word.len() / 3).max(1) => {
            format!(": did you mean `{known}`?")
        }
        _ => String::new(),
    }
}

/// How many characters must be put in, taken out, replaced or swapped with
/// their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.to_lowercase().replace('_', "-").chars().collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let above = &rows[i - 1];
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("run", "run"), 0);
        assert_eq!(distance("rnu", "run"), 1);
        assert_eq!(distance("nru", "run"), 2);
        assert_eq!(distance("", "run"), 3);
        assert_eq!(distance("timeout_minutes", "timeout-minutes"), 0);
    }

    #[test]
    fn only_what_is_close_is_suggested() {
        let keys = ["run", "name", "timeout-minutes"];
        assert_eq!(hint("timout-minutes", keys), ": did you mean `timeout-minutes`?");
        assert_eq!(hint("nam", keys), ": did you mean `name`?");
        assert_eq!(hint("matrix", keys), "");
    }
}
