//! Tells whoever started the server how far it is: systemd with `Type=notify`, or anybody else who sets `NOTIFY_SOCKET`.

use sd_notify::NotifyState;

/// Clients are accepted. A server of an ensemble may still be without a leader: waiting for the others must not hold up
/// the start of this one, or the first of them would never have started.
pub(super) fn serving() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The server was asked to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "NOTIFY_SOCKET is set, but nobody can be told there");
    }
}
