//! A person at a terminal: a line that can be edited, a history that stays, completion, events above the prompt.

use crate::completion;
use crate::run::{self, Start};
use crate::screen::Screen;
use crate::shell::{Next, Sessions, Shell};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter, Helper};
use std::path::PathBuf;

/// Lines that the history file keeps.
const KEPT: usize = 1000;

type Lines = Editor<Completion, FileHistory>;

/// Runs until the person leaves; returns the status of the last command.
pub(crate) fn run(shell: &mut Shell, screen: &Screen, start: &Start) -> u8 {
    let mut editor = match editor(shell) {
        Ok(editor) => editor,
        Err(error) => {
            screen.notice(&format!("cannot use the terminal: {error}"));
            return crate::status::FAILED;
        }
    };
    if let Ok(mut printer) = editor.create_external_printer() {
        screen.print_above(Box::new(move |text| drop(printer.print(text))));
    }
    println!("Connecting to {}", start.servers);
    if let Err(failure) = shell.connect() {
        screen.failure(&failure);
        return failure.status;
    }
    shell.settle();
    println!("`help` lists the commands, Tab completes commands and paths, Ctrl-D leaves.");
    let file = history_file();
    if let Some(file) = &file {
        // There is none the first time.
        let _ = editor.load_history(file);
    }
    let mut last = 0;
    loop {
        let line = match editor.readline(&shell.prompt()) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                screen.notice(&format!("cannot read from the terminal: {error}"));
                return crate::status::FAILED;
            }
        };
        if line.trim().is_empty() {
            continue;
        }
        remember(&mut editor, &line, file.as_ref());
        let (next, status) = run::ended(screen, shell.line(&line));
        last = status;
        if next == Next::Quit {
            break;
        }
    }
    last
}

fn editor(shell: &Shell) -> rustyline::Result<Lines> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(KEPT)?
        .history_ignore_space(true)
        .auto_add_history(false)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Completion { sessions: shell.sessions() }));
    Ok(editor)
}

/// Adds a line to the history and its file, unless it holds a password. (The file gets all that is new in the history.)
fn remember(editor: &mut Lines, line: &str, file: Option<&PathBuf>) {
    let secret = line.split_whitespace().next() == Some("addauth");
    let added = !secret && editor.add_history_entry(line).unwrap_or(false);
    if let Some(file) = file.filter(|_| added) {
        // A history that cannot be kept is no reason to stop.
        let _ = editor.append_history(file);
    }
}

/// Where the history is kept: in the directory that the XDG specification names for state.
fn history_file() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    let directory = state.join("ringkeeper");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("cli-history"))
}

struct Completion {
    sessions: Sessions,
}

impl Completion {
    fn children(&self, parent: &str) -> Vec<String> {
        let sessions = self.sessions.borrow();
        // Nobody who presses Tab wants to wait for a connection.
        let client = sessions.as_ref().filter(|client| client.state().is_connected());
        client.and_then(|client| client.children(parent, false).ok()).map_or_else(Vec::new, |(names, _)| names)
    }
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let context = completion::context(&line[..at]);
        let words = completion::candidates(&context, |parent| self.children(parent));
        Ok((context.start, words.into_iter().map(|word| Pair { display: word.clone(), replacement: word }).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}
