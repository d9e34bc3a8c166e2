//! The known name that a misspelt one most likely meant.

/// The candidate with the fewest edits from `name`, ignoring case; `None` if none is near enough to be a slip.
pub fn among(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let wanted = lower(name.strip_prefix("zookeeper.").unwrap_or(name));
    let tolerance = (wanted.len() / 4).clamp(1, 4);
    let scored = candidates.map(|candidate| (edits(&wanted, &lower(&candidate)), candidate));
    scored.filter(|(distance, _)| *distance <= tolerance).min().map(|(_, candidate)| candidate)
}

fn lower(name: &str) -> Vec<char> {
    name.chars().take(200).map(|c| c.to_ascii_lowercase()).collect()
}

/// Insertions, deletions and replacements between two names (Levenshtein's distance), one row at a time.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = || ["dataDir", "dataLogDir", "tickTime", "maxClientCnxns"].map(str::to_owned).into_iter();
        let check = |name, expected: Option<&str>| assert_eq!(among(name, names()).as_deref(), expected, "{name}");
        check("datadir", Some("dataDir"));
        check("dataLogdirs", Some("dataLogDir"));
        check("maxClientConns", Some("maxClientCnxns"));
        check("zookeeper.tickTim", Some("tickTime"));
        check("java.security.auth.login.config", None);
        check("", None);
    }

    #[test]
    fn distances() {
        let d = |a: &str, b: &str| edits(&lower(a), &lower(b));
        assert_eq!((d("", ""), d("abc", ""), d("", "ab"), d("kitten", "sitting"), d("AB", "ab")), (0, 3, 2, 3, 0));
    }
}
