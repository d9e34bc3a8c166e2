//! Deliberate defects, to prove that the tests would notice them.
//!
//! In a build without tests and without the feature `planted-bugs` there is no way to turn one on, and the branches
//! are compiled out.

/// One deliberate defect of the durability machinery.
#[cfg(any(test, feature = "planted-bugs"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// A write is acknowledged when it is done, without a sync.
    AckBeforeSync,
    /// Recovery believes payloads without comparing checksums.
    NoChecksum,
    /// The torn tail is cut but its remains are left on the disk.
    TailNotWiped,
    /// New names are used without a sync of their directory.
    DirectoryNotSynced,
    /// A failed sync is taken for a successful one.
    SyncErrorIgnored,
    /// Batches of a segment's former use are accepted.
    GenerationNotChecked,
    /// A file gets its final name before its content is on the disk.
    RenameBeforeSync,
    /// A batch is accepted without comparing its predecessor's number and zxid.
    ChainNotChecked,
    /// Older snapshots are removed before the new one has been read back.
    PurgeBeforeVerify,
    /// After a bad batch, whatever follows, the log is taken to end there.
    CutAnywhere,
    /// What recovery has read is served without making sure that it is on the disk.
    RecoveredTailNotSynced,
    /// A segment is left for the next one while some of its writes are not synced.
    RotateWithoutSync,
    /// Segments are given up although a kept snapshot still needs them.
    ReleaseTooMuch,
    /// With several writes in flight, one is acknowledged before those ahead of it.
    AckOutOfOrder,
    /// Batches say that all of their transactions are committed.
    WatermarkTooHigh,
}

/// Which deliberate defect is on: none, in every ordinary build.
#[derive(Clone, Copy, Default, Debug)]
pub struct Defects {
    #[cfg(any(test, feature = "planted-bugs"))]
    on: Option<Planted>,
}

#[cfg(any(test, feature = "planted-bugs"))]
impl Defects {
    /// Turns one defect on.
    #[must_use]
    pub fn planted(bug: Planted) -> Defects {
        Defects { on: Some(bug) }
    }

    /// Whether this defect is on.
    pub(crate) fn has(&self, bug: Planted) -> bool {
        self.on == Some(bug)
    }
}

/// Ordinary builds have none.
#[cfg(not(any(test, feature = "planted-bugs")))]
#[inline]
pub(crate) const fn none(_: &Defects) -> bool {
    false
}

/// Whether a deliberate defect is on; `false` at compile time in ordinary builds.
macro_rules! planted {
    ($defects:expr, $bug:ident) => {{
        #[cfg(any(test, feature = "planted-bugs"))]
        let on = $defects.has($crate::planted::Planted::$bug);
        #[cfg(not(any(test, feature = "planted-bugs")))]
        let on = $crate::planted::none(&$defects);
        on
    }};
}
pub(crate) use planted;
