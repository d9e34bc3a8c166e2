//! The task of one connection. It only reads: replies are written by the turn.
//!
//! glommio's `TcpStream::poll_read` waits for readiness and receives within the poll, so one receive buffer serves all
//! connections of the executor, and an idle connection has none.

use crate::connection::{Connection, Phase};
use crate::framer::{Framer, Outcome};
use crate::sockets::{SCRATCH_BYTES, Sockets};
use futures_io::AsyncRead;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Most bytes that one connection may bring into a turn...
const READ_BYTES: usize = 32 << 10;
/// ...unless a longer frame has begun.
const READ_BYTES_LONG_FRAME: usize = SCRATCH_BYTES;
/// What a closed connection may still send before it is reset.
const DISCARD_BYTES: usize = 1 << 20;

/// Reads until the connection ends, one way or another.
pub(crate) async fn read_loop(sockets: Rc<Sockets>, conn: Rc<Connection>) {
    let mut reader = Reader { framer: Framer::default(), discarded: 0 };
    poll_fn(|cx| reader.poll(cx, &sockets, &conn)).await;
    sockets.forget(&conn);
}

struct Reader {
    framer: Framer,
    /// Bytes thrown away since the connection stopped to count.
    discarded: usize,
}

impl Reader {
    /// Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>, sockets: &Sockets, conn: &Rc<Connection>) -> Poll<()> {
        loop {
            if conn.phase() == Phase::Open {
                if !sockets.service.accepts_input(conn.id) {
                    sockets.hold_back(conn, cx.waker());
                    return Poll::Pending;
                }
                if self.has_whole_frame() {
                    self.hand_over(&[], sockets, conn);
                    continue;
                }
            }
            let mut scratch = sockets.scratch.borrow_mut();
            let wanted = self.framer.missing().clamp(READ_BYTES, READ_BYTES_LONG_FRAME);
            let space = &mut scratch[..wanted];
            let received = ready!(Pin::new(&mut *conn.stream.borrow_mut()).poll_read(cx, space));
            let more = matches!(received, Ok(n) if n == wanted);
            if self.take(received, &scratch, sockets, conn) {
                return Poll::Ready(());
            }
            if more {
                // To the back of the queue: behind the other connections and behind the turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // The next poll of the stream does not receive: it waits for readiness.
        }
    }

    /// Frames that were left when the connection was held back.
    fn has_whole_frame(&self) -> bool {
        !self.framer.held().is_empty() && self.framer.missing() == 0
    }

    /// Returns whether the connection has ended.
    fn take(&mut self, received: io::Result<usize>, bytes: &[u8], sockets: &Sockets, conn: &Rc<Connection>) -> bool {
        match received {
            Ok(0) | Err(_) => return true,
            Ok(n) if conn.phase() == Phase::Open => self.hand_over(&bytes[..n], sockets, conn),
            Ok(n) => self.discarded += n,
        }
        conn.phase() == Phase::Dead || self.discarded > DISCARD_BYTES
    }

    fn hand_over(&mut self, chunk: &[u8], sockets: &Sockets, conn: &Rc<Connection>) {
        let mut frames = self.framer.feed(&sockets.config.rules, chunk);
        sockets.service.receive(conn.id, &mut frames);
        match frames.finish() {
            Outcome::More => {}
            Outcome::Word(word) => {
                conn.advance(Phase::Deaf);
                sockets.service.word(conn.id, word, self.framer.held());
                self.framer = Framer::default();
            }
            Outcome::Fault(fault) => {
                tracing::info!(peer = %conn.peer, %fault, "closing connection");
                sockets.count(|stats| stats.bad_frames += 1);
                self.framer = Framer::default();
                sockets.close(conn);
            }
        }
    }
}
