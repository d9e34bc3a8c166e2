//! `loadgen report`: a page and pictures from the documents of other commands.
//!
//! Each step is pure but the first and the last: [`read`] takes the documents, [`material`] what there is to show of them,
//! [`section`] sorts it by workload and by [`label`]; [`picture`], [`table`] and [`words`] show it, [`page`] puts it together.
//! [`draw`] knows how to draw, and nothing else. Everything that comes from a file is escaped where it becomes markup.

mod args;
mod draw;
mod figure;
mod label;
mod material;
mod page;
mod picture;
mod read;
mod section;
mod subject;
mod table;
mod words;

pub use args::ReportArgs;

use crate::run::Exit;
use anyhow::{Context, Result};
use draw::plot::Picture;
use section::Source;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, shown or written.
pub fn report(args: &ReportArgs) -> Result<Exit> {
    let (sources, stated) = gather(args)?;
    let sections = section::sections(&sources);
    let pictures: Vec<Vec<Picture>> =
        sections.iter().enumerate().map(|(at, section)| picture::pictures(section, at + 1)).collect();
    if let Some(directory) = &args.svg_dir {
        write_pictures(directory, pictures.iter().flatten())?;
    }
    if let Some(file) = page_file(args) {
        let page = page::page(&args.title, &sources, &sections, &pictures, &stated);
        write_page(&file, &page)?;
    }
    Ok(Exit::Fine)
}

/// Where the page goes, if it is wanted.
fn page_file(args: &ReportArgs) -> Option<PathBuf> {
    args.html.clone().or_else(|| args.svg_dir.is_none().then(|| "report.html".into()))
}

/// Reads all files; with what they say themselves of how things compare.
fn gather(args: &ReportArgs) -> Result<(Vec<Source>, Vec<String>)> {
    let plain = args.files.iter().map(|file| (file, None));
    let labelled = args.label.iter().flat_map(|label| label.files.iter().map(|file| (file, Some(label.name.clone()))));
    let (mut sources, mut stated) = (Vec::new(), Vec::new());
    for (file, label) in labelled.chain(plain) {
        let document = read::read(file)?;
        let extract = material::extract(file, &document)?;
        stated.extend(extract.findings);
        sources.push(Source { file: file.clone(), label, document, measurements: extract.measurements });
    }
    Ok((sources, stated))
}

fn write_page(file: &Path, page: &str) -> Result<()> {
    if file == Path::new("-") {
        return std::io::stdout().lock().write_all(page.as_bytes()).context("standard output");
    }
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

fn write_pictures<'p>(directory: &Path, pictures: impl Iterator<Item = &'p Picture>) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for picture in pictures {
        let file = directory.join(format!("{}.svg", picture.name));
        fs::write(&file, picture.standalone()).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}
