//! Latencies as an HdrHistogram log, for the tools that read such logs. Values are nanoseconds.

use super::findings::Latencies;
use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::SystemTime;

/// Writes one line for each series, under its name as tag.
///
/// # Errors
/// Those of the file.
pub fn write(path: &Path, latencies: &Latencies<Histogram<u64>>, started: SystemTime) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(cannot)?);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new();
    log.add_comment("latencies from the intended time, nanoseconds").with_start_time(started);
    let mut log = log.begin_log_with(&mut file, &mut serializer).with_context(cannot)?;
    let duration = started.elapsed().unwrap_or_default();
    for (name, histogram) in latencies.named() {
        let written = log.write_histogram(histogram, std::time::Duration::ZERO, duration, Tag::new(name));
        written.map_err(|error| anyhow!("{error:?}")).with_context(cannot)?;
    }
    Ok(())
}
