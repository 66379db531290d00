//! `ringtrue config`: what a configuration file means, or what is wrong with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::dialplan::{Format, json};
use crate::config;
use crate::document::{Fault, Faults};
use crate::wording;

/// Check the configuration.
#[derive(Debug, clap::Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read the configuration, the dialplan and the words it names, and print what would be run with, secrets
    /// masked; or every mistake with its line and fix. Ends with 0 if there is no mistake, else
    /// with 2.
    Check(Check),
    /// Print the annotated configuration, every key with its default, to begin your own from.
    Default,
    /// Print the words of texts that come with the program, to begin your own from.
    Wording,
}

#[derive(Debug, clap::Args)]
struct Check {
    /// The file; without it that of --config, else ringtrue.toml of this folder, else the built-in
    /// defaults.
    file: Option<PathBuf>,
    /// How to write the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// End with 1 upon warnings.
    #[arg(long)]
    strict: bool,
}

const WARNED: u8 = 1;
/// How every command ends if the configuration has a fault.
pub const FAULTY: u8 = 2;

/// Runs `ringtrue config ...`; answers go to `out`. `file` is the configuration that the command
/// line names.
///
/// # Errors
/// If `out` cannot be written. What is wrong with a file is an answer, and the exit code tells.
pub fn run(
    arguments: &Config,
    file: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let asked = match &arguments.command {
        Command::Check(asked) => asked,
        Command::Default => {
            out.write_all(config::ANNOTATED.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Wording => {
            out.write_all(wording::BUILT_IN.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let read = || -> Result<(config::Config, Vec<Fault>), Faults> {
        let config = config::Config::find(asked.file.as_deref().or(file))?;
        let warnings = config.check()?.warnings;
        Ok((config, warnings))
    };
    let (config, warnings) = match read() {
        Ok(read) => read,
        Err(faults) => {
            match asked.format {
                Format::Text => writeln!(out, "{faults}")?,
                Format::Json => json(out, &serde_json::json!({"faults": faults}))?,
            }
            return Ok(FAULTY.into());
        }
    };
    match asked.format {
        Format::Text => {
            // Comments, so that what is printed is itself a configuration.
            writeln!(out, "# {}: no mistake", config.origin())?;
            for warning in &warnings {
                for line in format!("warning: {warning}").lines() {
                    writeln!(out, "# {line}")?;
                }
            }
            for section in config.shown() {
                write!(out, "\n{section}")?;
            }
        }
        Format::Json => {
            let answer = serde_json::json!({
                "file": config.file,
                "faults": [],
                "warnings": warnings,
                "config": config.shown_json(),
            });
            json(out, &answer)?;
        }
    }
    Ok(if asked.strict && !warnings.is_empty() {
        WARNED.into()
    } else {
        ExitCode::SUCCESS
    })
}
