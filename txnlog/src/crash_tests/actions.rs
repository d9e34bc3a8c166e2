//! What a server does with its log during a life.

use super::model::{Entry, History, encode};
use super::world::{End, Handing, Life, World, trace};
use crate::epochs::Epochs;
use crate::error::OpenError;
use crate::sim::{Rng, Waiting};
use crate::snapshot::{Origin, SnapshotHead};
use crate::testing;
use ringkeeper_core::frame::{FrameBatch, FrameBuf};
use ringkeeper_core::ids::{Epoch, WallMs, Zxid};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a snapshot handed over at once.
const CHUNK: usize = 1_000;

impl World {
    pub(super) fn append(&mut self, life: &mut Life) {
        if self.model.epochs.accepted == Epoch(0) || life.restarting || self.model.installing.is_some() {
            return;
        }
        if !life.log.has_room() {
            self.note("no room");
            return;
        }
        let count = 1 + self.rng.below(3);
        self.append_sizes(life, count, |rng| match rng.below(50) {
            0 => rng.below(30_000),
            1..5 => rng.below(3_000),
            _ => rng.below(150),
        });
        self.note("append");
    }

    fn append_sizes(&mut self, life: &mut Life, count: u64, size: impl Fn(&mut Rng) -> u64) {
        let epoch = self.model.epochs.current;
        let mut buf = FrameBuf::new();
        for _ in 0..count {
            let last = self.model.now.last();
            let zxid = if last.epoch() == epoch { Zxid(last.0 + 1) } else { Zxid::new(epoch, 1) };
            let len = size(&mut self.rng);
            let flavour = self.model.new_flavour();
            testing::frame(&mut buf, last.0, zxid.0, flavour, len as usize);
            self.model.now.entries.push(Entry { zxid, flavour });
        }
        life.log.append(Arc::new(FrameBatch::new(buf)));
    }

    /// The disk gets full; what is accepted until the log says that there is no more room is still written.
    pub(super) fn fill_up(&mut self, life: &mut Life) -> Result<(), End> {
        if self.rng.percent(50) {
            self.disk.set_capacity(u64::MAX);
            return self.turn(life);
        }
        self.chores(life)?;
        self.disk.set_capacity(self.disk.used() + self.rng.below(40_000));
        let busy = life.log.snapshot_under_way() || !life.log.writer().is_idle();
        if life.restarting || self.model.epochs.accepted == Epoch(0) || self.faults || busy {
            return self.turn(life);
        }
        for _ in 0..200 {
            if !life.log.has_room() {
                self.note("no room");
                break;
            }
            if life.log.writer().queued_bytes() < 1_000 {
                self.append_sizes(life, 1, |rng| rng.below(500));
            }
            self.now = self.now.plus(Duration::from_millis(1));
            self.device(life)?;
            // Whether there is space is known long before a segment is used up: it is reserved as the first step.
            self.chores(life)?;
        }
        for _ in 0..10_000 {
            self.now = self.now.plus(Duration::from_millis(1));
            self.turn(life)?;
            if life.log.durable() == life.log.writer().appended() {
                return Ok(());
            }
            self.device(life)?;
        }
        let writer = life.log.writer();
        panic!(
            "accepted on a disk that is getting full, and never written: {} bytes wait, durable {} of {}, {:?}",
            writer.queued_bytes(),
            writer.durable(),
            writer.appended(),
            self.log
        );
    }

    /// All segments that are to be made or removed.
    fn chores(&mut self, life: &mut Life) -> Result<(), End> {
        self.turn(life)?;
        let is_chore = |w: &Waiting| matches!(w, Waiting::Prepare { .. } | Waiting::Delete { .. });
        while let Some(index) = life.device.waiting().iter().position(is_chore) {
            self.step(life, index)?;
        }
        Ok(())
    }

    fn head(&self, entries: &[Entry]) -> SnapshotHead {
        SnapshotHead {
            zxid: entries.last().map_or(Zxid::ZERO, |e| e.zxid),
            digest: 0,
            nodes: entries.len() as u64,
            sessions: 0,
            wall: WallMs(0),
        }
    }

    pub(super) fn take_snapshot(&mut self, life: &mut Life) {
        if life.is_resetting() || self.model.before.is_some() || life.log.snapshot_under_way() {
            return;
        }
        // Of what is committed, which may still be on its way to the disk.
        let now = &self.model.now;
        let count = if self.rng.percent(50) { now.stable.min(now.told) } else { now.told };
        let entries = now.entries[..count].to_vec();
        let head = self.head(&entries);
        if count == 0 || life.log.snapshots().last() >= Some(&head.zxid) {
            return;
        }
        life.log.begin_snapshot(head, Origin::Local).expect("nothing stands against it");
        life.making = Some(Handing { bytes: encode(&entries), handed: 0, history: None });
    }

    /// Gives the log more of a snapshot's bytes.
    pub(super) fn hand_over(&mut self, life: &mut Life) {
        if !life.log.snapshot_wants_more() {
            return;
        }
        let Some(handing) = &mut life.making else { return };
        let end = (handing.handed + CHUNK).min(handing.bytes.len());
        let mut buffer = life.log.snapshot_buffer();
        buffer.extend_from_slice(&handing.bytes[handing.handed..end]);
        handing.handed = end;
        life.log.snapshot_chunk(buffer, end == handing.bytes.len());
    }

    pub(super) fn save_epochs(&mut self, life: &mut Life) {
        if self.model.saving.is_some() {
            return;
        }
        let before = self.model.epochs.accepted;
        let accepted = Epoch(before.0 + u32::from(before == Epoch(0) || self.rng.percent(30)));
        // Taken up by a leader at some time, put back at another.
        let ensemble = if accepted.0 > 1 { 7 } else { 0 };
        let epochs = Epochs {
            accepted,
            current: accepted,
            ensemble,
            member: ensemble != 0 && self.rng.percent(70),
            ..Epochs::default()
        };
        self.model.saving = Some(epochs);
        life.log.save_epochs(epochs);
    }

    pub(super) fn cut_back(&mut self, life: &mut Life) -> Result<(), End> {
        let unsettled = self.model.before.is_some() || self.model.installing.is_some();
        if life.is_resetting() || unsettled || self.model.now.entries.is_empty() {
            return Ok(());
        }
        // What is committed stays.
        let History { entries, told, .. } = &self.model.now;
        let most = entries.len() - (*told).max(1);
        let keep = entries.len() - self.rng.below(5.min(most as u64 + 1)) as usize;
        let to = self.model.now.entries[keep - 1].zxid;
        let writes_mark = to < life.log.writer().written();
        match life.log.cut_back(to) {
            Ok(()) => {}
            Err(OpenError::Refused(_)) => return Ok(()),
            Err(_) => return Err(if self.disk.has_crashed() { End::Crashed } else { End::Failed }),
        }
        trace!(self, "cut to {to}, written: {writes_mark}");
        let old = self.model.now.clone();
        self.model.now.entries.truncate(keep);
        if writes_mark {
            self.note("cut back");
            self.model.now.acked = old.acked.min(keep);
            self.model.now.stable = old.stable.min(keep);
            self.model.before = Some(old);
        }
        Ok(())
    }

    /// A snapshot of another history arrives from a leader.
    pub(super) fn install(&mut self, life: &mut Life) {
        if life.is_resetting() || self.model.before.is_some() || life.log.snapshot_under_way() {
            return;
        }
        let epoch = self.model.epochs.current;
        if epoch == Epoch(0) {
            return;
        }
        let mut entries = Vec::new();
        for counter in 0..1 + self.rng.below(40) {
            let flavour = self.model.new_flavour();
            entries.push(Entry { zxid: Zxid::new(epoch, 1 + counter as u32), flavour });
        }
        let head = self.head(&entries);
        if life.log.snapshots().contains(&head.zxid) {
            return;
        }
        trace!(self, "install {}", head.zxid);
        // Until the log says that it has taken it up, either may be found after a crash.
        self.model.installing = Some(History::settled(entries.clone(), entries.len()));
        life.log.begin_snapshot(head, Origin::Installed).expect("nothing stands against it");
        life.making = Some(Handing { bytes: encode(&entries), handed: 0, history: Some(entries) });
    }

    /// The log counts a new generation: it was cut back, or the installed snapshot is durable under its name, and from
    /// here on nothing else may be found.
    pub(super) fn restarted(&mut self, life: &mut Life) {
        let Some(entries) = life.making.take().and_then(|m| m.history) else { return };
        self.note("snapshot installed");
        self.model.installing = None;
        let count = entries.len();
        self.model.now = History::settled(entries, count);
        life.stating.clear();
        life.restarting = true;
    }
}
