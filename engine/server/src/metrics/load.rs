//! How busy an executor is.

use std::time::Duration;

/// One executor since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorLoad {
    /// `replica`, `client-0`, …
    pub name: String,
    /// Passes over everything that was ready.
    pub turns: u64,
    /// Processor time of its thread.
    pub busy: Duration,
}

impl ExecutorLoad {
    /// The executor of this thread.
    pub(crate) fn here(name: &str, turns: u64) -> ExecutorLoad {
        ExecutorLoad { name: name.to_owned(), turns, busy: thread_time() }
    }
}

/// Processor time of this thread, user and system.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the kernel to fill.
    if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } != 0 {
        return Duration::ZERO;
    }
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::thread_time;

    #[test]
    fn time_passes_for_whom_works() {
        let before = thread_time();
        let mut sum = 0u64;
        while thread_time() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(thread_time() > before);
    }
}
