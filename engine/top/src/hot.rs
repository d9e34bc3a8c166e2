//! The paths that clients ask for most: read out of `hotp`, which only Ringkeeper answers, and put together over all servers.

use ringkeeper_client::four_letter;

/// What a server tells of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Hot {
    /// It has no such word.
    #[default]
    Unknown,
    /// It must not tell.
    NotAllowed,
    /// These, the most frequent first.
    Told(Vec<HotPath>),
}

/// A path and how often it is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct HotPath {
    /// The path.
    pub path: String,
    /// Reads a second.
    pub reads: f64,
    /// Writes a second.
    pub writes: f64,
}

impl Hot {
    /// From the answer.
    pub(crate) fn parse(answer: &str) -> Hot {
        if four_letter::is_refused(answer) {
            return Hot::NotAllowed;
        }
        let mut lines = answer.lines();
        if lines.next().is_none_or(|names| !names.starts_with("reads_per_second\t")) {
            return Hot::Unknown;
        }
        let of_line = |line: &str| {
            let mut fields = line.splitn(3, '\t');
            let mut rate = || fields.next()?.parse::<f64>().ok().filter(|rate| rate.is_finite());
            let (reads, writes) = (rate()?, rate()?);
            Some(HotPath { reads, writes, path: fields.next()?.to_owned() })
        };
        Hot::Told(lines.filter_map(of_line).collect())
    }

    /// What all servers tell together. If only some must not tell, their clients' requests are missing.
    pub(crate) fn together<'a>(servers: impl Iterator<Item = &'a Hot>) -> Hot {
        servers.fold(Hot::Unknown, |sum, hot| match (sum, hot) {
            (Hot::Told(mut sum), Hot::Told(more)) => {
                more.iter().for_each(|path| add(&mut sum, path));
                sum.sort_by(|a, b| b.rate().total_cmp(&a.rate()).then_with(|| a.path.cmp(&b.path)));
                Hot::Told(sum)
            }
            (Hot::Told(told), _) => Hot::Told(told),
            (_, Hot::Told(told)) => Hot::Told(told.clone()),
            (Hot::NotAllowed, _) | (_, Hot::NotAllowed) => Hot::NotAllowed,
            (Hot::Unknown, Hot::Unknown) => Hot::Unknown,
        })
    }
}

impl HotPath {
    fn rate(&self) -> f64 {
        self.reads + self.writes
    }
}

fn add(sum: &mut Vec<HotPath>, more: &HotPath) {
    match sum.iter_mut().find(|known| known.path == more.path) {
        Some(known) => {
            known.reads += more.reads;
            known.writes += more.writes;
        }
        None => sum.push(more.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str, reads: f64, writes: f64) -> HotPath {
        HotPath { path: path.to_owned(), reads, writes }
    }

    #[test]
    fn answers_are_read() {
        let answer = "reads_per_second\twrites_per_second\tpath\n12.5\t0\t/a b\nNaN\t0\t/x\nnonsense\n0\t3\t/\n";
        assert_eq!(Hot::parse(answer), Hot::Told(vec![path("/a b", 12.5, 0.0), path("/", 0.0, 3.0)]));
        assert_eq!(Hot::parse("hotp is not executed because it is not in the whitelist.\n"), Hot::NotAllowed);
        assert_eq!([Hot::parse(""), Hot::parse("HTTP/1.1 400 Bad Request")], [Hot::Unknown, Hot::Unknown]);
    }

    #[test]
    fn requests_at_all_servers_are_summed_up() {
        let told = [Hot::Told(vec![path("/a", 5.0, 0.0), path("/b", 4.0, 0.0)]), Hot::Told(vec![path("/b", 1.0, 2.0)])];
        let sum = Hot::Told(vec![path("/b", 5.0, 2.0), path("/a", 5.0, 0.0)]);
        assert_eq!(Hot::together(told.iter()), sum);
        assert_eq!(Hot::together([Hot::NotAllowed].iter().chain(&told).chain([&Hot::Unknown])), sum);
        assert_eq!(Hot::together([Hot::Unknown, Hot::NotAllowed].iter()), Hot::NotAllowed);
        assert_eq!(Hot::together([].iter()), Hot::Unknown);
    }
}
