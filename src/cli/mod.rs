//! The command line.

pub mod call;
pub mod capture;
pub mod chart;
pub mod config;
pub mod demo;
pub mod dialplan;
pub mod dtmf;
mod evidence;
pub mod key;
pub mod ladder;
mod markup;
pub mod number;
pub mod pdu;
pub mod prompts;
pub mod service;
pub mod text;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::challenge::Outcome;
use crate::config::{Config, Log, LogFormat};
use crate::store::{Metrics as StoreMetrics, Sqlite, Use};
use crate::voice::wire::Tap;
use service::Service;

/// Self-hosted phone verification.
#[derive(Debug, Parser)]
#[command(name = "ringtrue", version, about)]
pub struct Cli {
    /// The configuration file; without it `ringtrue.toml` in this folder, or the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log as JSON.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve the API and place calls, until Ctrl-C or SIGTERM.
    Serve,
    /// Show one verification with nothing but this program.
    Demo(demo::DemoArgs),
    /// Place one verification call and draw its SIP ladder.
    ///
    /// Ends with 0 if the person confirmed, else with 1 or 2.
    Call(call::CallArgs),
    /// Send one text and print its SMPP PDUs.
    Text(text::TextArgs),
    /// API keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// What is known of a number, and its erasure.
    #[command(subcommand)]
    Number(number::NumberCommand),
    /// Keys in recordings and captures; the audio of keys.
    Dtmf(dtmf::Dtmf),
    /// Recordings: check, export, convert.
    Prompts(prompts::Prompts),
    /// Rules that lead numbers to trunks: explain, check.
    Dialplan(dialplan::Dialplan),
    /// The configuration: check, default.
    Config(config::Config),
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ringtrue: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        // `ringtrue ... | head`: who reads has read enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringtrue: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, less those that it has told itself.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut text, cause| {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
        text
    })
}

/// Threads for requests, the engine and signalling: half the cores, for the store's writer and the
/// media have threads of their own, and workers without work wake each other for nothing.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let kind = match cause.downcast_ref::<serde_json::Error>() {
            // It names no source.
            Some(json) => json.io_error_kind(),
            None => cause.downcast_ref::<std::io::Error>().map(|io| io.kind()),
        };
        kind == Some(std::io::ErrorKind::BrokenPipe)
    })
}

/// To standard error, so that what a command prints can be piped. `RINGTRUE_LOG` filters instead
/// of the configuration, and `--log-json` writes JSON whatever it says.
fn start_log(log: &Log, json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("RINGTRUE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(&log.filter));
    let json = json || log.format == LogFormat::Json;
    // A journal or a file wants no colours, nor does who says so (no-color.org).
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|word| word.is_empty());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    if json { log.json().init() } else { log.init() }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let file = cli.config.as_deref();
    let mut out = std::io::stdout();
    // These tell what is wrong with a configuration, or need none.
    match &cli.command {
        Command::Config(args) => return config::run(args, file, &mut out),
        Command::Dialplan(args) => return dialplan::run(args, file, &mut out),
        Command::Prompts(args) => return prompts::run(args, &mut out),
        Command::Dtmf(args) => return dtmf::run(args, file, &mut out),
        _ => {}
    }
    let config = match Config::find(file) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return Ok(ExitCode::from(config::FAULTY));
        }
    };
    start_log(&config.log, cli.log_json);
    match cli.command {
        Command::Serve => serve(&config).await?,
        Command::Demo(args) => demo::run(args, &mut out).await?,
        Command::Call(args) => {
            let outcome = call::run(args, &config, &mut out).await?;
            if outcome != Outcome::Approved {
                return Ok(ExitCode::from(2));
            }
        }
        Command::Text(args) => return Ok(text::run(args, &config, &mut out).await?.into()),
        Command::Key(command) => key::run(command, &administer(&config)?, &mut out).await?,
        Command::Number(command) => number::run(command, &administer(&config)?, &mut out).await?,
        Command::Config(_) | Command::Dialplan(_) | Command::Prompts(_) | Command::Dtmf(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Said before why a number is never called or texted.
const GUARDED: &str = "[guard] in the configuration";

fn administer(config: &Config) -> anyhow::Result<Sqlite> {
    let metrics = StoreMetrics::default();
    Ok(Sqlite::open(
        &config.store.path,
        &config.store.key_file,
        Use::Administration,
        metrics,
    )?)
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let service = Service::start(config, Tap::default()).await?;
    interrupted().await?;
    tracing::info!("stopping");
    service.stop().await;
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let full = || io::Error::other("the disk is full");
        let plain = anyhow::Error::from(full()).context("writing a.svg");
        assert_eq!(told(&plain), "writing a.svg: the disk is full");
        #[derive(Debug, thiserror::Error)]
        #[error("a.db cannot be used: {source}")]
        struct Told {
            source: io::Error,
        }
        let told_itself = anyhow::Error::from(Told { source: full() }).context("starting");
        assert_eq!(
            told(&told_itself),
            "starting: a.db cannot be used: the disk is full"
        );
    }

    #[test]
    fn a_reader_who_has_read_enough_is_no_error() {
        struct Closed(io::ErrorKind);
        impl io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (kind, is_fine) in [
            (io::ErrorKind::BrokenPipe, true),
            (io::ErrorKind::StorageFull, false),
        ] {
            let plain = anyhow::Error::from(io::Error::from(kind)).context("while writing");
            let json = serde_json::to_writer(Closed(kind), &1).unwrap_err();
            assert_eq!(is_broken_pipe(&plain), is_fine);
            assert_eq!(is_broken_pipe(&json.into()), is_fine);
        }
    }
}
