//! The table.

use super::obstacles::{self, Obstacle};
use ringkeeper::exit::Status;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where one case happens: a directory, and a port that is taken.
pub struct Place {
    dir: tempfile::TempDir,
    taken: TcpListener,
}

impl Place {
    pub fn new() -> Place {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Place { dir, taken: TcpListener::bind(("127.0.0.1", 0)).unwrap() }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn port(&self) -> u16 {
        self.taken.local_addr().unwrap().port()
    }

    pub fn config(&self) -> PathBuf {
        self.dir().join("zoo.cfg")
    }

    pub fn data(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// Every file and directory with its length.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let (mut pending, mut files) = (vec![self.dir().to_owned()], Vec::new());
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    pending.push(entry.path());
                }
                files.push((entry.path(), metadata.len()));
            }
        }
        files.sort();
        files
    }

    pub fn configure_bytes(&self, bytes: &[u8]) {
        fs::write(self.config(), bytes).unwrap();
    }

    /// `serve` with a file, in which `DIR` and `PORT` stand for those of this place.
    fn serve(&self, text: &str) -> Command {
        let text = text.replace("DIR", self.dir().to_str().unwrap()).replace("PORT", &self.port().to_string());
        self.configure_bytes(text.as_bytes());
        let mut command = self.command(&["serve"]);
        command.arg(self.config());
        command
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringkeeper"));
        command.args(args).current_dir(self.dir());
        super::without_settings(&mut command);
        command
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.dir().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The record of what a server has promised, as another version would write it, or damaged.
    fn write_epochs(&self, version: u32, damage: u8) {
        let mut block = vec![0; 4096];
        block[0..8].copy_from_slice(b"RK-EPOCH");
        block[8..12].copy_from_slice(&version.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&block[0..12]), &block[16..]);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        block[20] ^= damage;
        self.write("data/epochs", &block);
    }
}

/// One way to go wrong.
pub struct Case {
    pub name: &'static str,
    pub status: Status,
    /// What is said, with `DIR` and `PORT`; `*` is anything.
    pub says: &'static str,
    pub start: fn(&Place) -> Command,
    pub obstacle: Obstacle,
    /// `config --check` finds it too.
    pub checkable: bool,
}

const fn case(name: &'static str, status: Status, start: fn(&Place) -> Command, says: &'static str) -> Case {
    Case { name, status, says, start, obstacle: obstacles::none, checkable: true }
}

impl Case {
    /// Only a server that starts finds it.
    const fn at_start(self) -> Case {
        Case { checkable: false, ..self }
    }

    const fn behind(self, obstacle: Obstacle) -> Case {
        Case { obstacle, checkable: false, ..self }
    }
}

/// A file with a data directory and these lines.
macro_rules! lines {
    ($text:literal) => {
        |place: &Place| place.serve(concat!("dataDir=DIR/data\nclientPort=0\n", $text))
    };
}

/// A file of an ensemble of three, with these lines.
macro_rules! ensemble {
    ($text:literal) => {
        |place: &Place| {
            place.serve(concat!(
                "dataDir=DIR/data\nclientPort=0\nserver.1=127.0.0.1:1:2\nserver.2=127.0.0.1:3:4\nserver.3=127.0.0.1:5:6\n",
                $text
            ))
        }
    };
}

#[rustfmt::skip]
pub fn all() -> Vec<Case> {
    use Status::{Address, Configuration, Damaged, Directory, File, Foreign, Identity, InUse, Machine, Name, Newer, Usage};
    vec![
        // The command line.
        case("unknown flag", Usage, |place| place.command(&["serve", "--tik-time", "5"]), "unexpected argument '--tik-time' found"),
        case("unknown key in --set", Configuration, |place| { let mut command = lines!("")(place); command.args(["--set", "tikTime=5"]); command },
            "flag --set tikTime: tikTime is not a known setting; did you mean tickTime?"),
        case("bad value of a flag", Configuration, |place| { let mut command = lines!("")(place); command.args(["--tick-time", "fast"]); command },
            "flag --tick-time: tickTime=fast is not a whole number; give a whole number from 1 to 600000 (ms), for example tickTime=3000"),
        case("bad value in the environment", Configuration, |place| { let mut command = lines!("")(place); command.env("RINGKEEPER_TICK_TIME", "0"); command },
            "environment RINGKEEPER_TICK_TIME: tickTime=0 is less than 1; give a whole number from 1 to 600000 (ms), for example tickTime=3000"),
        // The file.
        case("no such file", File, |place| place.command(&["serve", "nowhere.cfg"]),
            "nowhere.cfg: the configuration file cannot be read: No such file or directory*; correct the path, or leave it out and give --data-dir *"),
        case("a directory instead of a file", File, |place| place.command(&["serve", "."]),
            ".: the configuration file cannot be read: Is a directory*; give the file in it"),
        case("a file that is no text", Configuration, |place| { place.configure_bytes(b"d\0a\0"); let mut command = place.command(&["serve", "zoo.cfg", "--data-dir"]); command.arg(place.data()); command },
            "zoo.cfg:1: there is a zero byte: this is not a text file, or it is in UTF-16; give a text file in UTF-8, with one key=value a line"),
        case("an unparsable line", Configuration, |place| { place.configure_bytes(b"tickTime=5\nx=\\u12"); place.command(&["serve", "zoo.cfg", "--data-dir", "data"]) },
            "zoo.cfg:2: `\\u` must be followed by four hexadecimal digits; write a backslash as \\\\"),
        case("no data directory", Configuration, |place| place.serve("tickTime=5"),
            "dataDir is not set; give --data-dir *, or dataDir=* in the configuration file"),
        case("a duration with a unit", Configuration, lines!("tickTime=2s"),
            "DIR/zoo.cfg:3: tickTime=2s is not a whole number; give a whole number from 1 to 600000 (ms), for example tickTime=3000"),
        case("an interval that is none", Configuration, lines!("log.durability=interval:5s"),
            "DIR/zoo.cfg:3: log.durability=interval:5s needs a whole number of milliseconds from 1 to 60000 after interval:; give always | interval:<ms> | os, for example log.durability=always"),
        case("session limits that cross", Configuration, lines!("tickTime=1000\nmaxSessionTimeout=1500"),
            "DIR/zoo.cfg:4: minSessionTimeout=2000 is larger than maxSessionTimeout=1500; raise the one or lower the other"),
        case("heartbeats that are too rare", Configuration, ensemble!("ensemble.heartbeat.ms=200\nserver.id=1"),
            "DIR/zoo.cfg:6: ensemble.heartbeat.ms=200 leaves less than two heartbeats*"),
        case("what would weaken security", Configuration, lines!("quorum.auth.enableSasl=true"),
            "DIR/zoo.cfg:3: quorum.auth.enableSasl=true cannot be honoured: SASL is not available yet, and to go on without it would admit servers that must be kept out; remove the setting"),
        case("TLS between servers without certificates", Configuration, ensemble!("sslQuorum=true\nssl.quorum.keyStore.location=DIR/nowhere.pem\nserver.id=1"),
            "DIR/zoo.cfg:6: sslQuorum=true needs to know whose certificates the other servers may have; give ssl.quorum.trustStore.location=FILE with the certificates of the authorities that stand for servers, in PEM"),
        case("no key for TLS between servers", Configuration, ensemble!("portUnification=true\nssl.quorum.keyStore.location=DIR/nowhere.pem\nssl.quorum.trustStore.location=DIR/nowhere.pem\nserver.id=1"),
            "DIR/zoo.cfg:7: ssl.quorum.keyStore.location=DIR/nowhere.pem cannot be read: No such file or directory (os error 2); correct the path"),
        case("no key for TLS", Configuration, lines!("secureClientPort=2281\nssl.clientAuth=none\nssl.keyStore.location=DIR/nowhere.pem"),
            "DIR/zoo.cfg:5: ssl.keyStore.location=DIR/nowhere.pem cannot be read: No such file or directory (os error 2); correct the path"),
        case("no such file of members", Configuration, lines!("dynamicConfigFile=nowhere.dynamic"),
            "DIR/zoo.cfg:3: dynamicConfigFile=nowhere.dynamic cannot be read: No such file*; correct the path, or put the server lines into the configuration file instead"),
        // The ensemble.
        case("a server line without ports", Configuration, lines!("server.1=localhost"),
            "DIR/zoo.cfg:3: server.1=localhost has no port behind its host (an IPv6 address needs brackets); for example server.1=localhost:2888:3888;2181"),
        case("two servers of one number", Configuration, ensemble!("server.3=127.0.0.1:7:8\nserver.id=1"),
            "DIR/zoo.cfg:6: server.3=127.0.0.1:7:8 has the number of another line (DIR/zoo.cfg:5); give each server a number of its own"),
        case("a malformed observer", Configuration, ensemble!("server.4=127.0.0.1:7:8:obsever\nserver.id=1"),
            "DIR/zoo.cfg:6: server.4=127.0.0.1:7:8:obsever has the role obsever, which is neither participant nor observer; for example server.1=localhost:2888:3888;2181"),
        case("an observer alone", Configuration, lines!("peerType=observer"),
            "DIR/zoo.cfg:3: peerType=observer makes an observer without an ensemble; give the server lines of all members, or remove peerType"),
        case("one port for two servers", Configuration, ensemble!("server.4=127.0.0.1:1:8\nserver.id=1"),
            "DIR/zoo.cfg:6: server.4=127.0.0.1:1:8 uses 127.0.0.1:1, which server.1 (DIR/zoo.cfg:3) uses too; give each server of a host ports of its own"),
        case("one port for clients and servers", Configuration, |place| place.serve("dataDir=DIR/data\nclientPort=2888\nserver.1=127.0.0.1:2888:3888\nserver.2=127.0.0.2:2888:3888\nserver.3=127.0.0.3:2888:3888\nserver.id=1"),
            "DIR/zoo.cfg:2: clientPort=2888 is the port for other servers in the line server.1 too; give clients a port of their own"),
        // Who this server is.
        case("no myid", Identity, ensemble!(""),
            "the number of this server is unknown: DIR/data/myid is not there; give --id N, or write the number N of this server's line server.N into that file"),
        case("myid is no number", Identity, |place| { place.write("data/myid", b"one\n"); ensemble!("")(place) },
            "DIR/data/myid:1: \"one\" is not a whole number from 1 to 254; write nothing but the number N of this server's line server.N"),
        case("myid out of range", Identity, |place| { place.write("data/myid", b"255"); ensemble!("")(place) },
            "DIR/data/myid:1: \"255\" is not a whole number from 1 to 254; write nothing but the number N of this server's line server.N"),
        case("not among the servers", Identity, |place| { place.write("data/myid", b"9"); ensemble!("")(place) },
            "DIR/data/myid: server.id=9 is not among the servers of the ensemble, 1 2 3; give the number of this server's line, or add a line server.9 on every server"),
        case("two numbers", Identity, |place| { place.write("data/myid", b"1"); let mut command = ensemble!("")(place); command.args(["--id", "2"]); command },
            "flag --id: server.id=2 contradicts DIR/data/myid, which says 1; correct the one that is wrong; the data in that directory belong to one server"),
        // Directories.
        case("a file instead of a directory", Directory, |place| { place.write("data", b""); lines!("")(place) },
            "DIR/zoo.cfg:1: dataDir=DIR/data cannot be used: not a directory; a file stands where a directory has to be: give another directory, or move the file away"),
        case("a file above the directory", Directory, |place| { place.write("file", b""); place.serve("dataDir=DIR/file/data") },
            "DIR/zoo.cfg:1: dataDir=DIR/file/data cannot be used: Not a directory*; a file stands where a directory has to be: give another directory, or move the file away"),
        case("no directory, and none to be made", Directory, lines!("datadir.autocreate=false"),
            "DIR/zoo.cfg:1: dataDir=DIR/data does not exist; make it, or correct the path: with datadir.autocreate=false the server makes none"),
        case("no permission", Directory, lines!(""),
            "DIR/zoo.cfg:1: dataDir=DIR/data cannot be used: Permission denied*; let the user that the server runs as own it (chown), with mode 700").behind(obstacles::no_permission),
        case("mounted for reading", Directory, lines!(""),
            "DIR/zoo.cfg:1: dataDir=DIR/data cannot be used: Read-only file system*; mount the file system for writing, or give a directory on another one").behind(obstacles::read_only),
        // Whose data.
        case("ZooKeeper's data", Foreign, |place| { place.write("data/version-2/snapshot.0", b"ZKSN"); lines!("")(place) },
            "DIR/zoo.cfg:1: dataDir=DIR/data holds the data of a ZooKeeper server (version-2/); give an empty directory to start with nothing, or make a new one from it with `ringkeeper import`"),
        case("another server's data", Foreign, |place| { place.write("data/owner", b"format=1\nensemble=ringkeeper\nserver=2\n"); ensemble!("server.id=1")(place) },
            "DIR/zoo.cfg:1: dataDir=DIR/data holds the data of server 2 of ensemble ringkeeper, and this is server 1 of ensemble ringkeeper; correct the directory, myid or --id; if the data was brought here on purpose, remove the file owner"),
        case("another ensemble's data", Foreign, |place| { place.write("data/owner", b"format=1\nensemble=blue\nserver=1\n"); ensemble!("server.id=1")(place) },
            "DIR/zoo.cfg:1: dataDir=DIR/data holds the data of server 1 of ensemble blue, and this is server 1 of ensemble ringkeeper; correct the directory or ensemble.name; if the ensemble was renamed, remove the file owner"),
        case("a newer format", Newer, |place| { place.write_epochs(7, 0); lines!("")(place) },
            "epochs has format version 7, this program reads version 1: use the program that wrote it").at_start(),
        case("damaged data", Damaged, |place| { place.write_epochs(1, 1); lines!("")(place) },
            "stored data is damaged: epochs at offset 0: the epoch record fails its checksum; this server stands alone, so nobody else has what is lost: restore its directories from a backup, or empty them to start with nothing").at_start(),
        case("a directory in use", InUse, |place| { place.write("data/lock", b""); hold(&place.data().join("lock")); lines!("")(place) },
            "DIR/data is in use by another process; end it, or give each server a directory of its own").at_start(),
        // Addresses.
        case("client port in use", Address, |place| place.serve("dataDir=DIR/data\nclientPortAddress=127.0.0.1\nclientPort=PORT"),
            "DIR/zoo.cfg:3: clientPort=PORT: cannot listen for clients on 127.0.0.1:PORT: Address already in use*; another process has the port: end it (`ss -ltnp` tells which it is), or give another port").at_start(),
        case("peer port in use", Address, |place| place.serve("dataDir=DIR/data\nclientPort=0\nserver.1=127.0.0.1:PORT:2\nserver.2=127.0.0.1:3:4\nserver.id=1"),
            "DIR/zoo.cfg:3: server.1=127.0.0.1:PORT:2: cannot listen for the other servers on 127.0.0.1:PORT: Address already in use*; another process has the port: end it (`ss -ltnp` tells which it is), or give another port").at_start(),
        case("an address of another machine", Address, lines!("clientPortAddress=192.0.2.1"),
            "DIR/zoo.cfg:3: clientPortAddress=192.0.2.1: cannot listen for clients on 192.0.2.1:0: Cannot assign requested address*; the machine has no such address: correct it, or listen on all of them").at_start(),
        case("no such client address", Name, lines!("clientPortAddress=nowhere.invalid"),
            "DIR/zoo.cfg:3: clientPortAddress=nowhere.invalid*cannot be resolved: *; correct *, or give an address"),
        case("no such own name", Name, |place| place.serve("dataDir=DIR/data\nclientPort=0\nserver.1=nowhere.invalid:1:2\nserver.2=127.0.0.1:3:4\nserver.id=1"),
            "DIR/zoo.cfg:3: server.1=nowhere.invalid:1:2*cannot be resolved: *; correct *, or give an address"),
        // The machine.
        case("little locked memory", Machine, lines!(""),
            "the limit on locked memory is 64 KiB, 512 KiB are needed: raise it with ulimit -l, LimitMEMLOCK= in a systemd unit, or docker run --ulimit memlock=-1").behind(obstacles::little_locked_memory),
        case("no io_uring", Machine, lines!(""),
            "the kernel refuses io_uring (Operation not permitted*), which Ringkeeper needs. In a container its seccomp profile usually is the reason: allow io_uring_setup,*").behind(obstacles::no_io_uring),
    ]
}

/// Locks a file for as long as this test runs.
fn hold(path: &Path) {
    let file = fs::File::open(path).unwrap();
    file.lock().unwrap();
    std::mem::forget(file);
}
