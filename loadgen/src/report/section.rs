//! What belongs together: measurements of one workload, by label.

use super::figure::{Figure, Spread};
use super::label;
use super::material::Measurement;
use super::read::Document;
use super::subject::{self, value};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// A file with what it holds.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// The label that the user gave it.
    pub label: Option<String>,
    /// The document.
    pub document: Document,
    /// What it holds.
    pub measurements: Vec<Measurement>,
}

/// Measurements of one workload.
#[derive(Clone, Debug)]
pub struct Section {
    /// The command that measured.
    pub command: String,
    /// The workload in words.
    pub title: String,
    /// By label, in the order of the files.
    pub parties: Vec<Party>,
    key: (String, Map<String, Value>),
}

/// Measurements under one label.
#[derive(Clone, Debug)]
pub struct Party {
    /// The label.
    pub label: String,
    /// Its place among all labels of the report: what its colour follows from.
    pub style: usize,
    /// The repetitions.
    pub measurements: Vec<Measurement>,
}

impl Party {
    /// The values of a figure in all repetitions.
    pub fn values(&self, name: &str) -> Vec<f64> {
        self.figures().filter(|figure| figure.name == name).flat_map(|figure| figure.values.iter().copied()).collect()
    }

    /// What they say.
    pub fn spread(&self, name: &str) -> Option<Spread> {
        Spread::of(&self.values(name))
    }

    /// The repetition that stands for all: the one in the middle by its first headline figure.
    pub fn middle(&self) -> Option<&Measurement> {
        let rank = |m: &Measurement| {
            m.figures.iter().find(|figure| figure.headline).and_then(Figure::spread).map_or(0.0, |spread| spread.median)
        };
        let mut sorted: Vec<&Measurement> = self.measurements.iter().collect();
        sorted.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.measurements.iter().flat_map(|measurement| &measurement.figures)
    }
}

impl Section {
    /// The figures that any party has, in the order in which they come, each once.
    pub fn figures(&self) -> Vec<&Figure> {
        let mut figures: Vec<&Figure> = Vec::new();
        for figure in self.parties.iter().flat_map(Party::figures) {
            if !figures.iter().any(|known| known.name == figure.name) {
                figures.push(figure);
            }
        }
        figures
    }

    /// Those that the comparison is about.
    pub fn headlines(&self) -> Vec<&Figure> {
        self.figures().into_iter().filter(|figure| figure.headline).collect()
    }
}

/// Sorts what the files hold.
pub fn sections(sources: &[Source]) -> Vec<Section> {
    let labels = labels(sources);
    let mut order: Vec<String> = Vec::new();
    let mut sections: Vec<Section> = Vec::new();
    for (source, file_label) in sources.iter().zip(labels) {
        for measurement in &source.measurements {
            let label = match (&measurement.label, &source.label) {
                (Some(own), Some(given)) => format!("{given}: {own}"),
                (Some(own), None) => own.clone(),
                (None, _) => file_label.clone(),
            };
            let style = order.iter().position(|known| *known == label).unwrap_or_else(|| {
                order.push(label.clone());
                order.len() - 1
            });
            place(&mut sections, source, measurement).add(label, style, measurement);
        }
    }
    tell_apart(&mut sections);
    sections
}

fn labels(sources: &[Source]) -> Vec<String> {
    let stems: Vec<String> = sources
        .iter()
        .map(|source| source.file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let workload = |source: &Source| Value::Object(subject::workload(&source.document.settings)).to_string();
    let keyed: Vec<((&str, String), &str)> = sources
        .iter()
        .zip(&stems)
        .map(|(source, stem)| ((source.document.command.as_str(), workload(source)), stem.as_str()))
        .collect();
    let derived = label::derive(&keyed);
    sources.iter().zip(derived).map(|(source, derived)| source.label.clone().unwrap_or(derived)).collect()
}

/// The section that a measurement belongs to.
fn place<'s>(sections: &'s mut Vec<Section>, source: &Source, measurement: &Measurement) -> &'s mut Section {
    let Document { command, settings, .. } = &source.document;
    let (key, title) = match &measurement.workload {
        Some(workload) => {
            let named = Map::from_iter([("workload".to_owned(), Value::from(workload.as_str()))]);
            ((command.clone(), named), workload.clone())
        }
        None => ((command.clone(), subject::workload(settings)), subject::title(command, settings)),
    };
    let at = sections.iter().position(|section| section.key == key).unwrap_or_else(|| {
        sections.push(Section { command: command.clone(), title, parties: Vec::new(), key });
        sections.len() - 1
    });
    &mut sections[at]
}

impl Section {
    fn add(&mut self, label: String, style: usize, measurement: &Measurement) {
        match self.parties.iter_mut().find(|party| party.label == label) {
            Some(party) => party.measurements.push(measurement.clone()),
            None => self.parties.push(Party { label, style, measurements: vec![measurement.clone()] }),
        }
    }
}

/// Sections with the same title get the settings added in which they differ.
fn tell_apart(sections: &mut [Section]) {
    let titles: Vec<String> = sections.iter().map(|section| section.title.clone()).collect();
    let keys: Vec<Map<String, Value>> = sections.iter().map(|section| section.key.1.clone()).collect();
    for (at, section) in sections.iter_mut().enumerate() {
        let twins: Vec<&Map<String, Value>> = (0..keys.len())
            .filter(|other| *other != at && titles[*other] == titles[at])
            .map(|other| &keys[other])
            .collect();
        let differs = |name: &String, own: &Value| twins.iter().any(|twin| twin.get(name) != Some(own));
        let own = section.key.1.iter().filter(|(name, own)| differs(name, own));
        let told: Vec<String> = own.map(|(name, own)| format!("{name} {}", value(own))).collect();
        if !told.is_empty() {
            section.title = format!("{} ({})", section.title, told.join(", "));
        }
    }
}

#[cfg(test)]
impl Section {
    /// An empty section, for tests of what needs no more.
    pub fn of_title(command: &str, title: &str) -> Section {
        Section { command: command.into(), title: title.into(), parties: Vec::new(), key: Default::default() }
    }
}
