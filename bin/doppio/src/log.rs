//! What is logged, and how: the same for every role.

use crate::output::CommandError;
use std::{io::IsTerminal, sync::Arc};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Reads a format by one of the op-stack's names.
    pub(crate) fn parse(name: &str) -> Result<Self, &'static str> {
        match name {
            "text" | "terminal" | "logfmt" | "logfmtms" => Ok(Self::Text),
            "json" | "jsonms" => Ok(Self::Json),
            _ => Err("take one of text, terminal, logfmt, json"),
        }
    }
}

/// Changes what is logged; in words, why that cannot be.
pub(crate) type SetLog = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// A level as the op-stack names it, or directives.
fn filter(text: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let lower = text.to_ascii_lowercase();
    let text = match &*lower {
        "crit" => "error",
        "eror" => "error",
        "trce" => "trace",
        "dbug" => "debug",
        _ => text,
    };
    EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(text)
}

/// Begins to log to stderr. Colours by themselves only where it is a terminal.
pub(crate) fn start(
    level: &str,
    format: LogFormat,
    color: Option<bool>,
) -> Result<SetLog, CommandError> {
    let color = color.unwrap_or_else(|| std::io::stderr().is_terminal());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(color).boxed(),
        LogFormat::Json => lines.json().with_ansi(false).boxed(),
    };
    let (filters, handle) = reload::Layer::new(filter(level)?);
    tracing_subscriber::registry()
        .with(filters)
        .with(lines)
        .init();
    Ok(Arc::new(move |level| {
        let filter = filter(level).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    }))
}
