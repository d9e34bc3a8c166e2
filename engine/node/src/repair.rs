//! A start that meets damage: what is damaged is given up, if there are other servers that have it.
//!
//! Whoever gives up what it had acknowledged must not vote before a leader has brought it up to date. That is durable
//! before anything else is touched, so an end of the process anywhere leaves a server that still reports the damage, or
//! one that does not vote.

use crate::{Recovered, recover};
use ringkeeper_txnlog::config::{LogConfig, SnapshotConfig};
use ringkeeper_txnlog::error::OpenError;
use ringkeeper_txnlog::recovery::{Dirs, Recovery, start_over};

/// One place of damage can hide another; after so many everything is given up, which is the last attempt.
const ATTEMPTS: usize = 8;

/// What a server does about damaged data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnDamage {
    /// It does not start.
    Refuse,
    /// It gives up what is damaged and what depends on that, to get it from the other voters.
    GiveUp,
}

/// Opens the directories and takes up what is stored, as [`recover`]; with [`OnDamage::GiveUp`] also if it is damaged.
///
/// # Errors
/// [`OpenError`]. What [is damage](OpenError::is_damage) was not, or could not be, given up.
pub fn recover_or_give_up(
    dirs: &Dirs,
    log: &LogConfig,
    snapshots: &SnapshotConfig,
    on_damage: OnDamage,
) -> Result<(Recovery, Recovered), OpenError> {
    for attempt in 1.. {
        let opened = Recovery::open(dirs.clone(), log.clone(), snapshots.clone());
        let (error, recovery) = match opened {
            Ok(mut recovery) => match recover(&mut recovery) {
                Ok(recovered) => return Ok((recovery, recovered)),
                Err(error) => (error, Some(recovery)),
            },
            Err(error) => (error, None),
        };
        if !error.is_damage() || on_damage == OnDamage::Refuse || attempt > ATTEMPTS {
            return Err(error);
        }
        tracing::error!(damage = %error, "what is stored is damaged: it is given up, to be brought again by the other servers");
        let in_part = recovery.filter(|_| attempt < ATTEMPTS).map(give_up_a_part);
        if !in_part.transpose()?.unwrap_or(false) {
            give_up_all(dirs, log, error)?;
        }
        tracing::error!("this server does not vote until a leader has brought it up to date");
    }
    unreachable!("attempts are bounded")
}

/// Whoever may not do that is told of the damage itself.
fn give_up_all(dirs: &Dirs, log: &LogConfig, damage: OpenError) -> Result<(), OpenError> {
    match start_over(dirs, log.defects) {
        Ok(_) => Ok(()),
        Err(OpenError::Refused(_)) => Err(damage),
        Err(error) => Err(error),
    }
}

/// Gives up what is behind the last good transaction. False if that is not all that is wrong.
fn give_up_a_part(recovery: Recovery) -> Result<bool, OpenError> {
    let Some(good_through) = recovery.damage().map(|damage| damage.good_through) else { return Ok(false) };
    match recovery.discard_after(good_through) {
        Ok(_) => Ok(true),
        Err(OpenError::Refused(why)) => {
            tracing::warn!(why, "a part of it cannot be kept");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
