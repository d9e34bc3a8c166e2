//! Deliberate defects, which the simulator must find. Without the feature `planted-bugs`, which no released program
//! has, asking for one is a call that is always false.

/// A mistake that could be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// The leader commits what it has proposed, whoever has it.
    CommitWithoutQuorum,
    /// A learner acknowledges what its disk has not confirmed.
    AckBeforeDurable,
    /// A learner counts what its disk has not confirmed when it concludes what is committed.
    CountedBeforeDurable,
    /// A learner promises an epoch before that is durable: a crash makes it forget.
    PromiseForgotten,
    /// What a learner has beyond the leader's history stays.
    NoTruncation,
    /// The leader takes a learner with a longer history.
    ElectionIgnoresZxid,
    /// NEWLEADER is acknowledged before the history is durable.
    NewLeaderBeforeHistory,
    /// A leader counts everyone that it has a link to as standing behind it.
    StaleSupport,
    /// A connection that the session has left for another one still speaks for it.
    MovedWithoutFencing,
    /// What clients had asked for before a change of leaders is submitted to the new one before it is known what of it
    /// had been committed.
    ResubmittedTooEarly,
    /// A watch event leaves after the reply to the change that it tells of.
    WatchAfterData,
    /// The tree is replaced, and others' writes are judged, while proposals that came before have not been applied.
    RestoreWithoutBarrier,
    /// A history that was cut back is built on before the cut is durable.
    CutNotDurable,
    /// A server that has given up a part of its history votes as if it had not.
    LapseForgotten,
}

/// Which defect is planted, if any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Defects(Option<Defect>);

impl Defects {
    /// Just this one.
    #[must_use]
    pub fn planted(defect: Defect) -> Defects {
        Defects(Some(defect))
    }

    /// Whether it is this one.
    #[must_use]
    pub fn has(self, defect: Defect) -> bool {
        cfg!(any(test, feature = "planted-bugs")) && self.0 == Some(defect)
    }
}
