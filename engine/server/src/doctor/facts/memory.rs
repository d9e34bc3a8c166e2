//! Memory: how much a server may have, and what the kernel does with it.

use super::cgroup;
use super::files::Files;
use super::kernel::status_field;
use serde::Serialize;

/// The memory.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Memory {
    /// Of the machine, bytes.
    pub total: Option<u64>,
    /// That a program that starts could get, bytes.
    pub available: Option<u64>,
    /// The limit of the control group, bytes.
    pub limit: Option<u64>,
    /// Swap space, bytes.
    pub swap: Option<u64>,
    /// `vm.swappiness`.
    pub swappiness: Option<u64>,
    /// Transparent huge pages: always, madvise or never.
    pub huge_pages: Option<String>,
    /// What is done to get one: always, defer, defer+madvise, madvise or never.
    pub huge_pages_defrag: Option<String>,
}

impl Memory {
    /// What the files say.
    pub(super) fn read(files: &dyn Files) -> Memory {
        let text = files.text("/proc/meminfo").unwrap_or_default();
        let bytes = |name| Some(status_field(&text, name)?.strip_suffix(" kB")?.parse::<u64>().ok()? << 10);
        let pages = |name: &str| chosen(&files.text(&format!("/sys/kernel/mm/transparent_hugepage/{name}"))?);
        Memory {
            total: bytes("MemTotal"),
            available: bytes("MemAvailable"),
            limit: cgroup::memory(files),
            swap: bytes("SwapTotal"),
            swappiness: files.number("/proc/sys/vm/swappiness"),
            huge_pages: pages("enabled"),
            huge_pages_defrag: pages("defrag"),
        }
    }

    /// What a server can have: all that is available, within the group's limit.
    pub(in crate::doctor) fn usable(&self) -> Option<u64> {
        self.available.into_iter().chain(self.limit).min()
    }
}

/// The word in brackets.
pub(super) fn chosen(text: &str) -> Option<String> {
    let (word, _) = text.split_once('[')?.1.split_once(']')?;
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::files::Recorded;
    use super::*;

    #[test]
    fn the_smaller_of_machine_and_group() {
        let text = "@ /proc/meminfo\nMemTotal:       8000000 kB\nMemAvailable:   4000000 kB\nSwapTotal:  0 kB\n\
                    @ /proc/self/cgroup\n0::/\n@ /sys/fs/cgroup/memory.max\n1073741824\n";
        let memory = Memory::read(&Recorded::parse(text));
        assert_eq!((memory.total, memory.swap, memory.usable()), (Some(8_192_000_000), Some(0), Some(1 << 30)));
        assert_eq!(Memory::read(&Recorded::parse("")).usable(), None);
    }

    #[test]
    fn the_chosen_word_is_in_brackets() {
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!((chosen("none"), chosen("]x[")), (None, None));
    }
}
