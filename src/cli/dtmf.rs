//! `ringtrue dtmf`: finds keys in recordings and captures, shows why, and makes the audio of keys.

pub mod capture;
mod decode;
mod generate;
mod plot;
mod progress;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::evidence::{self, OpenEvidence};

/// Find keys in recordings and captures, show why they are keys, or make the audio of keys.
#[derive(Debug, clap::Args)]
pub struct Dtmf {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Find the keys in WAV files and pcap captures. Ends with 0 if a key was found, 1 if none
    /// was, 2 if a file could not be read.
    Decode(decode::Decode),
    /// Draw what the detector sees in a recording, its limits and its decisions, as PNG or SVG.
    Plot(plot::Plot),
    /// Open the sealed evidence of the key that approved a challenge, as WAV and JSON.
    Evidence(OpenEvidence),
    /// Make a WAV file of keys, as clean or as spoilt as you like.
    Generate(Box<generate::Generate>),
}

/// Runs `ringtrue dtmf ...`; `file` is the configuration, which evidence alone asks for. Results go to `out`, progress and complaints to standard error.
///
/// # Errors
/// If results cannot be written or options contradict each other. A file that cannot be read is
/// reported and told by the exit code.
pub fn run(
    arguments: &Dtmf,
    file: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Decode(decode) => decode::run(decode, out),
        Command::Plot(plot) => plot::run(plot, out),
        Command::Evidence(opening) => evidence::open(opening, file, out),
        Command::Generate(generate) => generate::run(generate, out),
    }
}
