//! What was meant by a word that is nearly one of ours.

/// The word that differs from `typed` by one letter (two in long words): another one, one more, one less, or two that
/// changed places.
pub(super) fn similar<'a>(typed: &str, words: &[&'a str]) -> Option<&'a str> {
    let most = if typed.len() > 5 { 2 } else { 1 };
    let near = words.iter().map(|word| (distance(typed, word), *word));
    let (distance, word) = near.min_by_key(|near| near.0)?;
    (distance > 0 && distance <= most).then_some(word)
}

/// Letters to change (optimal string alignment). A word much longer than all of ours is like none.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(32).collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1);
            least = least.min(rows[i - 1][j - 1] + other);
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
    fn words_that_are_nearly_ours() {
        let words = ["run", "disasm", "info", "completions", "man", "help"];
        let rows = [
            ("rum", Some("run")),
            ("urn", Some("run")),
            ("runn", Some("run")),
            ("inof", Some("info")),
            ("dissam", Some("disasm")),
            ("completion", Some("completions")),
            ("run", None),
            ("hello.elf", None),
            ("r", None),
            ("", None),
        ];
        for (typed, meant) in rows {
            assert_eq!(similar(typed, &words), meant, "{typed}");
        }
        assert_eq!(similar(&"r".repeat(100_000), &words), None);
    }
}
