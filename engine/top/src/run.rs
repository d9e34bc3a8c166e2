//! A run of the view: live on the terminal, or printed.

use crate::model::Model;
use crate::poll::{self, Heard};
use crate::screen::{self, Choice};
use crate::{discover, print};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ringkeeper_client::HostList;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often keys are looked for.
const KEYS: Duration = Duration::from_millis(100);

/// What the view shows.
#[derive(Clone, Debug)]
pub struct Start {
    /// The servers that are known.
    pub servers: HostList,
    /// Whether the ensemble is asked for the others.
    pub discover: bool,
    /// How often the servers are asked.
    pub interval: Duration,
    /// How it is shown.
    pub form: Form,
    /// Whether it is shown only once.
    pub once: bool,
}

/// How the view is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// On the terminal; as text where there is none.
    Screen,
    /// One JSON object a line.
    Json,
}

/// Shows the view. Returns whether a server serves.
///
/// # Errors
/// Those of the terminal, and of the output.
pub fn run(start: &Start) -> io::Result<bool> {
    let servers = if start.discover { discover::others(&start.servers) } else { start.servers.names() };
    let (heard, answers) = channel();
    let begun = Instant::now();
    poll::start(&servers, begun, start.interval, &heard);
    let model = Model::new(&servers);
    if start.form == Form::Screen && !start.once && io::stdout().is_terminal() {
        return live(model, &answers, start, begun);
    }
    printed(model, &answers, start, begun)
}

/// Prints the view after each interval. Rates need two answers, so the first one comes after one interval.
fn printed(mut model: Model, answers: &Receiver<Heard>, start: &Start, begun: Instant) -> io::Result<bool> {
    let mut next = begun + start.interval + start.interval / 2;
    loop {
        collect(&mut model, answers, next);
        model.end_interval();
        let text = match start.form {
            Form::Screen => print::text(&model),
            Form::Json => format!("{}\n", print::json(&model)),
        };
        let serves = model.summary().serving > 0;
        match io::stdout().write_all(text.as_bytes()) {
            // A reader that went away, as `| head` does, is no failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(serves),
            other => other?,
        }
        if start.once {
            return Ok(serves);
        }
        next += start.interval;
    }
}

/// Takes what is answered until the deadline.
fn collect(model: &mut Model, answers: &Receiver<Heard>, deadline: Instant) {
    loop {
        match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Heard { server, at, answer }) => model.take(server, at, answer),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => {
                // No server could be asked: what is known stays.
                std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
                return;
            }
        }
    }
}

fn live(model: Model, answers: &Receiver<Heard>, start: &Start, begun: Instant) -> io::Result<bool> {
    let mut terminal = ratatui::try_init()?;
    let result = until_left(&mut terminal, model, answers, start, begun);
    ratatui::restore();
    result
}

fn until_left(
    terminal: &mut DefaultTerminal,
    mut model: Model,
    answers: &Receiver<Heard>,
    start: &Start,
    begun: Instant,
) -> io::Result<bool> {
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut choice = Choice { colours, ..Choice::default() };
    let mut shown = model.clone();
    let mut next = begun + start.interval + start.interval / 2;
    loop {
        collect(&mut model, answers, Instant::now());
        if Instant::now() >= next {
            model.end_interval();
            next += start.interval;
        }
        if !choice.paused {
            shown = model.clone();
        }
        terminal.draw(|frame| screen::draw(frame, &shown, &choice))?;
        if event::poll(KEYS)? && leaves(&event::read()?, &mut choice, shown.rows().len()) {
            return Ok(shown.summary().serving > 0);
        }
    }
}

/// Obeys a key; tells whether it means to leave.
fn leaves(event: &Event, choice: &mut Choice, servers: usize) -> bool {
    let Event::Key(key) = event else { return false };
    if key.kind == KeyEventKind::Release {
        return false;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return true,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
        KeyCode::Char(' ') => choice.paused = !choice.paused,
        KeyCode::Up | KeyCode::Char('k') => choice.selected = choice.selected.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => choice.selected = (choice.selected + 1).min(servers.saturating_sub(1)),
        _ => {}
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::crossterm::event::KeyEvent;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_choose_and_leave() {
        let mut choice = Choice::default();
        let mut press = |code| leaves(&key(code, KeyModifiers::NONE), &mut choice, 2);
        assert!(!press(KeyCode::Down) && !press(KeyCode::Down) && !press(KeyCode::Char(' ')));
        assert!(press(KeyCode::Char('q')) && press(KeyCode::Esc) && !press(KeyCode::Char('c')));
        assert_eq!((choice.selected, choice.paused), (1, true));
        assert!(leaves(&key(KeyCode::Char('c'), KeyModifiers::CONTROL), &mut choice, 2));
        leaves(&key(KeyCode::Up, KeyModifiers::NONE), &mut choice, 2);
        assert_eq!(choice.selected, 0);
        leaves(&key(KeyCode::Down, KeyModifiers::NONE), &mut choice, 0);
        assert_eq!(choice.selected, 0);
    }
}
