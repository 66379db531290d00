//! The command line.

pub mod call;
pub mod capture;
pub mod demo;
pub mod dtmf;
pub mod key;
pub mod ladder;
pub mod number;
pub mod prompts;
pub mod service;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::challenge::Outcome;
use crate::config::Config;
use crate::dialplan::Dialplan;
use crate::phone::PhoneNumber;
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
    Call(call::CallArgs),
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
    /// Dialplans.
    #[command(subcommand)]
    Dialplan(DialplanCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, clap::Subcommand)]
enum DialplanCommand {
    /// Say which rule a number meets, and why.
    Explain {
        /// The number, in E.164.
        #[arg(value_parser = PhoneNumber::parse)]
        number: PhoneNumber,
    },
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Read the configuration, its dialplans too, and print what it says; secrets are left out.
    Check,
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.log_json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ringtrue: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ringtrue: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// To standard error, so that what a command prints can be piped. `RINGTRUE_LOG` filters.
fn start_log(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("RINGTRUE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if json { log.json().init() } else { log.init() }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = read(cli.config.as_deref())?;
    let mut out = std::io::stdout();
    match cli.command {
        Command::Serve => serve(&config).await?,
        Command::Demo(args) => demo::run(args, &mut out).await?,
        Command::Call(args) => {
            let outcome = call::run(args, &config, &mut out).await?;
            if outcome != Outcome::Approved {
                return Ok(ExitCode::from(2));
            }
        }
        Command::Key(command) => key::run(command, &administer(&config)?, &mut out).await?,
        Command::Number(command) => number::run(command, &administer(&config)?, &mut out).await?,
        Command::Prompts(args) => return prompts::run(&args, &mut out),
        Command::Dtmf(args) => return dtmf::run(&args, &mut out),
        Command::Dialplan(DialplanCommand::Explain { number }) => {
            return explain(&plan(&config)?, &number, &mut out);
        }
        Command::Config(ConfigCommand::Check) => {
            let plan = plan(&config)?;
            let trunks: Vec<&str> = plan.trunks().collect();
            for trunk in trunks {
                let sandbox = config.trunk.is_empty() && trunk == service::SANDBOX;
                if !sandbox && !config.trunk.contains_key(trunk) {
                    anyhow::bail!("the dialplan names trunk `{trunk}`, which is not configured");
                }
            }
            writeln!(out, "{config:#?}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: Option<&Path>) -> anyhow::Result<Config> {
    let usual = Path::new("ringtrue.toml");
    Ok(match path {
        Some(path) => Config::load(path)?,
        None if usual.exists() => Config::load(usual)?,
        None => Config::default(),
    })
}

fn plan(config: &Config) -> anyhow::Result<Dialplan> {
    match &config.dialplan.dir {
        Some(dir) => Ok(Dialplan::load(dir)?),
        None => service::sandbox_plan(),
    }
}

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
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    service.stop().await;
    Ok(())
}

fn explain(
    plan: &Dialplan,
    number: &PhoneNumber,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let why = plan.explain(number);
    writeln!(out, "{} is {:?}", number.masked(), number.kind())?;
    match &why.winner {
        Some(rule) => writeln!(
            out,
            "won:  {rule}\n      the longest prefix that fits, kinds before none"
        )?,
        None => writeln!(out, "no rule fits")?,
    }
    for rule in &why.losers {
        writeln!(out, "lost: {rule}")?;
    }
    match why.outcome {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(refusal) => {
            writeln!(out, "refused ({}): {refusal}", refusal.code())?;
            Ok(ExitCode::from(2))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_plan_is_sound_and_speaks_the_language_of_the_country() {
        let plan = service::sandbox_plan().expect("sound");
        for (number, locale) in [("+447400123456", "en-GB"), ("+33142685300", "fr-FR")] {
            let number = PhoneNumber::parse(number).expect("a number");
            assert_eq!(&*plan.route(&number).expect("a route").locale, locale);
        }
    }
}
