//! The screen: headlines, the table of servers, what is known of the selected one, and transactions a second over time.

use crate::columns;
use crate::hot::Hot;
use crate::model::{Model, Row};
use crate::print;
use crate::sample::{Allowance, Sample};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

/// What of the view the user has chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choice {
    /// The selected server.
    pub selected: usize,
    /// Whether the view stands still.
    pub paused: bool,
    /// Whether colours may be used. Nothing is told by a colour alone.
    pub colours: bool,
}

/// Most lines of the transactions over time: a taller picture tells no more.
const HISTORY: u16 = 10;

/// Most of the hottest paths.
const PATHS: usize = 10;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, choice: &Choice) {
    let rows = model.rows();
    let paths = hottest(model.hot().as_ref());
    let lines = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let (head, table, detail, keys) = (3, lines(rows.len() + 2), 5, 1);
    let left = frame.area().height.saturating_sub(head + detail + keys).saturating_sub(table);
    let constraints = [
        Constraint::Length(head),
        Constraint::Max(table),
        Constraint::Length(detail),
        // Half of what is left, at most.
        Constraint::Length(lines(paths.len() + 1).min(left.div_ceil(2))),
        Constraint::Max(HISTORY),
        // What is left stays empty, above the keys.
        Constraint::Min(0),
        Constraint::Length(keys),
    ];
    let [head, servers, detail, hot, history, _, keys] = Layout::vertical(constraints).areas(frame.area());
    frame.render_widget(headline(model, choice), head);
    frame.render_widget(table_of(&rows, servers, choice), servers);
    if let Some(row) = rows.get(choice.selected) {
        frame.render_widget(Paragraph::new(details(row)), detail);
    }
    // The last line stays empty.
    frame.render_widget(Paragraph::new(paths), Rect { height: hot.height.saturating_sub(1), ..hot });
    draw_history(frame, model, history, choice);
    frame.render_widget(Paragraph::new("q leaves   ↑ ↓ another server   space stands still"), keys);
}

/// The hottest paths under a title, or why there are none.
fn hottest(hot: Option<&Hot>) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'_>> = print::hottest(hot, PATHS).into_iter().map(Line::from).collect();
    if let (Some(Hot::Told(paths)), Some(title)) = (hot, lines.first_mut())
        && !paths.is_empty()
    {
        *title = std::mem::take(title).style(Style::new().add_modifier(Modifier::UNDERLINED));
    }
    lines
}

fn headline(model: &Model, choice: &Choice) -> Paragraph<'static> {
    let summary = model.summary();
    let title = if choice.paused { "ringkeeper top (standing still)" } else { "ringkeeper top" };
    let whole = summary.serving == summary.servers && summary.leader.is_some();
    let style = if whole { Style::new() } else { alarm(choice) };
    let [who, what] = print::headlines(&summary);
    let title = Span::styled(title, Style::new().add_modifier(Modifier::BOLD));
    Paragraph::new(vec![Line::from(title), Line::from(Span::styled(who, style)), Line::from(what)])
}

fn table_of(rows: &[Row], area: Rect, choice: &Choice) -> Paragraph<'static> {
    // Two characters in front mark the selected one.
    let width = usize::from(area.width).saturating_sub(2);
    let lines = columns::table(rows, Some(width));
    let lines = lines.iter().enumerate().map(|(at, cells)| {
        let Some(at) = at.checked_sub(1) else {
            let titles = format!("  {}", columns::line(cells, None));
            return Line::from(Span::styled(titles, Style::new().add_modifier(Modifier::UNDERLINED)));
        };
        let row = rows.get(at);
        let mark = if at == choice.selected { "> " } else { "  " };
        let style = match row {
            Some(row) if !row.serves => alarm(choice),
            Some(row) if row.state == "leader" => Style::new().add_modifier(Modifier::BOLD),
            _ => Style::new(),
        };
        Line::from(Span::styled(format!("{mark}{}", columns::line(cells, row)), style))
    });
    Paragraph::new(lines.collect::<Vec<_>>())
}

fn alarm(choice: &Choice) -> Style {
    let style = Style::new().add_modifier(Modifier::BOLD);
    if choice.colours { style.fg(Color::Red) } else { style }
}

/// All that is known of a server, whatever the width of the table.
fn details(row: &Row) -> Vec<Line<'static>> {
    let version = row.sample.as_ref().and_then(|sample| sample.version.clone()).unwrap_or_default();
    let mut lines = vec![Line::from(format!("{}  {version}", row.server))];
    if !row.serves {
        lines.push(Line::from(format!("  {}", row.state)));
        return lines;
    }
    let named = |title: &str| {
        let column = columns::COLUMNS.iter().find(|column| column.title == title);
        let value = column.map_or_else(|| "-".to_owned(), |column| column.value(row));
        format!("{} {value}", title.to_lowercase())
    };
    let told = |name: &str, value: Option<u64>| {
        format!("{name} {}", value.map_or_else(|| "-".to_owned(), |value| value.to_string()))
    };
    let sample = row.sample.clone().unwrap_or_default();
    let line = |parts: [String; 4]| Line::from(format!("  {}", parts.join("   ")));
    lines.push(line(["ROLE", "ZXID", "BEHIND", "SYNC"].map(named)));
    lines.push(line([
        named("NODES"),
        named("WATCHES"),
        told("ephemerals", sample.ephemerals),
        told("sessions", sample.sessions),
    ]));
    lines.push(line([
        named("DATA"),
        memory(&named("MEMORY"), &sample),
        told("descriptors", sample.descriptors),
        named("UP"),
    ]));
    lines
}

/// Memory, and how much of what may be used is, which is counted otherwise: without what the system could take back.
fn memory(resident: &str, sample: &Sample) -> String {
    let Some(Allowance { used, limit, short }) = sample.allowance else { return resident.to_owned() };
    let short = if short { " (short)" } else { "" };
    format!("{resident}, {} of {} allowed{short}", columns::bytes(used), columns::bytes(limit))
}

fn draw_history(frame: &mut Frame<'_>, model: &Model, area: Rect, choice: &Choice) {
    if area.height < 3 {
        return;
    }
    let [title, graph] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let shown = usize::from(graph.width).min(model.transactions().len());
    let rates: Vec<u64> = model.transactions().rev().take(shown).map(|rate| rate as u64).collect();
    let rates: Vec<u64> = rates.into_iter().rev().collect();
    let most = rates.iter().copied().max().unwrap_or(0);
    frame.render_widget(
        Paragraph::new(format!(
            "transactions a second, the latest at the right; at most {}",
            columns::rate(most as f64)
        )),
        title,
    );
    let style = if choice.colours { Style::new().fg(Color::Cyan) } else { Style::new() };
    let right = Rect { x: graph.right().saturating_sub(shown as u16), width: shown as u16, ..graph };
    frame.render_widget(Sparkline::default().data(&rates).max(most.max(1)).style(style), right);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::tests::ensemble;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &ensemble(), &Choice { selected: 1, ..Choice::default() })).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(|y| row(y) + "\n").collect()
    }

    #[test]
    fn a_small_terminal_shows_the_important_things() {
        let screen = drawn(80, 24);
        let lines: Vec<&str> = screen.lines().collect();
        assert_eq!(lines[1], "2 of 3 servers serve, leader zk1.example.com:2181, epoch 5");
        assert!(lines[3].ends_with("CONN"), "{screen}");
        assert!(lines[5].starts_with("> zk2.example.com:2181 follower       2   20000"), "{screen}");
        assert_eq!(lines[6], "  10.0.0.3:2181        down: Connection refused");
        assert!(screen.contains("zxid 5:11ffe") && screen.contains("ephemerals 48"), "{screen}");
        assert!(screen.contains("memory -, 230M of 1024M allowed   descriptors 200"), "{screen}");
        assert_eq!(lines[13..15], ["READS/S WRITES/S  HOTTEST PATH", "   2500      0.8  /app/config"], "{screen}");
        assert!(lines[23].starts_with("q leaves"), "{screen}");
    }

    #[test]
    fn a_wide_terminal_shows_every_column_and_a_tiny_one_does_no_harm() {
        assert!(drawn(200, 50).contains("SYNC"));
        for (width, height) in [(1, 1), (10, 3), (20, 8), (300, 4)] {
            let _ = drawn(width, height);
        }
    }
}
