//! Damage that an ensemble can make good: what exactly is damaged, and giving it up so that peers can bring it again.
//!
//! A server that gives up what it may have acknowledged must not vote before an established leader has brought it up
//! to date: a majority that counts on it may already have forgotten a committed transaction. So the epoch record says
//! that it is no member and has lapsed, durably, before anything else changes. And nothing here happens unless the caller
//! asks for it.

use super::scan::{Expected, Found, Scanner};
use super::{Dirs, Recovery};
use crate::disk::Disk;
use crate::epochs::{self, EPOCHS, Epochs};
use crate::error::{Attempt, Corruption, OpenError};
use crate::format::{BLOCK, segment_sequence};
use crate::planted::Defects;
use crate::segment::{sync_dir, sync_file, write_zeros};
use crate::snapshot::{self, snapshot_zxid};
use ringkeeper_core::ids::Zxid;
use std::collections::BTreeSet;

/// Damage in the middle of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Where it is and what was found.
    pub corruption: Corruption,
    /// Everything through this transaction is intact.
    pub good_through: Zxid,
    /// The first transactions behind the damage that are intact: those after the first zxid, through the second.
    pub good_again: Option<(Zxid, Zxid)>,
    /// Index of the segment, and the place in it up to which everything is intact.
    at: (usize, Expected),
}

impl Recovery {
    /// What [`replay`](Recovery::replay) has called corrupt, if it is in the middle of the log. What is damaged are the
    /// transactions after [`Damage::good_through`].
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    pub(super) fn assess(&self, corruption: Corruption, at: (usize, Expected)) -> Damage {
        let (index, expected) = at;
        let good_through = expected.last.min(self.limit(index));
        Damage { corruption, good_through, good_again: self.good_again(index, expected), at }
    }

    /// The first unbroken run of transactions behind the damage.
    fn good_again(&self, index: usize, expected: Expected) -> Option<(Zxid, Zxid)> {
        let mut offset = expected.offset + BLOCK as u64;
        for segment in &self.segments[index..] {
            let mut scanner = Scanner::new(segment, self.log_config.defects);
            while let Some(header) = scanner.next_header(&mut offset) {
                let mut run = Expected { offset, sequence: header.sequence, last: header.prev };
                while let Found::Batch(header, _) = scanner.read(run) {
                    run.offset += header.padded_len();
                    (run.sequence, run.last) = (header.sequence + 1, header.last);
                }
                if header.sequence > expected.sequence && run.last > header.prev {
                    return Some((header.prev, run.last));
                }
                offset = run.offset.max(offset + BLOCK as u64);
            }
            offset = BLOCK as u64;
        }
        None
    }

    /// Gives up everything after `good_through`, which must be what [`damage`](Self::damage) says, so that the start
    /// can go on with what is before it. The server is no member of its ensemble afterwards, which is durable before
    /// anything is cut. Snapshots of what is given up and whole segments are put aside as `*.damaged`; the rest of the
    /// segment that is damaged is overwritten. Then open the directories again: either this has succeeded, or the
    /// damage is still reported, or at least the server is no member.
    ///
    /// # Errors
    /// [`OpenError::Refused`], with nothing changed, if there is no such damage, if the server belongs to no ensemble,
    /// or if what is before the damage is not enough to start from: then only [`start_over`] remains. Or the disk's.
    pub fn discard_after(self, good_through: Zxid) -> Result<Epochs, OpenError> {
        let Some(damage) = self.damage.clone().filter(|d| d.good_through == good_through) else {
            return Err(OpenError::Refused(format!("there is no damage known that begins after {good_through}")));
        };
        let epochs = self.epochs();
        if epochs.ensemble == 0 && !epochs.lapsed {
            return Err(OpenError::Refused("a server that stands alone has no peer to take the lost part from".into()));
        }
        self.check_that_a_start_is_left(&damage)?;
        let again =
            damage.good_again.map_or("nothing".into(), |(after, through)| format!("after {after} to {through}"));
        tracing::error!(
            file = damage.corruption.file, offset = damage.corruption.offset, damage = %damage.corruption,
            %good_through, intact_behind = again,
            "the log is damaged: everything after the last good transaction is given up, to be brought again by peers"
        );
        let epochs = Epochs { member: false, lapsed: true, ..epochs };
        let (data, defects) = (&*self.dirs.data, self.log_config.defects);
        epochs::save(data, epochs, defects).attempt(|| format!("saving {}", data.describe(EPOCHS)))?;
        self.cut(&damage)?;
        Ok(epochs)
    }

    /// There must be a state that the part of the log that stays continues.
    fn check_that_a_start_is_left(&self, damage: &Damage) -> Result<(), OpenError> {
        let (index, expected) = damage.at;
        let too_little = |why: String| Err(OpenError::Refused(format!("{why}: this server must start over")));
        if expected.last > self.limit(index) {
            return too_little("the mark would be lost that ends the history before the damage".into());
        }
        // A segment that is damaged from its first batch on becomes blank.
        let kept = if expected.offset == BLOCK as u64 { index } else { index + 1 };
        let begins = |base: Zxid| {
            let usable = self.segments.iter().take(kept).skip(self.restart_index());
            usable.filter_map(|s| s.first.as_ref()).any(|first| first.prev <= base)
        };
        let data = &*self.dirs.data;
        let intact = self.snapshots.iter().rev().any(|c| {
            let fits = !c.void && c.reader.is_ok() && c.zxid <= damage.good_through && begins(c.zxid);
            fits && snapshot::verify(data, &c.name).is_ok()
        });
        if intact || begins(Zxid::ZERO) {
            return Ok(());
        }
        too_little(format!("neither a snapshot nor the log reaches back to {}", damage.good_through))
    }

    /// First what builds on the damaged part, then that, then what is behind it: as long as anything is left of that,
    /// it shows that something is missing.
    fn cut(&self, damage: &Damage) -> Result<(), OpenError> {
        let (index, expected) = damage.at;
        let Dirs { log, data } = &self.dirs;
        let defects = self.log_config.defects;
        let after = self.snapshots.iter().filter(|c| c.void || c.zxid > damage.good_through);
        put_aside(&**data, after.map(|c| &*c.name), defects)?;
        let segment = &self.segments[index];
        let wiped = write_zeros(&*segment.file, expected.offset, segment.header.len, &mut |_| {});
        let wiped = wiped.and_then(|()| sync_file(&*segment.file, defects));
        wiped.attempt(|| format!("wiping {} from offset {}", log.describe(&segment.name), expected.offset))?;
        for segment in self.segments[index + 1..].iter().rev() {
            // Each durably before the next, so that no gap can be left.
            put_aside(&**log, [&*segment.name], defects)?;
        }
        Ok(())
    }
}

/// Starts over as a server that has nothing: segments, snapshots and a damaged epoch record are put aside as
/// `*.damaged`. It is no member of its ensemble afterwards and has lapsed, but an intact record keeps what it has promised. For a
/// server of an ensemble whose [`Recovery`] has failed with an error that [is damage](OpenError::is_damage), and only
/// when somebody has decided so. Then open the directories again. Interrupted anywhere, it leaves directories in which
/// the damage is still reported, or which are not those of a member.
///
/// # Errors
/// [`OpenError::Refused`], with nothing changed, if an intact record says that the server stands alone: nobody could
/// give it back what it has. Or the disk's.
pub fn start_over(dirs: &Dirs, defects: Defects) -> Result<Epochs, OpenError> {
    let Dirs { log, data } = dirs;
    let before = match epochs::load(&**data) {
        Ok(epochs) => epochs,
        Err(OpenError::Corrupt(corruption)) => {
            tracing::error!(%corruption, "the epoch record is damaged and put aside");
            put_aside(&**data, [EPOCHS], defects)?;
            None
        }
        Err(e) => return Err(e),
    };
    if before.is_some_and(|before| before.ensemble == 0 && !before.lapsed) {
        return Err(OpenError::Refused("a server that stands alone would lose all that it has".into()));
    }
    // Without a history there is no epoch whose history this is.
    let epochs = Epochs { current: Default::default(), member: false, lapsed: true, ..before.unwrap_or_default() };
    epochs::save(&**data, epochs, defects).attempt(|| format!("saving {}", data.describe(EPOCHS)))?;
    put_all_aside(&**data, |name| snapshot_zxid(name).is_some(), defects)?;
    put_all_aside(&**log, |name| segment_sequence(name).is_some(), defects)?;
    tracing::error!(accepted = epochs.accepted.0, "this server starts over with nothing, as no member of its ensemble");
    Ok(epochs)
}

/// From the first one on, each durably before the next: what a crash leaves then never passes for a whole log, and a
/// mark that ends a part of the history does not go before that part.
fn put_all_aside(disk: &dyn Disk, which: impl Fn(&str) -> bool, defects: Defects) -> Result<(), OpenError> {
    let entries = disk.list().attempt(|| format!("listing {}", disk.describe("")))?;
    for entry in entries.iter().filter(|e| which(&e.name)) {
        put_aside(disk, [&*entry.name], defects)?;
    }
    Ok(())
}

/// Renames files so that no start looks at them, durably. None that was put aside before is replaced.
pub(super) fn put_aside<'n>(
    disk: &dyn Disk,
    names: impl IntoIterator<Item = &'n str>,
    defects: Defects,
) -> Result<(), OpenError> {
    let entries = disk.list().attempt(|| format!("listing {}", disk.describe("")))?;
    let taken: BTreeSet<String> = entries.into_iter().map(|e| e.name).collect();
    let mut renamed = false;
    for name in names {
        let mut aside = format!("{name}.damaged");
        for n in 2.. {
            if !taken.contains(&aside) {
                break;
            }
            aside = format!("{name}.{n}.damaged");
        }
        tracing::warn!(file = disk.describe(name), aside, "put aside");
        disk.rename(name, &aside).attempt(|| format!("renaming {}", disk.describe(name)))?;
        renamed = true;
    }
    if renamed {
        sync_dir(disk, defects).attempt(|| format!("syncing {}", disk.describe("")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn what_was_put_aside_before_is_not_replaced() {
        let disk = SimDisk::new(0);
        for _ in 0..3 {
            disk.create("f").unwrap();
            put_aside(&disk, ["f"], Defects::default()).unwrap();
        }
        assert_eq!(disk.names(), ["f.2.damaged", "f.3.damaged", "f.damaged"]);
    }
}
