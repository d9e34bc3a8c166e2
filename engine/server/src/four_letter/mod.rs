//! Four-letter words: ZooKeeper's oldest way to ask a server how it is. Four bytes on a fresh client connection, a text
//! in reply, and the connection is closed.
//!
//! Everything here makes text from plain facts. Names and shapes are ZooKeeper's, checked against what a real server
//! answered (`fixtures/`), because monitoring tools parse them by the letter. One word is ours: hotp.

mod collect;
mod configuration;
pub(crate) mod connections;
mod dump;
pub mod environment;
pub(crate) mod hot;
pub(crate) mod monitor;
mod server;
mod snapshot;
pub(crate) mod watches;
mod word;

#[cfg(test)]
mod tests;

pub use collect::Clocks;
pub use environment::Environment;
pub use snapshot::{
    Connection, ConnectionSession, Deadlines, Descriptors, Directories, Latency, Metric, MetricValue, Mode, Snapshot,
    Watches,
};
pub use word::{Needs, Opening, Reset, TELNET_INTERRUPT, Whitelist, Word};

/// ZooKeeper's default of the mask that gtmk shows. There is no tracing by mask here; stmk changes nothing.
pub(crate) const TRACE_MASK: u64 = 306;

/// Answers a word. `mask` is the argument of stmk. `server` is `None` while the server does not serve.
///
/// Resets that the word asks for ([`Word::resets`]) are the caller's, and only if the word is admitted.
pub fn answer(
    word: Word,
    mask: u64,
    admitted: Whitelist,
    environment: &Environment,
    server: Option<&Snapshot>,
) -> String {
    if !admitted.admits(word) {
        return format!("{} is not executed because it is not in the whitelist.\n", word.name());
    }
    let mut out = String::new();
    match (word, server) {
        (Word::Ruok, _) => out.push_str("imok"),
        (Word::Envi, _) => environment.write(&mut out),
        (Word::Gtmk, _) => out.push_str(&TRACE_MASK.to_string()),
        (Word::Stmk, _) => out.push_str(&mask.to_string()),
        (Word::Isro, None) => out.push_str("null"),
        (_, None) => out.push_str("This ZooKeeper instance is not currently serving requests\n"),
        (_, Some(server)) => of_a_serving_server(word, server, &mut out),
    }
    out
}

fn of_a_serving_server(word: Word, server: &Snapshot, out: &mut String) {
    match word {
        Word::Conf => configuration::conf(server, out),
        Word::Cons => connections::cons(server, out),
        Word::Crst => out.push_str("Connection stats reset.\n"),
        Word::Dirs => configuration::dirs(server, out),
        Word::Dump => dump::dump(server, out),
        Word::Hash => server::hash(server, out),
        Word::Hotp => hot::hotp(server, out),
        Word::Isro => out.push_str(if server.mode == Mode::ReadOnly { "ro" } else { "rw" }),
        Word::Mntr => monitor::mntr(server, out),
        Word::Srst => out.push_str("Server stats reset.\n"),
        Word::Srvr => server::srvr(server, out),
        Word::Stat => server::stat(server, out),
        Word::Wchc => watches::by_session(server, out),
        Word::Wchp => watches::by_path(server, out),
        Word::Wchs => watches::summary(server, out),
        Word::Ruok | Word::Envi | Word::Gtmk | Word::Stmk => unreachable!("answered without a serving server"),
    }
}

/// Adds a line to a text. Writing to a string cannot fail.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($arg)*);
    }};
}
use line;
