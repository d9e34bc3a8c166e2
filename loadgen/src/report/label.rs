//! Names for what is compared, from the names of files.

use std::collections::BTreeMap;

/// A name for each file, given the workload and the stem of each.
///
/// `ringkeeper-writes-1`, `ringkeeper-writes-2` and `zookeeper-writes-1` of one workload are two repetitions of `ringkeeper`
/// and one of `zookeeper`: a number at the end counts repetitions, and words that all files of the workload share tell
/// nothing.
pub fn derive<W: Ord>(files: &[(W, &str)]) -> Vec<String> {
    let mut stems: BTreeMap<&W, Vec<Vec<&str>>> = BTreeMap::new();
    for (workload, stem) in files {
        stems.entry(workload).or_default().push(words(stem));
    }
    files.iter().map(|(workload, stem)| differing(&words(stem), &stems[workload])).collect()
}

/// The words of a name, without the number of the repetition.
fn words(stem: &str) -> Vec<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let named = match stem.rsplit_once(['-', '_', '.', ' ']) {
        Some((name, number)) if is_number(number) && !name.is_empty() => name,
        _ => stem,
    };
    named.split(['-', '_']).collect()
}

/// The words that not all have, at the front and at the back; all words if that would leave somebody without a name.
fn differing(own: &[&str], all: &[Vec<&str>]) -> String {
    let front = (0..own.len()).take_while(|at| all.iter().all(|other| other.get(*at) == Some(&own[*at]))).count();
    let from_end = |words: &[&str], at: usize| words.iter().rev().nth(at).map(|word| (*word).to_owned());
    let back =
        (0..own.len()).take_while(|at| all.iter().all(|other| from_end(other, *at) == from_end(own, *at))).count();
    if all.iter().any(|words| words.len() <= front + back) {
        return own.join("-");
    }
    own[front..own.len() - back].join("-")
}

#[cfg(test)]
mod tests {
    use super::derive;

    #[test]
    fn what_differs_between_files_of_a_workload_is_their_label() {
        let files = [
            ("w", "ringkeeper-writes1x1-1"),
            ("w", "ringkeeper-writes1x1-2"),
            ("w", "zookeeper-writes1x1-1"),
            ("r", "ringkeeper-reads1x1-1"),
            ("r", "zookeeper-reads1x1-1"),
            ("k", "failover-zookeeper-tuned-kill-1"),
            ("k", "failover-zookeeper-kill-12"),
            ("k", "failover-ringkeeper-kill-12"),
            ("p", "zookeeper-tuned-pause"),
            ("p", "zookeeper-pause"),
        ];
        let labels = derive(&files);
        assert_eq!(labels[..5], ["ringkeeper", "ringkeeper", "zookeeper", "ringkeeper", "zookeeper"]);
        assert_eq!(labels[5..8], ["zookeeper-tuned", "zookeeper", "ringkeeper"]);
        assert_eq!(labels[8..], ["zookeeper-tuned-pause", "zookeeper-pause"], "nothing would be left of the latter");
    }

    #[test]
    fn names_without_a_pattern_are_their_own_label() {
        assert_eq!(derive(&[("w", "a"), ("w", "b")]), ["a", "b"]);
        assert_eq!(derive(&[("w", "run-1"), ("w", "run-2")]), ["run", "run"]);
        assert_eq!(derive(&[("w", "1"), ("w", "2")]), ["1", "2"]);
        assert_eq!(derive(&[("w", "depth64"), ("w", "depth16")]), ["depth64", "depth16"]);
        assert_eq!(derive(&[("w", "depth64")]), ["depth64"]);
        assert_eq!(derive(&[("w", ""), ("w", "é-1")]), ["", "é"]);
    }
}
