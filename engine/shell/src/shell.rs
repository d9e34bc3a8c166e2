//! One shell: a session, the commands given so far, and what concerns the shell itself.

use crate::command::Command;
use crate::execute;
use crate::failure::{Failure, status};
use crate::output::Output;
use crate::parse::{self, Given};
use crate::run::Start;
use crate::screen::Screen;
use crate::{table, words};
use ringkeeper_client::{Client, Error, EventKind, HostList, Options};
use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many commands `history` lists before the present one.
const LISTED: usize = 10;
/// How long a command waits for a server, if it is not told to wait for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The present session, which the completion of paths uses as well.
pub(crate) type Sessions = Rc<RefCell<Option<Client>>>;

/// Whether the shell goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Go,
    Quit,
}

/// A shell.
pub(crate) struct Shell {
    start: Start,
    screen: Arc<Screen>,
    sessions: Sessions,
    servers: HostList,
    history: Vec<String>,
    print_watches: Arc<AtomicBool>,
    /// Whether events of the session itself are printed.
    interactive: bool,
}

impl Shell {
    pub(crate) fn new(start: &Start, screen: &Arc<Screen>, interactive: bool) -> Shell {
        Shell {
            start: start.clone(),
            screen: Arc::clone(screen),
            sessions: Rc::new(RefCell::new(None)),
            servers: start.servers.clone(),
            history: Vec::new(),
            print_watches: Arc::new(AtomicBool::new(true)),
            interactive,
        }
    }

    /// Opens a session with the servers of the command line, or of the last `connect`.
    pub(crate) fn connect(&self) -> Result<(), Failure> {
        // Only one at a time: the former one closes first.
        self.sessions.replace(None);
        let mut options = Options::new(self.servers.clone());
        options.timeout = self.start.timeout;
        options.tls.clone_from(&self.start.tls);
        options.read_only = self.start.read_only;
        options.patience = PATIENCE.min(self.start.timeout);
        let (screen, print, session_too) =
            (Arc::clone(&self.screen), Arc::clone(&self.print_watches), self.interactive);
        let client = Client::open(options, move |event| {
            if print.load(Ordering::Relaxed) && (session_too || event.kind != EventKind::None) {
                screen.event(&event);
            }
        });
        let waited = if self.start.wait { client.wait_connected(self.start.timeout) } else { Ok(()) };
        self.sessions.replace(Some(client));
        waited.map_err(Failure::from)
    }

    /// Waits a moment for a server, so that the first prompt tells whether there is one.
    pub(crate) fn settle(&self) {
        if let Some(client) = &*self.session() {
            // If there is none, the first command will say so.
            let _ = client.wait_connected(Duration::ZERO);
        }
    }

    pub(crate) fn sessions(&self) -> Sessions {
        Rc::clone(&self.sessions)
    }

    fn session(&self) -> Ref<'_, Option<Client>> {
        self.sessions.borrow()
    }

    pub(crate) fn prompt(&self) -> String {
        let state = self.session().as_ref().map_or_else(|| "CLOSED".to_owned(), |client| client.state().to_string());
        format!("[zk: {}({state}) {}] ", self.servers, self.history.len())
    }

    /// Carries out a line. What was given is in the history, whatever comes of it.
    pub(crate) fn line(&mut self, line: &str) -> Result<Next, Failure> {
        let result = self.line_at(line, self.history.len());
        self.history.push(self.redone(line));
        result
    }

    /// What the history holds for a line: for a redo what was redone.
    fn redone(&self, line: &str) -> String {
        let number =
            words::split(line).ok().filter(|_| is_redo(line)).and_then(|words| words.get(1)?.parse::<usize>().ok());
        number.and_then(|number| self.history.get(number)).map_or_else(|| line.to_owned(), String::clone)
    }

    fn line_at(&mut self, line: &str, number: usize) -> Result<Next, Failure> {
        let words = words::split(line).map_err(|error| {
            Failure::new(
                status::USAGE,
                error.to_string(),
                Some("a word that begins with a quote ends with the same quote"),
            )
        })?;
        match self.read(&words)? {
            Command::Redo { number: of } => {
                let Some(again) = self.history.get(of).filter(|_| of < number).cloned() else {
                    return Err(Failure::new(
                        status::USAGE,
                        "Command index out of range",
                        Some("`history` lists the numbers"),
                    ));
                };
                if is_redo(&again) {
                    return Err(Failure::new(status::USAGE, "No redoing redos", None));
                }
                self.line_at(&again, number)
            }
            Command::History => self.tell(Output::Text(self.listing(line))),
            command => self.command(&command),
        }
    }

    fn listing(&self, present: &str) -> String {
        let all: Vec<&str> = self.history.iter().map(String::as_str).chain([present]).collect();
        let first = all.len().saturating_sub(LISTED + 1);
        let lines: Vec<String> =
            all[first..].iter().enumerate().map(|(at, line)| format!("{} - {line}", first + at)).collect();
        lines.join("\n")
    }

    /// Carries out the words of a command line.
    pub(crate) fn words(&mut self, words: &[String]) -> Result<Next, Failure> {
        let command = self.read(words)?;
        self.command(&command)
    }

    fn read(&self, words: &[String]) -> Result<Command, Failure> {
        let Given { command, notice } = parse::parse(words)?;
        notice.into_iter().for_each(|words| self.screen.notice(words));
        Ok(command)
    }

    fn command(&mut self, command: &Command) -> Result<Next, Failure> {
        match command {
            Command::Quit => return Ok(Next::Quit),
            Command::Close => drop(self.sessions.replace(None)),
            Command::Connect { servers } => {
                if let Some(servers) = servers {
                    self.servers = HostList::parse(servers).map_err(Error::from)?;
                }
                self.connect()?;
            }
            Command::Help { command } => return self.help(command.as_deref()),
            Command::PrintWatches { on: Some(on) } => self.print_watches.store(*on, Ordering::Relaxed),
            Command::PrintWatches { on: None } => {
                let state = if self.print_watches.load(Ordering::Relaxed) { "on" } else { "off" };
                return self.tell(Output::Text(format!("printwatches is {state}")));
            }
            Command::Version => {
                return self.tell(Output::Text(format!("Ringkeeper CLI version: {}", self.start.version)));
            }
            Command::Redo { .. } | Command::History => {
                let hint = Some("from a command line there is one command and no history");
                return Err(Failure::new(status::USAGE, "Command index out of range", hint));
            }
            other => {
                let session = self.session();
                let client = session.as_ref().filter(|client| client.state().is_alive()).ok_or(Error::Closed)?;
                execute::run(client, other, &mut |output| self.screen.result(&output))?;
            }
        }
        Ok(Next::Go)
    }

    fn help(&self, name: Option<&str>) -> Result<Next, Failure> {
        let spec = match name {
            None => None,
            Some(name) => Some(table::find(name).ok_or_else(|| parse::ParseError::Unknown(name.to_owned()))?),
        };
        self.tell(Output::Text(table::help(spec)))
    }

    fn tell(&self, output: Output) -> Result<Next, Failure> {
        self.screen.result(&output).map(|()| Next::Go)
    }
}

fn is_redo(line: &str) -> bool {
    line.split_whitespace().next() == Some("redo")
}
