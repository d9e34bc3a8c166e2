//! The epoch record: what this server has promised to which leader, and which ensemble it belongs to. Replaced as a
//! whole, durably, or not at all.

use crate::disk::{Disk, DiskFile, is_full};
use crate::error::{Corruption, OpenError};
use crate::format::{BLOCK, BlockBuf, u32_at, u64_at};
use crate::planted::{Defects, planted};
use crate::segment::{sync_dir, sync_file};
use ringkeeper_core::ids::Epoch;
use std::io;
use std::sync::Arc;

/// Name of the record.
pub const EPOCHS: &str = "epochs";
/// Name of its successor while that is being written.
pub const EPOCHS_TMP: &str = "epochs.tmp";

const MAGIC: &[u8; 8] = b"RK-EPOCH";
const VERSION: u32 = 1;

/// The epochs of a server, and its place in an ensemble. `current <= accepted` always; a member has an ensemble and has
/// not lapsed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Epochs {
    /// Newest epoch that the server has promised to follow.
    pub accepted: Epoch,
    /// Epoch of the leader whose history the server has; 0 if it has none.
    pub current: Epoch,
    /// Identity of the ensemble that the data belongs to; 0 for none yet.
    pub ensemble: u64,
    /// An established leader of that ensemble has taken this server up. Only a member may vote: a blank or replaced
    /// disk does not know what it has promised and acknowledged before.
    pub member: bool,
    /// It has given up a part of what it had acknowledged, and may take part in nothing before a leader has brought it
    /// again: not even in founding an ensemble, which takes it that nobody has anything to lose. No member is.
    pub lapsed: bool,
    /// Other servers vote in its ensemble: what it has committed is not its own affair.
    pub shared: bool,
}

impl Epochs {
    /// What is wrong with the record by itself.
    fn flaw(&self) -> Option<&'static str> {
        if self.current > self.accepted {
            return Some("the current epoch is above the accepted one");
        }
        if self.member && self.lapsed {
            return Some("a member that has lapsed");
        }
        (self.member && self.ensemble == 0).then_some("a member of no ensemble")
    }

    /// What is wrong with the record as the successor of `before`.
    fn flaw_after(&self, before: &Epochs) -> Option<&'static str> {
        if self.accepted < before.accepted || self.current < before.current {
            return Some("epochs never fall");
        }
        // Leaving is a different matter: it makes no data of one ensemble pass for that of another.
        let moves = self.ensemble != before.ensemble && self.ensemble != 0;
        (before.member && moves).then_some("a member's data belongs to one ensemble")
    }

    /// Asserts that this record may follow `before`.
    ///
    /// # Panics
    /// If it may not.
    pub(crate) fn assert_follows(&self, before: &Epochs) {
        let flaw = self.flaw().or_else(|| self.flaw_after(before));
        assert_eq!(flaw, None, "{self:?} after {before:?}");
    }
}

fn crc(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[0..12]), &block[16..BLOCK])
}

fn encode(epochs: Epochs) -> BlockBuf {
    let mut block = BlockBuf::with_capacity(BLOCK);
    block.resize(BLOCK, 0);
    block[0..8].copy_from_slice(MAGIC);
    block[8..12].copy_from_slice(&VERSION.to_le_bytes());
    block[16..20].copy_from_slice(&epochs.accepted.0.to_le_bytes());
    block[20..24].copy_from_slice(&epochs.current.0.to_le_bytes());
    block[24..32].copy_from_slice(&epochs.ensemble.to_le_bytes());
    block[32] = epochs.member.into();
    block[33] = epochs.lapsed.into();
    block[34] = epochs.shared.into();
    let crc = crc(&block);
    block[12..16].copy_from_slice(&crc.to_le_bytes());
    block
}

fn decode(block: &[u8]) -> Result<Epochs, OpenError> {
    let bad = |what: &str| OpenError::Corrupt(Corruption::new(EPOCHS, 0, what));
    if block.len() != BLOCK {
        return Err(bad("the epoch record is not one block long"));
    }
    if block[0..8] != *MAGIC || u32_at(block, 12) != crc(block) {
        return Err(bad("the epoch record fails its checksum"));
    }
    let version = u32_at(block, 8);
    if version != VERSION {
        return Err(OpenError::Version { file: EPOCHS.into(), version, known: VERSION });
    }
    let epochs = Epochs {
        accepted: Epoch(u32_at(block, 16)),
        current: Epoch(u32_at(block, 20)),
        ensemble: u64_at(block, 24),
        member: block[32] != 0,
        lapsed: block[33] != 0,
        shared: block[34] != 0,
    };
    epochs.flaw().map_or(Ok(epochs), |flaw| Err(bad(flaw)))
}

/// Why the record was not replaced.
#[derive(Debug)]
pub enum NotSaved {
    /// The disk was full, and the old record is there as before.
    NoRoom(String),
    /// Either record may be found, and the process must not go on as if it knew which.
    Failed(String),
}

/// Replaces the record. When this returns, the new one is durable; before, either may be found.
///
/// # Errors
/// Of the disk; then either record may be found, and the process must not go on as if it knew which.
///
/// # Panics
/// If the current epoch is above the accepted one, or a member has no ensemble.
pub fn save(disk: &dyn Disk, epochs: Epochs, defects: Defects) -> io::Result<()> {
    let file = begin(disk, epochs)?;
    complete(disk, &*file, defects)
}

/// The new record beside the old one.
fn begin(disk: &dyn Disk, epochs: Epochs) -> io::Result<Arc<dyn DiskFile>> {
    assert_eq!(epochs.flaw(), None, "{epochs:?}");
    let file = disk.create(EPOCHS_TMP)?;
    file.write_at(0, &encode(epochs))?;
    Ok(file)
}

/// In its place.
fn complete(disk: &dyn Disk, file: &dyn DiskFile, defects: Defects) -> io::Result<()> {
    if !planted!(defects, RenameBeforeSync) {
        sync_file(file, defects)?;
    }
    disk.rename(EPOCHS_TMP, EPOCHS)?;
    sync_dir(disk, defects)
}

/// Like [`save`], for a server that goes on when the disk is full. What a failed sync has done is never known, whatever
/// it says.
pub(crate) fn save_described(disk: &dyn Disk, epochs: Epochs, defects: Defects) -> Result<(), NotSaved> {
    let describe = |e: &io::Error| format!("saving {}: {e}", disk.describe(EPOCHS));
    let file = begin(disk, epochs)
        .map_err(|e| if is_full(&e) { NotSaved::NoRoom(describe(&e)) } else { NotSaved::Failed(describe(&e)) })?;
    complete(disk, &*file, defects).map_err(|e| NotSaved::Failed(describe(&e)))
}

/// Reads the record; `None` if there has never been one.
///
/// # Errors
/// Damage, or the disk's.
pub fn load(disk: &dyn Disk) -> Result<Option<Epochs>, OpenError> {
    let file = match disk.open(EPOCHS) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::Io { what: format!("opening {}", disk.describe(EPOCHS)), source }),
    };
    let mut block = BlockBuf::new();
    block.resize(2 * BLOCK, 0);
    let unreadable = |e: io::Error| Corruption::new(EPOCHS, 0, format!("unreadable: {e}"));
    let got = file.read_at(0, &mut block).map_err(unreadable)?;
    decode(&block[..got]).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{CrashStyle, SimDisk};

    fn epochs(n: u32) -> Epochs {
        let (accepted, current) = (Epoch(n + 1), Epoch(n));
        Epochs { accepted, current, ensemble: 0x1234_5678_9abc, member: true, lapsed: false, shared: true }
    }

    #[test]
    fn the_record_is_the_old_or_the_new_one_wherever_the_power_fails() {
        for style in CrashStyle::ALL {
            for after in 0.. {
                let disk = SimDisk::new(after);
                save(&disk, epochs(1), Defects::default()).unwrap();
                disk.crash_after(after);
                let saved = save(&disk, epochs(2), Defects::default()).is_ok();
                disk.power_loss(style);
                let found = load(&disk).unwrap().expect("there was a record before");
                assert!(found == epochs(2) || (!saved && found == epochs(1)), "{style:?} after {after}");
                if saved {
                    break;
                }
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let block = encode(epochs(7));
        assert_eq!(decode(&block).unwrap(), epochs(7));
        let lapsed = Epochs { member: false, lapsed: true, ..epochs(7) };
        assert_eq!(decode(&encode(lapsed)).unwrap(), lapsed);
        for bit in 0..BLOCK * 8 {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad).is_err(), "bit {bit}");
        }
        assert!(decode(&block[..100]).is_err());
    }

    #[test]
    fn a_record_from_before_there_were_ensembles_is_of_none() {
        let mut block = encode(Epochs { accepted: Epoch(3), current: Epoch(2), ..Epochs::default() });
        assert!(block[24..].iter().all(|&b| b == 0), "as it was written then");
        assert_eq!(decode(&block).unwrap(), Epochs { accepted: Epoch(3), current: Epoch(2), ..Epochs::default() });
        block[32] = 1;
        let crc = crc(&block);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        assert!(decode(&block).is_err(), "a member of no ensemble");
    }

    #[test]
    fn what_may_follow_what() {
        let flaw = |before: Epochs, after: Epochs| after.flaw().or_else(|| after.flaw_after(&before)).is_some();
        let member = epochs(5);
        let guest = Epochs { member: false, ..member };
        assert!(!flaw(Epochs::default(), guest) && !flaw(guest, member) && !flaw(member, epochs(6)));
        assert!(!flaw(member, guest), "a member can be put back");
        assert!(flaw(member, Epochs { accepted: Epoch(5), ..member }), "accepted falls");
        assert!(flaw(member, Epochs { current: Epoch(4), ..member }), "current falls");
        assert!(flaw(guest, Epochs { current: Epoch(7), ..guest }), "current above accepted");
        assert!(flaw(member, Epochs { ensemble: 9, ..member }), "a member moves");
        assert!(!flaw(guest, Epochs { ensemble: 9, ..guest }), "a guest may");
        assert!(flaw(guest, Epochs { ensemble: 0, ..member }), "a member of nothing");
        let lapsed = Epochs { lapsed: true, ..guest };
        assert!(
            !flaw(member, lapsed) && !flaw(lapsed, guest) && !flaw(lapsed, member),
            "until it is brought up to date"
        );
        assert!(flaw(member, Epochs { lapsed: true, ..member }), "a member that has lapsed");
    }

    #[test]
    fn no_record_is_not_an_error_but_an_empty_file_is() {
        let disk = SimDisk::new(0);
        assert_eq!(load(&disk).unwrap(), None);
        disk.create(EPOCHS).unwrap();
        assert!(matches!(load(&disk), Err(OpenError::Corrupt(_))));
    }
}
