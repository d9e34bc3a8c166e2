//! The words, how they are recognised in the first bytes of a connection, and which of them are answered.

/// A four-letter word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the words themselves are all there is to say; their texts are in the modules beside this one
pub enum Word {
    Conf,
    Cons,
    Crst,
    Dirs,
    Dump,
    Envi,
    Gtmk,
    Hash,
    Hotp,
    Isro,
    Mntr,
    Ruok,
    Srst,
    Srvr,
    Stat,
    Stmk,
    Wchc,
    Wchp,
    Wchs,
}

/// What telnet sends when the user interrupts it. A connection that starts with it is closed without an answer.
pub const TELNET_INTERRUPT: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];

/// What the first four bytes of a client connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The length of a first request. (No word is one: as lengths they are all beyond a gigabyte.)
    Length(i32),
    /// A word; [`Word::argument_bytes`] more bytes belong to it.
    Word(Word),
    /// Telnet's interrupt.
    TelnetInterrupt,
}

impl Opening {
    /// Judges the first four bytes of a connection.
    pub fn of(first: [u8; 4]) -> Opening {
        match Word::ALL.into_iter().find(|word| word.bytes() == first) {
            Some(word) => Opening::Word(word),
            None if first == TELNET_INTERRUPT => Opening::TelnetInterrupt,
            None => Opening::Length(i32::from_be_bytes(first)),
        }
    }
}

/// Facts that are costly to collect; a snapshot needs only those that the word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// `Snapshot::connections`.
    pub connections: bool,
    /// `Snapshot::watches`.
    pub watches: bool,
    /// `Snapshot::sessions`, `session_timeouts`, `ephemerals` and `connection_deadlines`.
    pub sessions: bool,
    /// `Snapshot::directories` with their sizes.
    pub directories: bool,
    /// `Snapshot::metrics`, `measures`, `leader_change`, `hot` and the gauges that only mntr shows.
    pub metrics: bool,
    /// `Snapshot::root_acl`.
    pub root_acl: bool,
}

/// What the server does besides answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Counters and latencies of each connection.
    Connections,
    /// Counters and latencies of the server, and all metrics.
    Server,
}

impl Word {
    /// All words, in the order of the alphabet.
    pub const ALL: [Word; 19] = [
        Word::Conf,
        Word::Cons,
        Word::Crst,
        Word::Dirs,
        Word::Dump,
        Word::Envi,
        Word::Gtmk,
        Word::Hash,
        Word::Hotp,
        Word::Isro,
        Word::Mntr,
        Word::Ruok,
        Word::Srst,
        Word::Srvr,
        Word::Stat,
        Word::Stmk,
        Word::Wchc,
        Word::Wchp,
        Word::Wchs,
    ];

    /// The word as text.
    pub const fn name(self) -> &'static str {
        match self {
            Word::Conf => "conf",
            Word::Cons => "cons",
            Word::Crst => "crst",
            Word::Dirs => "dirs",
            Word::Dump => "dump",
            Word::Envi => "envi",
            Word::Gtmk => "gtmk",
            Word::Hash => "hash",
            Word::Hotp => "hotp",
            Word::Isro => "isro",
            Word::Mntr => "mntr",
            Word::Ruok => "ruok",
            Word::Srst => "srst",
            Word::Srvr => "srvr",
            Word::Stat => "stat",
            Word::Stmk => "stmk",
            Word::Wchc => "wchc",
            Word::Wchp => "wchp",
            Word::Wchs => "wchs",
        }
    }

    /// The word with this name.
    pub fn named(name: &str) -> Option<Word> {
        Word::ALL.into_iter().find(|word| word.name() == name)
    }

    /// The word as it is sent.
    pub fn bytes(self) -> [u8; 4] {
        self.name().as_bytes().try_into().expect("every word has four letters")
    }

    /// How many bytes follow the word: stmk takes a mask, 8 bytes big-endian.
    pub const fn argument_bytes(self) -> usize {
        if matches!(self, Word::Stmk) { 8 } else { 0 }
    }

    /// Which costly facts the answer needs.
    pub const fn needs(self) -> Needs {
        Needs {
            connections: matches!(self, Word::Cons | Word::Stat),
            watches: matches!(self, Word::Wchc | Word::Wchp | Word::Wchs),
            sessions: matches!(self, Word::Dump),
            directories: matches!(self, Word::Conf | Word::Dirs),
            metrics: matches!(self, Word::Hotp | Word::Mntr),
            root_acl: false,
        }
    }

    /// What has to be set to zero before the answer is sent.
    pub const fn resets(self) -> Option<Reset> {
        match self {
            Word::Crst => Some(Reset::Connections),
            Word::Srst => Some(Reset::Server),
            _ => None,
        }
    }
}

/// The words that are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whitelist(u32);

impl Whitelist {
    /// Reads a comma-separated list; `*` admits all words, unknown ones are ignored, srvr is always admitted.
    pub fn parse(list: &str) -> Whitelist {
        let mut admitted = Whitelist(0).with(Word::Srvr);
        for name in list.split(',').map(str::trim) {
            match Word::named(name) {
                Some(word) => admitted = admitted.with(word),
                None if name == "*" => return Word::ALL.into_iter().fold(admitted, Whitelist::with),
                None => {}
            }
        }
        admitted
    }

    /// With this word, too.
    pub const fn with(self, word: Word) -> Whitelist {
        Whitelist(self.0 | 1 << word as u32)
    }

    /// Whether the word is answered.
    pub const fn admits(self, word: Word) -> bool {
        self.0 & (1 << word as u32) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        assert_eq!(Opening::of(*b"ruok"), Opening::Word(Word::Ruok));
        assert_eq!(Opening::of(*b"RUOK"), Opening::Length(i32::from_be_bytes(*b"RUOK")));
        assert_eq!(Opening::of([0, 0, 0, 45]), Opening::Length(45));
        assert_eq!(Opening::of([0xff; 4]), Opening::Length(-1));
        assert_eq!(Opening::of(TELNET_INTERRUPT), Opening::TelnetInterrupt);
        for word in Word::ALL {
            assert_eq!(Opening::of(word.bytes()), Opening::Word(word));
            assert!(i32::from_be_bytes(word.bytes()) > 1 << 30);
        }
    }

    #[test]
    fn whitelists() {
        let admitted =
            |list| Word::ALL.into_iter().filter(|word| Whitelist::parse(list).admits(*word)).collect::<Vec<_>>();
        assert_eq!(admitted(""), [Word::Srvr]);
        assert_eq!(admitted("ruok, mntr,,nope"), [Word::Mntr, Word::Ruok, Word::Srvr]);
        assert_eq!(admitted("*"), Word::ALL);
        assert_eq!(admitted("stat, *"), Word::ALL);
    }
}
