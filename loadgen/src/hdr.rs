//! Latencies as an HdrHistogram log, for the tools that read such logs. Values are nanoseconds.

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Writes one line for each series, under its name as tag: what was recorded from `started` on for `length`.
///
/// # Errors
/// Those of the file, and a name that is no tag (with a blank or a comma in it).
pub fn write<'h>(
    path: &Path,
    (started, length): (SystemTime, Duration),
    series: impl IntoIterator<Item = (impl AsRef<str>, &'h Histogram<u64>)>,
) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(cannot)?);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new();
    log.add_comment("latencies, nanoseconds").with_start_time(started);
    let mut log = log.begin_log_with(&mut file, &mut serializer).with_context(cannot)?;
    for (name, histogram) in series {
        let name = name.as_ref();
        let tag = Tag::new(name).with_context(|| format!("{name:?} is no tag")).with_context(cannot)?;
        let written = log.write_histogram(histogram, Duration::ZERO, length, Some(tag));
        written.map_err(|error| anyhow!("{error:?}")).with_context(cannot)?;
    }
    Ok(())
}
