//! What to do where the next batch of the log should stand. PURE, and small enough to be tested in all its cases.

/// What stands at the place of the next batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The batch, intact and next in the chain.
    Good,
    /// The header of the batch, but not all of its payload.
    Torn,
    /// An intact header of this segment that does not belong here: another batch's, or one that breaks the chain.
    Stray,
    /// Zeros.
    Blank,
    /// Bytes that are no batch of this segment: an earlier use of the file, or a batch whose header is torn.
    Foreign,
    /// The device cannot read it.
    Unreadable,
    /// The segment ends here.
    End,
}

/// What is found behind that place, in this segment and in the later ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behind {
    /// No batch.
    Nothing,
    /// The next segment starts with the very batch that is sought: this segment was left here.
    Continues,
    /// Later batches, none of which says that the batch sought was durable when it was written.
    Unproven,
    /// A later batch that says that the batch sought was durable.
    Proven,
    /// A batch where no crash could have put it.
    Stray,
    /// Something that the device cannot read.
    Unreadable,
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The log goes on with this batch.
    Take,
    /// The log goes on in the next segment.
    NextSegment,
    /// The log ends here.
    End,
    /// The log ends here; remains of writes that were never acknowledged stand here and must go.
    CutAndWipe,
    /// Refuse, for this reason.
    Corrupt(&'static str),
}

/// The table.
#[must_use]
pub fn decide(slot: Slot, behind: Behind) -> Verdict {
    match (slot, behind) {
        (Slot::Good, _) => Verdict::Take,
        // Whatever stands in the unused end of a segment, nothing is missing.
        (Slot::Blank | Slot::Foreign | Slot::Unreadable | Slot::End, Behind::Continues) => Verdict::NextSegment,
        // A torn tail is wiped before anything else is written: the log never goes on behind one.
        (Slot::Torn, Behind::Continues) => Verdict::Corrupt("a torn batch before a segment that continues the log"),
        (Slot::Stray, _) => Verdict::Corrupt("a batch stands where another belongs"),
        (Slot::Unreadable, _) => Verdict::Corrupt("unreadable"),
        (_, Behind::Unreadable) => Verdict::Corrupt("the log may end here, but what follows is unreadable"),
        (_, Behind::Stray) => Verdict::Corrupt("a batch is missing, and one stands behind where it does not belong"),
        (Slot::Torn, Behind::Proven) => Verdict::Corrupt("the payload of a durable batch fails its checksum"),
        (Slot::Blank, Behind::Proven) => Verdict::Corrupt("a durable batch is missing: zeros in its place"),
        (Slot::Foreign, Behind::Proven) => Verdict::Corrupt("the header of a durable batch is damaged"),
        (Slot::End, Behind::Proven) => Verdict::Corrupt("the batches at the end of the segment are missing"),
        (Slot::Blank | Slot::Foreign | Slot::End, Behind::Nothing) => Verdict::End,
        (Slot::Torn, Behind::Nothing) => Verdict::CutAndWipe,
        // At the end of a segment they stand in the next one, whose first batch did not make it.
        (Slot::Torn | Slot::Blank | Slot::Foreign | Slot::End, Behind::Unproven) => Verdict::CutAndWipe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: [Slot; 7] =
        [Slot::Good, Slot::Torn, Slot::Stray, Slot::Blank, Slot::Foreign, Slot::Unreadable, Slot::End];
    const BEHIND: [Behind; 6] =
        [Behind::Nothing, Behind::Continues, Behind::Unproven, Behind::Proven, Behind::Stray, Behind::Unreadable];

    /// One letter per case, rows by slot, columns by what is behind:
    /// T take, N next segment, E end, W cut and wipe, C corrupt.
    const EXPECTED: [(&str, &str); 7] = [
        // nothing, continues, unproven, proven, stray, unreadable
        ("Good", "TTTTTT"),
        ("Torn", "WCWCCC"),
        ("Stray", "CCCCCC"),
        ("Blank", "ENWCCC"),
        ("Foreign", "ENWCCC"),
        ("Unreadable", "CNCCCC"),
        ("End", "ENWCCC"),
    ];

    #[test]
    fn every_case_has_its_verdict() {
        for (slot, (name, row)) in SLOTS.into_iter().zip(EXPECTED) {
            assert_eq!(format!("{slot:?}"), name);
            let verdicts: String = BEHIND
                .into_iter()
                .map(|behind| match decide(slot, behind) {
                    Verdict::Take => 'T',
                    Verdict::NextSegment => 'N',
                    Verdict::End => 'E',
                    Verdict::CutAndWipe => 'W',
                    Verdict::Corrupt(_) => 'C',
                })
                .collect();
            assert_eq!(verdicts, row, "{name}");
        }
    }

    #[test]
    fn nothing_that_was_durable_is_ever_cut() {
        for slot in SLOTS {
            assert!(matches!(decide(slot, Behind::Proven), Verdict::Take | Verdict::Corrupt(_)));
        }
    }
}
