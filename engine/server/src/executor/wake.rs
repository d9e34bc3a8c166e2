//! What a turn waits for when nothing is left to do.

use super::{First, TICK, until_first};
use ringkeeper_core::ids::Instant;
use ringkeeper_net::Signal;
use std::time::Duration;

/// Waits until a turn is due: `due` is raised, or the log has planned something for `deadline`. What the log plans for
/// later than a tick is left to the tick: a timer of the runtime costs more than a look.
pub(crate) async fn until_due(due: &Signal, deadline: Option<Instant>, now: Instant) {
    match deadline.map(|at| at.since(now)).filter(|wait| *wait < TICK) {
        // The ring's timer may end a little early; a turn before its time would do nothing and wait again.
        Some(wait) => match until_first(due.wait(), glommio::timer::sleep(wait + Duration::from_micros(1))).await {
            First::Left(()) | First::Right(()) => {}
        },
        None => due.wait().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glommio::LocalExecutor;
    use std::rc::Rc;

    const NOW: Instant = Instant(5_000_000_000);
    /// Longer than any turn takes; nobody waits for it when all is well.
    const LONG: Duration = Duration::from_secs(60);

    /// Whether `until_due` ends by itself.
    fn ends(deadline: Option<Duration>, patience: Duration) -> bool {
        LocalExecutor::default().run(async move {
            let due = Signal::default();
            let wait = until_due(&due, deadline.map(|d| NOW.plus(d)), NOW);
            matches!(until_first(wait, glommio::timer::sleep(patience)).await, First::Left(()))
        })
    }

    #[test]
    fn a_plan_of_the_log_is_heeded_without_anything_else_happening() {
        assert!(ends(Some(Duration::from_micros(200)), LONG));
        assert!(ends(Some(Duration::ZERO), LONG), "what is overdue is due");
    }

    #[test]
    fn far_plans_are_left_to_the_tick() {
        assert!(!ends(Some(TICK), Duration::from_millis(40)));
        assert!(!ends(None, Duration::from_millis(40)));
    }

    #[test]
    fn a_signal_ends_the_wait_for_a_plan() {
        LocalExecutor::default().run(async {
            let due = Rc::new(Signal::default());
            let raised = Rc::clone(&due);
            glommio::spawn_local(async move { raised.raise() }).detach();
            until_due(&due, Some(NOW.plus(TICK - Duration::from_nanos(1))), NOW).await;
            until_due(&due, Some(NOW.plus(Duration::from_micros(10))), NOW).await;
        });
    }
}
