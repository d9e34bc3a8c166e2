//! The pictures of a report.

mod bars;
mod course;
mod curves;
mod gaps;
mod rounds;

use super::draw::plot::Picture;
use super::section::Section;

/// All pictures that a section has the figures for.
pub fn pictures(section: &Section, number: usize) -> Vec<Picture> {
    let named = |what: &str| name(number, section, what);
    let mut pictures = Vec::new();
    pictures.extend(bars::draw(section, named("compared")));
    pictures.extend(gaps::draw(section, &named));
    pictures.extend(rounds::draw(section, named("around-the-fault")));
    pictures.extend(curves::draw(section, &named));
    pictures.extend(course::draw(section, named("over-time")));
    pictures
}

/// A name for files and for references on a page: letters, digits and hyphens, and different for each picture.
fn name(number: usize, section: &Section, what: &str) -> String {
    let plain: String =
        section.title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).take(6).collect();
    let command: String = section.command.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    let mut parts = vec![format!("{number:02}"), command];
    parts.extend(words.iter().map(|word| word.chars().take(16).collect()));
    parts.push(what.to_owned());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::name;
    use crate::report::section::sections;

    #[test]
    fn names_are_safe_for_files_and_pages() {
        assert_eq!(sections(&[]).len(), 0);
        let section = super::super::section::Section::of_title("run", "1 × 1 deep, set/../\"<x>");
        assert_eq!(name(3, &section, "compared"), "03-run-1-1-deep-set-x-compared");
    }
}
