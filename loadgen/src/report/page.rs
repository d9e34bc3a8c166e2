//! The page.

use super::draw::plot::Picture;
use super::draw::style;
use super::draw::svg::escape;
use super::section::{Section, Source};
use super::table::{self, Contrast};
use super::words;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

const STYLE: &str = "\
body{margin:0 auto;max-width:1080px;padding:16px;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
h1{font-size:26px;margin:12px 0 4px}h2{font-size:20px;margin:40px 0 8px;border-top:1px solid var(--grid);padding-top:16px}\
h3{font-size:16px;margin:20px 0 6px}.lead,caption,dt{color:var(--soft)}\
figure{margin:18px 0}svg{display:block;width:100%;max-width:860px;height:auto}\
.wide{overflow-x:auto}table{border-collapse:collapse;margin:10px 0;font-size:14px;font-variant-numeric:tabular-nums}\
caption{text-align:left;padding-bottom:4px}th,td{padding:3px 10px 3px 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}\
thead th{white-space:normal;vertical-align:bottom;color:var(--soft);font-weight:500}\
tbody th,thead th:first-child{text-align:left;font-weight:600}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:8px 0}dd{margin:0;overflow-wrap:anywhere}\
li{margin:4px 0}.remark{color:var(--warn)}summary{cursor:pointer;color:var(--soft)}a{color:var(--s0)}small{display:block;color:var(--soft);font-size:12px}\
@media print{details{display:block}}";

/// Puts the page together. `pictures` are those of each section.
pub fn page(
    title: &str,
    sources: &[Source],
    sections: &[Section],
    pictures: &[Vec<Picture>],
    stated: &[String],
) -> String {
    let mut html = head(title);
    let _ = write!(html, "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(title), escape(&lead(sources)));
    findings(&mut html, sections, stated);
    for (at, (section, pictures)) in sections.iter().zip(pictures).enumerate() {
        let _ = writeln!(html, "<section id=\"s{}\">\n<h2>{}</h2>", at + 1, escape(&heading(section)));
        remarks(&mut html, section);
        html.push_str(&table::summary(section).html());
        html.push_str(&table::kinds(section).html());
        html.push_str(&table::phases(section).html());
        for picture in pictures {
            let _ = write!(html, "<figure>\n{}</figure>\n", picture.inline());
        }
        html.push_str("</section>\n");
    }
    circumstances(&mut html, sources);
    html.push_str("</body>\n</html>\n");
    html
}

fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>:root{}@media(prefers-color-scheme:dark){{:root{}}}{STYLE}{}{}</style>\n</head>\n<body>\n",
        escape(title),
        style::VARIABLES,
        style::DARK_VARIABLES,
        style::PICTURES,
        style::series()
    )
}

fn heading(section: &Section) -> String {
    if section.command == "run" || section.title.starts_with(&section.command) {
        section.title.clone()
    } else {
        format!("{}: {}", section.command, section.title)
    }
}

/// What the page is of, in a sentence.
fn lead(sources: &[Source]) -> String {
    let mut commands: Vec<&str> = sources.iter().map(|source| source.document.command.as_str()).collect();
    commands.sort_unstable();
    commands.dedup();
    let times = || sources.iter().map(|source| source.document.started_ms);
    let (first, last) = (moment(times().min().unwrap_or(0)), moment(times().max().unwrap_or(0)));
    let when = if first == last { first } else { format!("{first} to {last}") };
    let n = sources.len();
    let files = if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
    format!("{files} of loadgen {}, measured {when}", commands.join(", "))
}

/// A wall clock's time in words.
fn moment(ms: u64) -> String {
    // Far beyond any clock, and within what a calendar can say.
    let ms = Duration::from_millis(ms.min(200_000_000_000_000));
    let text = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + ms).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}

fn findings(html: &mut String, sections: &[Section], stated: &[String]) {
    let compared: Vec<(usize, &Section, Vec<String>)> = sections
        .iter()
        .enumerate()
        // A comparison that speaks for itself is not spoken for.
        .filter(|(_, section)| section.command != "compare" || stated.is_empty())
        .map(|(at, section)| (at + 1, section, words::findings(section)))
        .filter(|(_, _, findings)| !findings.is_empty())
        .collect();
    if compared.is_empty() && stated.is_empty() {
        return;
    }
    html.push_str("<h2>Findings</h2>\n");
    if !stated.is_empty() {
        html.push_str("<ul>\n");
        for finding in stated {
            let _ = writeln!(html, "<li>{}</li>", escape(finding));
        }
        html.push_str("</ul>\n");
    }
    for (at, section, findings) in compared {
        let _ = writeln!(html, "<h3><a href=\"#s{at}\">{}</a></h3>\n<ul>", escape(&heading(section)));
        for finding in findings {
            let _ = writeln!(html, "<li>{}</li>", escape(&finding));
        }
        html.push_str("</ul>\n");
    }
}

fn remarks(html: &mut String, section: &Section) {
    for party in &section.parties {
        for remark in party.measurements.iter().flat_map(|measurement| &measurement.remarks) {
            let _ = writeln!(html, "<p class=\"remark\">{}: {}</p>", escape(&party.label), escape(remark));
        }
    }
}

/// Settings and machines.
fn circumstances(html: &mut String, sources: &[Source]) {
    let mut commands: Vec<&str> = Vec::new();
    for source in sources {
        if !commands.contains(&source.document.command.as_str()) {
            commands.push(&source.document.command);
        }
    }
    html.push_str("<section>\n<h2>How it was measured</h2>\n<h3>Machine</h3>\n");
    contrast(html, &table::environments(&sources.iter().collect::<Vec<_>>()));
    for command in commands {
        let of_command: Vec<&Source> = sources.iter().filter(|source| source.document.command == command).collect();
        let _ = writeln!(html, "<h3>Settings of {}</h3>", escape(command));
        contrast(html, &table::settings(&of_command));
    }
    html.push_str("</section>\n");
}

fn contrast(html: &mut String, contrast: &Contrast) {
    html.push_str("<dl>\n");
    for (name, value) in &contrast.common {
        let (name, value) = match (name.strip_suffix("_bytes"), value.parse()) {
            (Some(name), Ok(bytes)) => (name, crate::units::bytes(bytes)),
            _ => (name.as_str(), value.clone()),
        };
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(&name.replace('_', " ")), escape(&value));
    }
    html.push_str("</dl>\n");
    html.push_str(&contrast.differing.html());
}
