//! Files of /proc and /sys: the host's, or recorded ones in tests.

use std::fs;

/// What the collectors read. Paths are absolute.
pub(in crate::doctor) trait Files {
    /// The text of a file without white space around it; `None` if it is not there, not readable or empty.
    fn text(&self, path: &str) -> Option<String>;
    /// The names in a directory, sorted.
    fn names(&self, dir: &str) -> Vec<String>;
    /// The path without symbolic links; `None` if it does not exist.
    fn resolve(&self, path: &str) -> Option<String>;

    /// A file that holds one number.
    fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }
}

/// This machine's.
pub(in crate::doctor) struct Host;

impl Files for Host {
    fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(path).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    fn resolve(&self, path: &str) -> Option<String> {
        fs::canonicalize(path).ok()?.into_os_string().into_string().ok()
    }
}

/// The first existing directory among a path and those above it.
pub(in crate::doctor) fn existing(files: &dyn Files, dir: &str) -> Option<String> {
    let mut path = std::path::Path::new(dir);
    loop {
        if let Some(found) = path.to_str().filter(|text| !text.is_empty()).and_then(|text| files.resolve(text)) {
            return Some(found);
        }
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => path = parent,
            // A relative path of which nothing exists is below the current directory.
            _ => return files.resolve("."),
        }
    }
}

#[cfg(test)]
pub(in crate::doctor) use recorded::Recorded;

#[cfg(test)]
mod recorded {
    use super::Files;
    use std::collections::{BTreeMap, BTreeSet};

    /// Files that were written down: a line `@ /path` and then the text, or `@ /path -> /target` for a symbolic link.
    pub(in crate::doctor) struct Recorded {
        texts: BTreeMap<String, String>,
        links: BTreeMap<String, String>,
    }

    impl Recorded {
        pub(in crate::doctor) fn parse(text: &str) -> Recorded {
            let mut recorded = Recorded { texts: BTreeMap::new(), links: BTreeMap::new() };
            let mut at = None;
            for line in text.lines() {
                match line.strip_prefix("@ ").map(|head| head.split_once(" -> ").ok_or(head)) {
                    Some(Ok((path, target))) => {
                        recorded.links.insert(path.to_owned(), target.to_owned());
                        at = None;
                    }
                    Some(Err(path)) => {
                        recorded.texts.insert(path.to_owned(), String::new());
                        at = Some(path.to_owned());
                    }
                    None => {
                        if let Some(text) = at.as_ref().and_then(|path| recorded.texts.get_mut(path)) {
                            text.push_str(line);
                            text.push('\n');
                        }
                    }
                }
            }
            recorded
        }

        /// The same machine with one file changed.
        pub(in crate::doctor) fn with(mut self, path: &str, text: &str) -> Recorded {
            self.texts.insert(path.to_owned(), text.to_owned());
            self
        }

        fn follow(&self, path: &str) -> String {
            let link = self.links.iter().find(|(link, _)| path == *link || path.starts_with(&format!("{link}/")));
            link.map_or_else(|| path.to_owned(), |(link, target)| format!("{target}{}", &path[link.len()..]))
        }

        fn below(&self, dir: &str) -> BTreeSet<String> {
            let prefix = format!("{}/", self.follow(dir).trim_end_matches('/'));
            let all = self.texts.keys().chain(self.links.keys());
            let rest = all.filter_map(|path| path.strip_prefix(&prefix)?.split('/').next());
            rest.map(str::to_owned).collect()
        }
    }

    impl Files for Recorded {
        fn text(&self, path: &str) -> Option<String> {
            let text = self.texts.get(&self.follow(path))?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        }

        fn names(&self, dir: &str) -> Vec<String> {
            self.below(dir).into_iter().collect()
        }

        fn resolve(&self, path: &str) -> Option<String> {
            let path = self.follow(path);
            let exists = self.texts.contains_key(&path) || path == "/" || !self.below(&path).is_empty();
            exists.then_some(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "@ /sys/a/b\n one \n@ /sys/link -> /sys/a\n@ /sys/empty\n\n";

    #[test]
    fn recorded_files_are_read_as_real_ones() {
        let files = Recorded::parse(TREE);
        assert_eq!(files.text("/sys/link/b").as_deref(), Some("one"));
        assert_eq!((files.text("/sys/empty"), files.text("/sys/none")), (None, None));
        assert_eq!(files.names("/sys"), ["a", "empty", "link"]);
        assert_eq!(files.resolve("/sys/link").as_deref(), Some("/sys/a"));
        assert_eq!(files.resolve("/sys/none"), None);
    }

    #[test]
    fn the_nearest_directory_that_exists_is_found() {
        let files = Recorded::parse(TREE);
        assert_eq!(existing(&files, "/sys/a/x/y").as_deref(), Some("/sys/a"));
        assert_eq!(existing(&files, "/nothing").as_deref(), Some("/"));
        assert!(existing(&Host, "nothing/here").is_some(), "the current directory");
    }
}
