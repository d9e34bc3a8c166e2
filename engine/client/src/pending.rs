//! Requests that wait for their answers, which come in the order of the requests.

use crate::error::Error;
use crate::watches::{Watch, Watches};
use ringkeeper_core::jute::{OpCode, ReadError, Response};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// An answer without error.
#[derive(Debug)]
pub(crate) struct Reply {
    op: OpCode,
    body: Vec<u8>,
}

impl Reply {
    /// The body, read as the answer to the request.
    pub(crate) fn response(&self) -> Result<Response<'_>, ReadError> {
        Response::decode(self.op, &self.body)
    }
}

/// A watch that a request leaves if it succeeds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Registration {
    /// The server's path.
    pub path: String,
    /// What is left if the node is there.
    pub watch: Watch,
    /// Whether a node that is not there is watched as well, as exists does.
    pub absent: bool,
}

/// A request on its way.
#[derive(Debug)]
struct Waiter {
    xid: i32,
    op: OpCode,
    path: Option<String>,
    registration: Option<Registration>,
    answer: SyncSender<Result<Reply, Error>>,
}

/// The promise of an answer.
#[derive(Debug)]
pub(crate) struct Promise {
    receiver: Receiver<Result<Reply, Error>>,
    path: Option<String>,
}

impl Promise {
    /// Waits for the answer. It always comes: a connection that is silent for too long is given up.
    pub(crate) fn wait(self) -> Result<Reply, Error> {
        self.receiver.recv().unwrap_or(Err(Error::ConnectionLost { path: self.path }))
    }

    /// Waits for a while for an answer that does not matter.
    pub(crate) fn wait_at_most(self, time: Duration) {
        let _ = self.receiver.recv_timeout(time);
    }
}

/// The requests on their way, in order.
#[derive(Default, Debug)]
pub(crate) struct Pending {
    waiters: VecDeque<Waiter>,
}

impl Pending {
    /// Notes a request; `path` is the client's.
    pub(crate) fn push(
        &mut self,
        xid: i32,
        op: OpCode,
        path: Option<&str>,
        registration: Option<Registration>,
    ) -> Promise {
        let (answer, receiver) = sync_channel(1);
        let path = path.map(str::to_owned);
        self.waiters.push_back(Waiter { xid, op, path: path.clone(), registration, answer });
        Promise { receiver, path }
    }

    /// Hands an answer to the oldest request, and notes the watch that it has left. Tells whether the answer belonged to it.
    pub(crate) fn answer(&mut self, xid: i32, code: i32, body: &[u8], watches: &mut Watches) -> Result<(), Error> {
        let waiter = self.waiters.pop_front().filter(|waiter| waiter.xid == xid).ok_or(Error::Mismatch)?;
        if let Some(Registration { path, watch, absent }) = &waiter.registration {
            match code {
                0 => watches.add(*watch, path),
                crate::error::code::NO_NODE if *absent => watches.add(Watch::Exist, path),
                _ => {}
            }
        }
        let answer = match code {
            0 => Ok(Reply { op: waiter.op, body: body.to_vec() }),
            code => Err(Error::Refused { code, path: waiter.path }),
        };
        // Somebody who no longer waits does not want to know.
        let _ = waiter.answer.send(answer);
        Ok(())
    }

    /// Fails everything: the connection is lost.
    pub(crate) fn fail(&mut self, error: &Error) {
        for waiter in self.waiters.drain(..) {
            let error = match error {
                Error::ConnectionLost { .. } => Error::ConnectionLost { path: waiter.path },
                other => other.clone(),
            };
            let _ = waiter.answer.send(Err(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watches::Removal;

    fn exists(path: &str) -> Option<Registration> {
        Some(Registration { path: path.into(), watch: Watch::Data, absent: true })
    }

    #[test]
    fn answers_belong_to_the_oldest_request() {
        let (mut pending, mut watches) = (Pending::default(), Watches::default());
        let first = pending.push(1, OpCode::Exists, Some("/a"), exists("/root/a"));
        let second = pending.push(2, OpCode::Exists, Some("/b"), exists("/root/b"));
        pending.answer(1, 0, &[], &mut watches).unwrap();
        pending.answer(2, -101, &[], &mut watches).unwrap();
        assert!(first.wait().is_ok());
        assert_eq!(second.wait().unwrap_err(), Error::refused(-101, Some("/b")));
        assert!(watches.has(Removal::Data, "/root/a") && watches.has(Removal::Data, "/root/b"));
        assert_eq!(pending.answer(3, 0, &[], &mut watches), Err(Error::Mismatch));
    }

    #[test]
    fn an_answer_to_another_request_is_a_mismatch_and_a_loss_names_the_path() {
        let mut pending = Pending::default();
        let lost = pending.push(7, OpCode::Delete, Some("/a"), None);
        pending.fail(&Error::ConnectionLost { path: None });
        assert_eq!(lost.wait().unwrap_err(), Error::ConnectionLost { path: Some("/a".into()) });
        let _ = pending.push(8, OpCode::Delete, Some("/a"), None);
        assert_eq!(pending.answer(9, 0, &[], &mut Watches::default()), Err(Error::Mismatch));
    }
}
