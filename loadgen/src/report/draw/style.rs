//! The look of things: colours for light and dark, and dashes and marks for those who do not see colours.

/// Colours as variables. The series' are told apart by people with any of the usual colour blindnesses, and have a contrast
/// of at least 3 to 1 to the ground.
pub const VARIABLES: &str = "\
{--ground:#ffffff;--ink:#1b1f23;--soft:#57606a;--grid:#e4e8ec;--warn:#b42318;\
--s0:#0063a6;--s1:#c44e00;--s2:#007a5a;--s3:#8e3b87;--s4:#7a6200;--s5:#0089a3;--s6:#57606a;--s7:#8a4b2a}";

/// The same for dark.
pub const DARK_VARIABLES: &str = "\
{--ground:#14181c;--ink:#e6e9ec;--soft:#a3adb7;--grid:#2a3138;--warn:#ff8a7a;\
--s0:#5ab4f5;--s1:#ff9148;--s2:#35c79a;--s3:#de9ad6;--s4:#e3cc3e;--s5:#5fd9ea;--s6:#c3c9cf;--s7:#d19a72}";

/// Everything else about pictures.
pub const PICTURES: &str = "\
text{font:12px system-ui,sans-serif;fill:var(--ink)}\
.head{font-size:14px;font-weight:600}.soft{fill:var(--soft)}.warn{fill:var(--warn);paint-order:stroke;stroke:var(--ground);stroke-width:3px}\
.ground{fill:var(--ground)}.shade{fill:var(--soft);fill-opacity:.09}\
.axis{stroke:var(--soft)}.grid{stroke:var(--grid)}.event{stroke:var(--warn);stroke-dasharray:4 3}\
.mark-warn{fill:var(--warn)}\
polyline{fill:none;stroke-linejoin:round}\
.main{stroke-width:2}.faint{stroke-width:1;stroke-opacity:.35}.light{stroke-width:1.4}\
.whisker{stroke:var(--ink);stroke-width:1.3}.bar{fill-opacity:.75}";

/// Number of series that are told apart; further ones start again.
pub const SERIES: usize = 8;

const DASHES: [&str; SERIES] = ["", "7 3", "2 3", "9 3 2 3", "13 4", "5 2 1 2 1 2", "1 4", "4 4"];

/// The rules for lines, bars and marks of the series.
pub fn series() -> String {
    let rule = |(at, dash): (usize, &&str)| {
        let dashes = if dash.is_empty() { String::new() } else { format!(".l{at}.main{{stroke-dasharray:{dash}}}") };
        format!(".l{at}{{stroke:var(--s{at})}}.f{at}{{fill:var(--s{at})}}{dashes}")
    };
    DASHES.iter().enumerate().map(rule).collect()
}

/// The class of a line of a series; `kind` is `main` (dashed as the series is), `light` or `faint`.
pub fn line(series: usize, kind: &str) -> String {
    format!("l{} {kind}", series % SERIES)
}

/// The class of what is filled with a series' colour.
pub fn fill(series: usize) -> String {
    format!("f{}", series % SERIES)
}

/// The mark of a series.
pub fn mark(series: usize) -> &'static [(f64, f64)] {
    const SQUARE: [(f64, f64); 4] = [(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)];
    const UP: [(f64, f64); 3] = [(0.0, -4.6), (4.2, 3.2), (-4.2, 3.2)];
    const DIAMOND: [(f64, f64); 4] = [(0.0, -4.8), (4.8, 0.0), (0.0, 4.8), (-4.8, 0.0)];
    const DOWN: [(f64, f64); 3] = [(0.0, 4.6), (4.2, -3.2), (-4.2, -3.2)];
    const DOT: [(f64, f64); 8] =
        [(-1.5, -3.6), (1.5, -3.6), (3.6, -1.5), (3.6, 1.5), (1.5, 3.6), (-1.5, 3.6), (-3.6, 1.5), (-3.6, -1.5)];
    const WIDE: [(f64, f64); 4] = [(-4.6, -1.7), (4.6, -1.7), (4.6, 1.7), (-4.6, 1.7)];
    const TALL: [(f64, f64); 4] = [(-1.7, -4.6), (1.7, -4.6), (1.7, 4.6), (-1.7, 4.6)];
    const LEFT: [(f64, f64); 3] = [(-4.6, 0.0), (3.2, 4.2), (3.2, -4.2)];
    const MARKS: [&[(f64, f64)]; SERIES] = [&DOT, &SQUARE, &UP, &DIAMOND, &DOWN, &WIDE, &TALL, &LEFT];
    MARKS[series % SERIES]
}
