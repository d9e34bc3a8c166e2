//! A disk that exists only in memory and does everything that a real one may do to its user, from a seed.
//!
//! - What is written is *pending* until it is synced; power loss keeps an arbitrary part of it, sector by sector, of
//!   later writes perhaps and of earlier ones not.
//! - What is done to names is pending until the directory is synced; power loss keeps a prefix of it.
//! - A failed sync reports its error once and drops what was pending: the process goes on seeing its data until it
//!   opens the file again, a later sync "succeeds".
//! - Writes, syncs and reads fail on demand, the disk fills up, bits flip, sectors cannot be read until they are
//!   written again, a write lands elsewhere.
//!
//! The same seed and the same calls give the same disk. It serves the tests of this crate and simulations of whole
//! ensembles alike.

use super::{Disk, DiskFile, Entry};
pub use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the device writes as a whole or not at all.
pub const SECTOR: usize = 512;

/// What power loss leaves of the sectors that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashStyle {
    /// Nothing.
    None,
    /// Everything.
    All,
    /// Each with probability 1/2.
    Half,
    /// Each with probability 7/8: mostly whole writes with a hole.
    Most,
    /// Each write whole or not at all.
    Writes,
    /// Each with probability 1/2, and some cut in the middle: for devices without atomic sectors.
    Torn,
}

impl CrashStyle {
    /// All of them.
    pub const ALL: [CrashStyle; 6] =
        [CrashStyle::None, CrashStyle::All, CrashStyle::Half, CrashStyle::Most, CrashStyle::Writes, CrashStyle::Torn];
}

/// A fault that hits an operation to come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// A file sync fails and drops what was pending.
    Sync,
    /// A write fails; part of it may have been done.
    Write,
    /// A read fails.
    Read,
    /// A directory sync fails.
    SyncDir,
    /// A write succeeds, but lands in another place of the same file.
    Misdirect,
}

/// The simulated disk. Clones are handles of the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct Pending {
    offset: usize,
    data: Vec<u8>,
    /// Number of the write that the sector belongs to.
    write: u64,
}

#[derive(Default, Clone)]
struct Content {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Pending>,
    /// A failed sync has dropped writes that `current` still shows.
    stale: bool,
    unreadable: BTreeSet<usize>,
}

enum NameChange {
    Link(String, u64),
    Rename(String, String),
    Unlink(String),
}

struct State {
    rng: Rng,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    changes: Vec<NameChange>,
    boot: u32,
    powered: bool,
    operations: u64,
    crash_at: Option<u64>,
    faults: BTreeMap<Fault, (u64, u64)>,
    struck: u64,
    writes: u64,
    capacity: u64,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> SimDisk {
        let state = State {
            rng: Rng::new(seed),
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            boot: 0,
            powered: true,
            operations: 0,
            crash_at: None,
            faults: BTreeMap::new(),
            struck: 0,
            writes: 0,
            capacity: u64::MAX,
        };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// Another disk with the same durable content and the same future.
    #[must_use]
    pub fn copy(&self) -> SimDisk {
        let state = self.state();
        let copy = SimDisk::new(0);
        {
            let mut other = copy.state();
            other.rng = state.rng.clone();
            other.files = state.files.clone();
            other.next_file = state.next_file;
            other.names = state.durable_names.clone();
            other.durable_names = state.durable_names.clone();
        }
        copy.power_loss(CrashStyle::None);
        copy
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Operations so far: a crash can be asked for at any later number.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The power fails during the operation after the next `operations` ones; from then on everything returns an
    /// error until [`SimDisk::power_loss`] or [`SimDisk::restart`].
    pub fn crash_after(&self, operations: u64) {
        let mut state = self.state();
        state.crash_at = Some(state.operations + operations + 1);
    }

    /// Whether an operation has met the crash asked for.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        !self.state().powered
    }

    /// Power is lost and comes back: what was pending survives as `style` says, all open files are closed.
    pub fn power_loss(&self, style: CrashStyle) {
        self.state().power_loss(style);
    }

    /// The process ends and starts again, without power loss: nothing is lost, nothing becomes durable, all open
    /// files are closed.
    pub fn restart(&self) {
        self.state().reboot();
    }

    /// Lets the operation of this kind fail that comes after `skip` others of the kind, once.
    pub fn inject(&self, fault: Fault, skip: u64) {
        self.state().faults.insert(fault, (skip, 0));
    }

    /// Withdraws all faults and crashes that have not struck.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.crash_at = None;
        state.struck = 0;
    }

    /// Withdraws one fault that has not struck.
    pub fn withdraw(&self, fault: Fault) {
        self.state().faults.remove(&fault);
    }

    /// How many faults have struck since the last [`SimDisk::heal`].
    #[must_use]
    pub fn faults_struck(&self) -> u64 {
        self.state().struck
    }

    /// Limits the sum of all file lengths.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Sum of all file lengths.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// Inverts one bit of a file, on the medium.
    ///
    /// # Panics
    /// If there is no such file or byte.
    pub fn flip(&self, name: &str, offset: u64, bit: u8) {
        let mut state = self.state();
        let id = state.names[name];
        let file = state.files.get_mut(&id).expect("a name leads to a file");
        for bytes in [&mut file.durable, &mut file.current] {
            if let Some(byte) = bytes.get_mut(offset as usize) {
                *byte ^= 1 << bit;
            }
        }
    }

    /// Writes over a part of a file, on the medium: what a device does that loses its way.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn scribble(&self, name: &str, offset: u64, bytes: &[u8]) {
        let mut state = self.state();
        let id = state.names[name];
        let file = state.files.get_mut(&id).expect("a name leads to a file");
        overlay(&mut file.durable, offset as usize, bytes);
        overlay(&mut file.current, offset as usize, bytes);
    }

    /// Makes the sector of a file that holds `offset` unreadable.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn make_unreadable(&self, name: &str, offset: u64) {
        let mut state = self.state();
        let id = state.names[name];
        let file = state.files.get_mut(&id).expect("a name leads to a file");
        file.unreadable.insert(offset as usize / SECTOR);
    }

    /// The whole content of a file as a process sees it; `None` if there is no such file.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|id| state.files[id].current.clone())
    }

    /// The names of all files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// Removes a file behind everybody's back, at once and durably.
    pub fn lose_file(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.durable_names.remove(name);
    }
}

fn gone() -> io::Error {
    io::Error::other("simulated power loss")
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file {name}"))
}

impl State {
    /// Counts an operation; an error if the power is off or fails with it.
    fn operate(&mut self, boot: u32) -> io::Result<()> {
        if !self.powered || boot != self.boot {
            return Err(gone());
        }
        self.operations += 1;
        if self.crash_at.is_some_and(|at| self.operations >= at) {
            self.powered = false;
            self.crash_at = None;
            return Err(gone());
        }
        Ok(())
    }

    /// Whether the fault strikes this operation of its kind.
    fn strikes(&mut self, fault: Fault) -> bool {
        let Some((skip, seen)) = self.faults.get_mut(&fault) else { return false };
        *seen += 1;
        let now = *seen > *skip;
        if now {
            self.faults.remove(&fault);
            self.struck += 1;
        }
        now
    }

    fn used(&self) -> u64 {
        self.names.values().map(|id| self.files[id].current.len() as u64).sum()
    }

    fn reboot(&mut self) {
        self.boot += 1;
        self.powered = true;
        self.crash_at = None;
        for file in self.files.values_mut() {
            file.forget_dropped();
        }
    }

    fn power_loss(&mut self, style: CrashStyle) {
        let State { files, rng, .. } = self;
        for file in files.values_mut() {
            file.lose_power(style, rng);
        }
        let keep = match style {
            CrashStyle::None => 0,
            CrashStyle::All => self.changes.len(),
            _ => self.rng.below(self.changes.len() as u64 + 1) as usize,
        };
        let changes: Vec<NameChange> = self.changes.drain(..).take(keep).collect();
        for change in changes {
            change.apply(&mut self.durable_names);
        }
        self.names = self.durable_names.clone();
        let State { files, names, .. } = self;
        files.retain(|id, _| names.values().any(|n| n == id));
        self.reboot();
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, u64>) {
        match self {
            NameChange::Link(name, id) => {
                names.insert(name, id);
            }
            NameChange::Rename(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
            }
            NameChange::Unlink(name) => {
                names.remove(&name);
            }
        }
    }
}

fn overlay(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

impl Content {
    fn write(&mut self, offset: usize, data: &[u8], write: u64) {
        overlay(&mut self.current, offset, data);
        for (i, sector) in data.chunks(SECTOR).enumerate() {
            self.pending.push(Pending { offset: offset + i * SECTOR, data: sector.to_vec(), write });
        }
    }

    fn sync(&mut self) {
        for p in self.pending.drain(..) {
            overlay(&mut self.durable, p.offset, &p.data);
            // A device puts what is written to a bad sector elsewhere.
            self.unreadable.remove(&(p.offset / SECTOR));
        }
        if self.durable.len() < self.current.len() {
            self.durable.resize(self.current.len(), 0);
        }
    }

    /// Whether one of these bytes is in a sector that cannot be read and was not written since.
    fn cannot_read(&self, from: usize, to: usize) -> bool {
        let written = |sector: usize| self.pending.iter().any(|p| p.offset / SECTOR == sector);
        self.unreadable.range(from / SECTOR..).take_while(|&&s| s * SECTOR < to).any(|&s| !written(s))
    }

    /// The page cache is dropped: what a failed sync gave up is no longer seen.
    fn forget_dropped(&mut self) {
        if std::mem::take(&mut self.stale) {
            self.current = self.durable.clone();
            for p in &self.pending {
                overlay(&mut self.current, p.offset, &p.data);
            }
        }
    }

    fn lose_power(&mut self, style: CrashStyle, rng: &mut Rng) {
        let whole = rng.next_u64();
        for mut p in std::mem::take(&mut self.pending) {
            let kept = match style {
                CrashStyle::None => false,
                CrashStyle::All => true,
                CrashStyle::Half | CrashStyle::Torn => rng.percent(50),
                CrashStyle::Most => rng.below(8) != 0,
                CrashStyle::Writes => Rng::new(whole ^ p.write).percent(50),
            };
            if style == CrashStyle::Torn && rng.below(4) == 0 {
                let cut = rng.below(p.data.len() as u64) as usize;
                p.data.truncate(cut);
            }
            if kept {
                overlay(&mut self.durable, p.offset, &p.data);
                self.unreadable.remove(&(p.offset / SECTOR));
            }
        }
        self.current = self.durable.clone();
        self.stale = false;
    }
}

impl Disk for SimDisk {
    fn describe(&self, name: &str) -> String {
        format!("sim:{name}")
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        let mut state = self.state();
        let boot = state.boot;
        state.operate(boot)?;
        let entry =
            |(name, id): (&String, &u64)| Entry { name: name.clone(), len: state.files[id].current.len() as u64 };
        Ok(state.names.iter().map(entry).collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let boot = state.boot;
        state.operate(boot)?;
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, Content::default());
        state.names.insert(name.into(), id);
        state.changes.push(NameChange::Link(name.into(), id));
        Ok(Arc::new(SimFile { disk: self.clone(), id, boot }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let boot = state.boot;
        state.operate(boot)?;
        let id = *state.names.get(name).ok_or_else(|| missing(name))?;
        if let Some(file) = state.files.get_mut(&id) {
            file.forget_dropped();
        }
        Ok(Arc::new(SimFile { disk: self.clone(), id, boot }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let boot = state.boot;
        state.operate(boot)?;
        let id = state.names.remove(from).ok_or_else(|| missing(from))?;
        state.names.insert(to.into(), id);
        state.changes.push(NameChange::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let boot = state.boot;
        state.operate(boot)?;
        state.names.remove(name).ok_or_else(|| missing(name))?;
        state.changes.push(NameChange::Unlink(name.into()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        let boot = state.boot;
        state.operate(boot)?;
        if state.strikes(Fault::SyncDir) {
            return Err(io::Error::other("simulated directory sync error"));
        }
        state.changes.clear();
        state.durable_names = state.names.clone();
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    id: u64,
    boot: u32,
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.operate(self.boot)?;
        if state.strikes(Fault::Read) {
            return Err(io::Error::other("simulated read error"));
        }
        let file = state.files.get(&self.id).ok_or_else(gone)?;
        let start = (offset as usize).min(file.current.len());
        let got = buf.len().min(file.current.len() - start);
        if file.cannot_read(start, start + got) {
            return Err(io::Error::other("simulated unreadable sector"));
        }
        buf[..got].copy_from_slice(&file.current[start..start + got]);
        Ok(got)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let before = state.powered && self.boot == state.boot;
        let crashes = state.operate(self.boot).is_err();
        if !before {
            return Err(gone());
        }
        state.writes += 1;
        let write = state.writes;
        let fails = state.strikes(Fault::Write);
        let misdirected = state.strikes(Fault::Misdirect);
        let len = state.files.get(&self.id).ok_or_else(gone)?.current.len() as u64;
        let end = offset + buf.len() as u64;
        if end > len && state.used() + (end - len) > state.capacity {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let mut offset = offset as usize;
        if misdirected {
            let block = crate::format::BLOCK;
            let blocks = len as usize / block;
            // Elsewhere in the file, or behind the beginning of an empty one.
            let step = 1 + state.rng.below(blocks.max(4) as u64 - 1) as usize;
            offset = (offset / block + step) % blocks.max(4) * block;
        }
        let part = if fails { state.rng.below(buf.len() as u64 + 1) as usize } else { buf.len() };
        let file = state.files.get_mut(&self.id).ok_or_else(gone)?;
        file.write(offset, &buf[..part], write);
        if crashes {
            return Err(gone());
        }
        if fails { Err(io::Error::other("simulated write error")) } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate(self.boot)?;
        let fails = state.strikes(Fault::Sync);
        let file = state.files.get_mut(&self.id).ok_or_else(gone)?;
        if fails {
            file.pending.clear();
            file.stale = true;
            return Err(io::Error::other("simulated sync error"));
        }
        file.sync();
        Ok(())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate(self.boot)?;
        let have = state.files.get(&self.id).ok_or_else(gone)?.current.len() as u64;
        if len > have && state.used() + (len - have) > state.capacity {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.operate(self.boot)?;
        Ok(state.files.get(&self.id).ok_or_else(gone)?.current.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::BLOCK;

    fn written(disk: &SimDisk, name: &str, fill: u8, blocks: usize) -> Arc<dyn DiskFile> {
        let file = disk.create(name).unwrap();
        file.write_at(0, &vec![fill; blocks * BLOCK]).unwrap();
        file
    }

    #[test]
    fn synced_content_under_a_synced_name_survives_every_crash() {
        for style in CrashStyle::ALL {
            let disk = SimDisk::new(1);
            written(&disk, "f", 7, 2).sync_data().unwrap();
            disk.sync_dir().unwrap();
            disk.power_loss(style);
            assert_eq!(disk.content("f"), Some(vec![7; 2 * BLOCK]), "{style:?}");
        }
    }

    #[test]
    fn without_a_sync_of_the_directory_the_name_is_gone() {
        let disk = SimDisk::new(1);
        written(&disk, "f", 7, 1).sync_data().unwrap();
        disk.power_loss(CrashStyle::None);
        assert_eq!(disk.content("f"), None);
    }

    #[test]
    fn unsynced_sectors_survive_in_part() {
        let disk = SimDisk::new(3);
        let file = written(&disk, "f", 1, 8);
        file.sync_data().unwrap();
        disk.sync_dir().unwrap();
        file.write_at(0, &vec![2; 8 * BLOCK]).unwrap();
        disk.power_loss(CrashStyle::Half);
        let content = disk.content("f").unwrap();
        let sectors: Vec<u8> = content.chunks(SECTOR).map(|s| s[0]).collect();
        assert!(content.chunks(SECTOR).all(|s| s.iter().all(|&b| b == s[0])), "sectors are atomic");
        assert!(sectors.contains(&1) && sectors.contains(&2), "{sectors:?}");
        assert!(file.write_at(0, &[0; BLOCK]).is_err(), "handles end with the power");
    }

    #[test]
    fn a_failed_sync_loses_what_the_process_still_sees() {
        let disk = SimDisk::new(3);
        let file = written(&disk, "f", 1, 1);
        file.sync_data().unwrap();
        disk.sync_dir().unwrap();
        file.write_at(0, &[2; BLOCK]).unwrap();
        disk.inject(Fault::Sync, 0);
        assert!(file.sync_data().is_err());
        assert_eq!(disk.content("f").unwrap()[0], 2);
        file.sync_data().unwrap();
        disk.power_loss(CrashStyle::All);
        assert_eq!(disk.content("f").unwrap()[0], 1);
    }

    #[test]
    fn a_restart_of_the_process_keeps_pending_writes_pending() {
        let disk = SimDisk::new(3);
        let file = written(&disk, "f", 1, 1);
        file.sync_data().unwrap();
        disk.sync_dir().unwrap();
        file.write_at(0, &[2; BLOCK]).unwrap();
        disk.restart();
        assert_eq!(disk.content("f").unwrap()[0], 2);
        disk.power_loss(CrashStyle::None);
        assert_eq!(disk.content("f").unwrap()[0], 1);
    }

    #[test]
    fn a_crash_strikes_where_it_was_asked_for() {
        let disk = SimDisk::new(3);
        disk.crash_after(2);
        let file = disk.create("f").unwrap();
        file.write_at(0, &[1; BLOCK]).unwrap();
        assert!(file.sync_data().is_err() && disk.has_crashed());
        assert!(disk.list().is_err());
        disk.power_loss(CrashStyle::None);
        assert_eq!(disk.list().unwrap(), []);
    }

    #[test]
    fn a_full_disk_refuses_growth_but_not_overwriting() {
        let disk = SimDisk::new(3);
        disk.set_capacity(2 * BLOCK as u64);
        let file = written(&disk, "f", 1, 2);
        let error = file.write_at(2 * BLOCK as u64, &[1; BLOCK]).unwrap_err();
        assert!(crate::disk::is_full(&error));
        file.write_at(0, &[3; BLOCK]).unwrap();
    }
}
