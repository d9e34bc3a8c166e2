//! A picture with its title, legend and axes.

use super::axis::Axis;
use super::style;
use super::svg::{Anchor, Canvas, escape, fitted, width_of};

/// Width of every picture.
pub const WIDTH: f64 = 760.0;
const HEAD: f64 = 48.0;
const LEGEND_ROW: f64 = 18.0;

/// A finished picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Name of its file, and its identity on a page.
    pub name: String,
    title: String,
    description: String,
    height: f64,
    body: String,
}

impl Picture {
    /// As a part of a page that has [`style`] among its own.
    pub fn inline(&self) -> String {
        self.svg("", "")
    }

    /// As a file of its own.
    pub fn standalone(&self) -> String {
        let style = format!(
            "<style>svg{}@media(prefers-color-scheme:dark){{svg{}}}{}{}</style>\n",
            style::VARIABLES,
            style::DARK_VARIABLES,
            style::PICTURES,
            style::series()
        );
        self.svg(" xmlns=\"http://www.w3.org/2000/svg\"", &style)
    }

    fn svg(&self, namespace: &str, style: &str) -> String {
        let (name, title, description) = (&self.name, escape(&self.title), escape(&self.description));
        let height = self.height;
        format!(
            "<svg{namespace} viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\" \
             aria-labelledby=\"{name}-title {name}-desc\">\n\
             <title id=\"{name}-title\">{title}</title>\n<desc id=\"{name}-desc\">{description}</desc>\n{style}\
             <rect class=\"ground\" width=\"{WIDTH:.0}\" height=\"{height:.0}\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// A picture in the making: panels from top to bottom.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What is drawn on.
    pub canvas: Canvas,
    title: String,
    bottom: f64,
}

impl Sheet {
    /// A sheet under a title, with the circumstances below it.
    pub fn new(title: &str, circumstances: &str) -> Sheet {
        let mut canvas = Canvas::default();
        canvas.text("head", (8.0, 20.0), Anchor::Start, &fitted(title, (WIDTH - 16.0) * 0.88));
        canvas.text("soft", (8.0, 37.0), Anchor::Start, &fitted(circumstances, WIDTH - 16.0));
        Sheet { canvas, title: format!("{title}: {circumstances}"), bottom: HEAD }
    }

    /// The y of what comes next.
    pub fn bottom(&self) -> f64 {
        self.bottom
    }

    /// Takes height for something that is drawn by hand.
    pub fn take(&mut self, height: f64) {
        self.bottom += height;
    }

    /// What the colours, dashes and marks mean.
    pub fn legend(&mut self, entries: &[(usize, String)]) {
        let mut x = 8.0;
        for (series, text) in entries {
            let text = fitted(text, WIDTH - 60.0);
            let width = 38.0 + width_of(&text) + 14.0;
            if x > 8.0 && x + width > WIDTH {
                (x, self.bottom) = (8.0, self.bottom + LEGEND_ROW);
            }
            let y = self.bottom + 8.0;
            self.canvas.polyline(&style::line(*series, "main"), &[(x, y), (x + 30.0, y)]);
            self.canvas.mark(&style::fill(*series), (x + 15.0, y), style::mark(*series), "");
            self.canvas.text("", (x + 36.0, y + 4.0), Anchor::Start, &text);
            x += width;
        }
        self.bottom += LEGEND_ROW + 6.0;
    }

    /// A panel of this height below what is there, with its axes.
    pub fn panel(&mut self, height: f64, x: Axis, y: Axis) -> Panel {
        let panel = Panel { left: 66.0, top: self.bottom + 20.0, width: WIDTH - 66.0 - 24.0, height, x, y };
        panel.axes(&mut self.canvas);
        self.bottom = panel.top + height + 42.0;
        panel
    }

    /// The picture. The description is for those who do not see it.
    pub fn finish(self, name: String, description: String) -> Picture {
        Picture { name, title: self.title, description, height: self.bottom + 6.0, body: self.canvas.into_inner() }
    }
}

/// An area with axes.
#[derive(Clone, Debug)]
pub struct Panel {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: Axis,
    y: Axis,
}

impl Panel {
    /// Where a pair of values is.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + self.x.place(x) * self.width, self.top + (1.0 - self.y.place(y)) * self.height)
    }

    /// All of them.
    pub fn path(&self, points: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
        points.into_iter().map(|(x, y)| self.at(x, y)).collect()
    }

    /// Shades what lies between two values of x.
    pub fn shade(&self, canvas: &mut Canvas, from: f64, to: f64, text: &str) {
        let (left, _) = self.at(from, 0.0);
        let (right, _) = self.at(to, 0.0);
        if right - left < 1.0 {
            return;
        }
        canvas.rect("shade", (left, self.top), (right - left, self.height), "");
        if right - left > width_of(text) + 8.0 {
            canvas.text("soft", (left + 4.0, self.top + 14.0), Anchor::Start, text);
        }
    }

    /// Marks a moment, with words before it or after it.
    pub fn event(&self, canvas: &mut Canvas, at: f64, anchor: Anchor, text: &str) {
        let (x, _) = self.at(at, 0.0);
        canvas.line("event", (x, self.top), (x, self.top + self.height));
        let beside = match anchor {
            Anchor::Start => (x + 4.0).min(WIDTH - width_of(text)),
            Anchor::Middle => x,
            Anchor::End => x - 4.0,
        };
        canvas.text("warn", (beside, self.top + 13.0), anchor, text);
    }

    fn axes(&self, canvas: &mut Canvas) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        for tick in self.y.ticks() {
            let y = self.top + (1.0 - tick.place) * self.height;
            canvas.line("grid", (self.left, y), (right, y));
            canvas.text("soft", (self.left - 8.0, y + 4.0), Anchor::End, &tick.text);
        }
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for tick in self.x.ticks() {
            let x = self.left + tick.place * self.width;
            canvas.line("grid", (x, self.top), (x, bottom));
            let half = width_of(&tick.text) / 2.0 + 4.0;
            // The first that comes has the place: texts never overlap.
            if taken.iter().all(|(from, to)| x + half < *from || x - half > *to) {
                let inside = x.min(WIDTH - half);
                canvas.text("soft", (inside, bottom + 16.0), Anchor::Middle, &tick.text);
                taken.push((x - half, x + half));
            }
        }
        canvas.line("axis", (self.left, bottom), (right, bottom));
        canvas.line("axis", (self.left, self.top), (self.left, bottom));
        canvas.text("soft", (self.left + self.width / 2.0, bottom + 34.0), Anchor::Middle, &self.x.title);
        canvas.text("soft", (8.0, self.top - 11.0), Anchor::Start, &self.y.title);
    }
}
