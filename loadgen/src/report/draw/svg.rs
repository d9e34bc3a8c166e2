//! SVG as text. Whatever comes from outside passes through [`escape`].

use std::fmt::Write as _;

/// Text as it may stand in an element or in an attribute's quotes. Characters that XML does not allow are left out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A drawing in the making. Coordinates in pixels, y downwards.
#[derive(Clone, Debug, Default)]
pub struct Canvas(String);

/// Where a text is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// At its beginning.
    Start,
    /// In its middle.
    Middle,
    /// At its end.
    End,
}

impl Canvas {
    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(self.0, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
    }

    /// A rectangle.
    pub fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), tip: &str) {
        let _ =
            write!(self.0, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}">"#);
        self.tip(tip);
        self.0.push_str("</rect>\n");
    }

    /// A line through points; nothing if there are less than two.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.len() < 2 {
            return;
        }
        let _ = write!(self.0, r#"<polyline class="{class}" points=""#);
        for (at, (x, y)) in points.iter().enumerate() {
            let _ = write!(self.0, "{}{x:.1},{y:.1}", if at == 0 { "" } else { " " });
        }
        self.0.push_str("\"/>\n");
    }

    /// A closed figure through points, each relative to `(x, y)`.
    pub fn mark(&mut self, class: &str, (x, y): (f64, f64), outline: &[(f64, f64)], tip: &str) {
        let _ = write!(self.0, r#"<polygon class="{class}" points=""#);
        for (at, (dx, dy)) in outline.iter().enumerate() {
            let _ = write!(self.0, "{}{:.1},{:.1}", if at == 0 { "" } else { " " }, x + dx, y + dy);
        }
        self.0.push_str("\">");
        self.tip(tip);
        self.0.push_str("</polygon>\n");
    }

    /// A line of text.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        let _ = writeln!(self.0, r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#);
    }

    /// What a pointer that rests on an element is told.
    fn tip(&mut self, tip: &str) {
        if !tip.is_empty() {
            let _ = write!(self.0, "<title>{}</title>", escape(tip));
        }
    }

    /// What was drawn.
    pub fn into_inner(self) -> String {
        self.0
    }
}

/// Width of a text, roughly: fonts differ, and layout needs no more.
pub fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * 6.7
}

/// A text that fits into a width: what is too long lacks its middle, because names differ at their ends.
pub fn fitted(text: &str, width: f64) -> String {
    let most = (width / 6.7).floor().max(1.0) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let (front, back) = ((most - 1) - (most - 1) / 2, (most - 1) / 2);
    let end = text.chars().count() - back;
    text.chars().take(front).chain(['…']).chain(text.chars().skip(end)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Canvas, escape, fitted};

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(escape("a<b>&\"'\u{0}\u{7}\n"), "a&lt;b&gt;&amp;&quot;&#39; ");
        let mut canvas = Canvas::default();
        canvas.text("t", (0.0, 0.0), Anchor::Start, "</text><script>");
        canvas.rect("r", (0.0, 0.0), (1.0, 1.0), "</title><img src=x>");
        let drawn = canvas.into_inner();
        assert!(!drawn.contains("<script") && !drawn.contains("<img"), "{drawn}");
    }

    #[test]
    fn long_texts_are_cut_with_a_sign() {
        assert_eq!(fitted("ringkeeper", 200.0), "ringkeeper");
        assert_eq!(fitted("ringkeeper", 40.0), "ri…er");
    }
}
