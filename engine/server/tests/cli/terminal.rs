//! The shell at a terminal: prompt, completion, events, history.

use super::support::server::{Server, ringkeeper_binary};
use super::{cli, servers};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Something that is not shown within this time is not shown at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program at a pseudo-terminal of its own.
pub(super) struct Terminal {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    /// What was written and not yet waited for.
    shown: String,
    /// What a person would see.
    screen: vt100::Parser,
}

impl Terminal {
    /// Starts the program at a terminal of this size, with its state kept in a directory.
    pub(super) fn start(arguments: &[&str], state: &Path, (width, height): (u16, u16)) -> Terminal {
        let size = libc::winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        let (mut primary, mut secondary) = (-1, -1);
        // SAFETY: both descriptors are written by the call, and owned from here on; no name and no settings are asked for.
        let (primary, secondary) = unsafe {
            let opened = libc::openpty(&mut primary, &mut secondary, std::ptr::null_mut(), std::ptr::null(), &size);
            assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
            (OwnedFd::from_raw_fd(primary), OwnedFd::from_raw_fd(secondary))
        };
        let mut command = Command::new(ringkeeper_binary());
        command.args(arguments).env("TERM", "xterm").env("TZ", "UTC").env("XDG_STATE_HOME", state);
        command
            .stdin(secondary.try_clone().unwrap())
            .stdout(secondary.try_clone().unwrap())
            .stderr(secondary.try_clone().unwrap());
        // SAFETY: only calls that are async-signal-safe: the program gets a session of its own, with this terminal, and ends with
        // the test.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        drop(secondary);
        let mut output = File::from(primary.try_clone().unwrap());
        let (sender, received) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut chunk) {
                if sender.send(chunk[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        assert!(primary.as_raw_fd() >= 0);
        let screen = vt100::Parser::new(height.try_into().unwrap(), width.try_into().unwrap(), 0);
        Terminal { child, keyboard: File::from(primary), output: received, shown: String::new(), screen }
    }

    pub(super) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Takes what the program writes; panics if it has ended or is silent.
    fn read(&mut self, text: &str, deadline: Instant) {
        match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                self.shown += &String::from_utf8_lossy(&bytes);
                self.screen.process(&bytes);
            }
            Err(RecvTimeoutError::Timeout) => {
                panic!("{text:?} is not shown, but:\n{}", self.screen.screen().contents())
            }
            Err(RecvTimeoutError::Disconnected) => {
                panic!("ended without showing {text:?}, but:\n{}", self.screen.screen().contents())
            }
        }
    }

    /// Waits until the screen is as expected, and returns it. What is expected must tell a whole picture from one that is still
    /// being painted: a terminal gets it in pieces.
    pub(super) fn see(&mut self, expected: &str, is_there: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen.screen().contents();
            if is_there(&screen) {
                return screen;
            }
            self.read(expected, deadline);
        }
    }

    /// Waits until a text is written, behind what was waited for before.
    pub(super) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            self.read(text, deadline);
        }
    }

    /// Waits for the end; the status.
    pub(super) fn end(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the program does not end; it shows:\n{:?}", self.shown);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SIZE: (u16, u16) = (100, 30);

fn shell(server: &Server, state: &Path) -> Terminal {
    Terminal::start(&["cli", "-s", &server.addr().to_string()], state, SIZE)
}

#[test]
fn a_person_at_a_terminal() {
    for server in servers("a_person_at_a_terminal") {
        let state = tempfile::tempdir().unwrap();
        let address = server.addr();
        let mut shell = shell(&server, state.path());
        shell.wait_for(&format!("Connecting to {address}"));
        shell.wait_for(&format!("[zk: {address}(CONNECTED) 0] "));
        shell.press("create /application x\r");
        shell.wait_for("Created /application");
        shell.wait_for("(CONNECTED) 1] ");
        // Commands, flags and paths are completed.
        shell.press("getAc\t -s /appl\t\r");
        shell.wait_for("'world,'anyone");
        shell.wait_for("numChildren = 0");
        shell.wait_for("(CONNECTED) 2] ");
        // An event comes between commands, above the prompt.
        shell.press("get -w /application\r");
        shell.wait_for("(CONNECTED) 3] ");
        assert_eq!(cli(address, &["set", "/application", "y"]).status, 0);
        shell.wait_for("type:NodeDataChanged path:/application");
        // A slip is met with a hint.
        shell.press("gt /application\r");
        shell.wait_for("did you mean `get`?");
        shell.press("addauth digest user:secret\r");
        shell.wait_for("(CONNECTED) 5] ");
        shell.press("redo 0\r");
        shell.wait_for("Node already exists: /application");
        shell.press("history\r");
        shell.wait_for("0 - create /application x");
        shell.wait_for("5 - create /application x");
        shell.wait_for("6 - history");
        shell.wait_for("(CONNECTED) 7] ");
        // The line that is being written is given up, the shell is not.
        shell.press("nonsense\u{3}");
        shell.wait_for("(CONNECTED) 7] ");
        shell.press("close\r");
        shell.wait_for("(CLOSED) 8] ");
        shell.press("ls /\r");
        shell.wait_for("Not connected");
        shell.press("connect\r");
        shell.wait_for(") 10] ");
        shell.press("ls /\r");
        shell.wait_for("[application, zookeeper]");
        shell.wait_for("(CONNECTED) 11] ");
        shell.press("\u{4}");
        assert_eq!(shell.end(), Some(0));
        check_history(&server, state.path());
    }
}

/// The next shell knows what was given to the last one, but no passwords.
fn check_history(server: &Server, state: &Path) {
    let kept = std::fs::read_to_string(state.join("ringkeeper/cli-history")).unwrap();
    assert!(kept.contains("create /application x") && !kept.contains("secret"), "{kept}");
    let mut shell = shell(server, state);
    shell.wait_for("(CONNECTED) 0] ");
    // The key with the arrow upwards.
    shell.press("\u{1b}[A\r");
    shell.wait_for("[application, zookeeper]");
    shell.press("quit\r");
    assert_eq!(shell.end(), Some(0));
}
