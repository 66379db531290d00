//! `[log]`: what is told of the running program, and how.

use tracing_subscriber::EnvFilter;

use super::show::Shown;
use crate::document::Section;

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// One line of text or one of JSON for each event.
    pub format: LogFormat,
    /// Which events, in the language of `tracing_subscriber::EnvFilter`: `info`,
    /// `warn,ringtrue::sip=debug`.
    pub filter: String,
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

pub(super) fn read(section: &Section<'_>) -> Log {
    let default = Log::default();
    let format = |text: &str| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    };
    let filter = |text: &str| {
        let fits =
            !text.trim().is_empty() && text.len() <= 1024 && EnvFilter::try_new(text).is_ok();
        fits.then(|| text.to_owned())
    };
    Log {
        format: section
            .read("format", "\"text\" or \"json\"", format)
            .map_or(default.format, |at| at.value),
        filter: section
            .read(
                "filter",
                "a level in quotes, \"error\", \"warn\", \"info\", \"debug\" or \"trace\", and \
                 others for parts of the program if you like, as in \"info,ringtrue::sip=debug\"",
                filter,
            )
            .map_or(default.filter, |at| at.value),
    }
}

pub(super) fn show(log: &Log) -> Shown {
    let format = match log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    Shown::new("log")
        .with("format", format)
        .with("filter", log.filter.as_str())
}
