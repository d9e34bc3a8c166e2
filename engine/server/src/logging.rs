//! What the server says about itself: lines on standard error, for people or as JSON, with a level that can be changed
//! while it runs.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Logging, LoggingFormat};

/// Changes the filter of a running server.
#[derive(Debug, Clone)]
pub struct Handle(reload::Handle<EnvFilter, Registry>);

impl Handle {
    /// Puts a new filter into force, in the syntax of `logging.level`.
    pub fn set_filter(&self, directives: &str) -> anyhow::Result<()> {
        Ok(self.0.reload(EnvFilter::try_new(directives)?)?)
    }
}

/// Starts logging for the whole process. Fails if it was started before.
pub fn start(logging: &Logging) -> anyhow::Result<Handle> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&logging.filter)?);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match logging.format {
        LoggingFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LoggingFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(Handle(handle))
}
