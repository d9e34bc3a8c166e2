//! Figures of several parties side by side, with what repetitions spread.

use crate::report::draw::axis::Axis;
use crate::report::draw::plot::{Picture, Sheet, WIDTH};
use crate::report::draw::style;
use crate::report::draw::svg::{Anchor, fitted, width_of};
use crate::report::figure::{Better, Figure, Spread};
use crate::report::section::{Party, Section};

const ROW: f64 = 22.0;
const CAPTION: f64 = 26.0;
/// Labels up to this width leave room for two columns.
const NARROW: f64 = 130.0;
const WIDE: f64 = 360.0;
/// For the number at the end of a bar.
const NUMBER: f64 = 74.0;

/// Bars for each figure that a comparison is about; `None` if there is nothing to compare.
pub fn draw(section: &Section, name: String) -> Option<Picture> {
    let figures = section.headlines();
    if section.parties.len() < 2 || figures.is_empty() {
        return None;
    }
    let widest = section.parties.iter().map(|party| width_of(&party.label)).fold(0.0, f64::max);
    let columns = if widest <= NARROW { 2 } else { 1 };
    let grid = Grid {
        label: widest.min(if columns == 2 { NARROW } else { WIDE }) + 10.0,
        width: WIDTH / columns as f64 - 16.0,
    };
    let mut sheet = Sheet::new("Compared", &section.title);
    let height = CAPTION + ROW * section.parties.len() as f64 + 12.0;
    for row in figures.chunks(columns) {
        for (column, figure) in row.iter().enumerate() {
            let left = 8.0 + column as f64 * WIDTH / columns as f64;
            grid.panel(&mut sheet, left, figure, &section.parties);
        }
        sheet.take(height);
    }
    Some(sheet.finish(name, describe(&figures, &section.parties)))
}

struct Grid {
    label: f64,
    width: f64,
}

impl Grid {
    fn panel(&self, sheet: &mut Sheet, left: f64, figure: &Figure, parties: &[Party]) {
        let top = sheet.bottom();
        let spreads: Vec<Option<Spread>> = parties.iter().map(|party| party.spread(&figure.name)).collect();
        let axis = Axis::from_zero("", figure.unit, spreads.iter().flatten().map(|spread| spread.max));
        let (from, length) = (left + self.label, self.width - self.label - NUMBER);
        let direction = match figure.better {
            Better::More => " (more is better)",
            Better::Less => " (less is better)",
            Better::Neither => "",
        };
        sheet.canvas.text("", (from, top + 14.0), Anchor::Start, &format!("{}{direction}", figure.name));
        for (at, (party, spread)) in parties.iter().zip(spreads).enumerate() {
            let y = top + CAPTION + ROW * at as f64 - 6.0;
            sheet.canvas.text("soft", (from - 6.0, y + 13.0), Anchor::End, &fitted(&party.label, self.label - 6.0));
            let Some(spread) = spread else {
                sheet.canvas.text("soft", (from + 4.0, y + 13.0), Anchor::Start, "–");
                continue;
            };
            let place = |value: f64| from + axis.place(value) * length;
            let told = figure.unit.exact(spread.median);
            let tip = format!("{}: {} {told}{}", party.label, figure.name, range(figure, &spread));
            let class = format!("bar {}", style::fill(party.style));
            sheet.canvas.rect(&class, (from, y + 2.0), ((place(spread.median) - from).max(1.0), ROW - 8.0), &tip);
            let end = place(spread.max.max(spread.median));
            if spread.count > 1 {
                let middle = y + 2.0 + (ROW - 8.0) / 2.0;
                sheet.canvas.line("whisker", (place(spread.min), middle), (end, middle));
                for x in [place(spread.min), end] {
                    sheet.canvas.line("whisker", (x, middle - 4.0), (x, middle + 4.0));
                }
            }
            sheet.canvas.text("", (end + 6.0, y + 13.0), Anchor::Start, &told);
        }
        let bottom = top + CAPTION + ROW * parties.len() as f64 - 6.0;
        sheet.canvas.line("axis", (from, top + CAPTION - 6.0), (from, bottom));
    }
}

/// The range, if there is one.
fn range(figure: &Figure, spread: &Spread) -> String {
    if spread.count < 2 {
        return String::new();
    }
    let [min, max] = [spread.min, spread.max].map(|value| figure.unit.exact(value));
    format!(" (median of {}, from {min} to {max})", spread.count)
}

fn describe(figures: &[&Figure], parties: &[Party]) -> String {
    let told = figures.iter().map(|figure| {
        let each = parties.iter().filter_map(|party| {
            let spread = party.spread(&figure.name)?;
            Some(format!("{} {}{}", party.label, figure.unit.exact(spread.median), range(figure, &spread)))
        });
        format!("{}: {}.", figure.name, each.collect::<Vec<_>>().join(", "))
    });
    told.collect::<Vec<_>>().join(" ")
}
