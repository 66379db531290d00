//! `ringtrue dialplan`: which rule decides on a number, and whether the files are sound.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::Config;
use crate::dialplan::{self, Blocked, Decision, TextDecision};
use crate::document::Faults;
use crate::guard::Policy;
use crate::phone::{PhoneNumber, Region};

/// Ask and check the rules that lead numbers to trunks and binds.
#[derive(Debug, clap::Args)]
pub struct Dialplan {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say which rule decides on a number and why, and which others matched and lost. Ends with 0
    /// if the number is called or texted, 1 if it is refused by rule or [guard], 2 if it is no number
    /// or the rules are faulty.
    Explain(Explain),
    /// Read the files and tell every mistake with its line and fix. Ends with 0 if there is none,
    /// else with 2.
    Check(Check),
    /// Print the rules that come with the program, to begin your own from.
    Default,
}

#[derive(Debug, clap::Args)]
struct Explain {
    /// The number, in international form: +442079460123.
    number: String,
    /// Read the number as it is dialled in this country, as in GB.
    #[arg(long, value_name = "COUNTRY")]
    region: Option<String>,
    #[command(flatten)]
    rules: Rules,
    /// How to write the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    rules: Rules,
    /// How to write the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Rules {
    /// The folder of *.toml, for its rules alone; without it, the one that the configuration names.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// How a command answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

const REFUSED: u8 = 1;
const FAULTY: u8 = 2;

/// Runs `ringtrue dialplan ...`; answers go to `out`. `file` is the configuration that the command
/// line names.
///
/// # Errors
/// If `out` cannot be written. What is wrong with a file or number is an answer, and the exit code
/// tells.
pub fn run(
    arguments: &Dialplan,
    file: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Explain(explain) => self::explain(explain, file, out),
        Command::Check(check) => self::check(check, file, out),
        Command::Default => {
            out.write_all(dialplan::BUILT_IN.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The rules, and the guard that stands before them in the configuration that names them.
fn rules(
    rules: &Rules,
    file: Option<&Path>,
) -> Result<(dialplan::Dialplan, Option<Policy>), Faults> {
    match &rules.dir {
        Some(dir) => Ok((dialplan::Dialplan::load(dir)?, None)),
        None => {
            let config = Config::find(file)?;
            let plan = config.check()?.dialplan;
            Ok((plan, Some(config.guard)))
        }
    }
}

fn explain(asked: &Explain, file: Option<&Path>, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let number = match &asked.region {
        None => PhoneNumber::parse(&asked.number).map_err(|e| (e.code(), e.to_string())),
        Some(region) => match Region::parse(region) {
            Ok(region) => {
                PhoneNumber::parse_in(&asked.number, region).map_err(|e| (e.code(), e.to_string()))
            }
            Err(error) => Err(("unknown_region", error.to_string())),
        },
    };
    let number = match number {
        Ok(number) => number,
        Err((code, text)) => {
            match asked.format {
                Format::Text => writeln!(out, "{text}")?,
                Format::Json => json(out, &serde_json::json!({"error": code, "text": text}))?,
            }
            return Ok(FAULTY.into());
        }
    };
    let (plan, guard) = match rules(&asked.rules, file) {
        Ok(found) => found,
        Err(faults) => return faulty(&faults, asked.format, out),
    };
    let mut explanation = plan.explain(&number);
    let blocked = guard.and_then(|guard| guard.screen(&number).err());
    explanation.blocked = blocked.map(|refusal| Blocked {
        code: refusal.code(),
        text: format!("{refusal} ([guard] in the configuration)"),
    });
    match asked.format {
        Format::Text => write!(out, "{explanation}")?,
        Format::Json => json(out, &explanation)?,
    }
    if explanation.blocked.is_some() {
        return Ok(REFUSED.into());
    }
    Ok(match (explanation.decision, explanation.text) {
        (Decision::Refuse { .. }, TextDecision::Refuse { .. }) => REFUSED.into(),
        _ => ExitCode::SUCCESS,
    })
}

fn check(asked: &Check, file: Option<&Path>, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let plan = match rules(&asked.rules, file) {
        Ok((plan, _)) => plan,
        Err(faults) => return faulty(&faults, asked.format, out),
    };
    match asked.format {
        Format::Text => writeln!(out, "{} rules, no mistake", plan.rules())?,
        Format::Json => json(
            out,
            &serde_json::json!({"rules": plan.rules(), "faults": []}),
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

fn faulty(faults: &Faults, format: Format, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match format {
        Format::Text => writeln!(out, "{faults}")?,
        Format::Json => json(out, &serde_json::json!({"faults": faults}))?,
    }
    Ok(FAULTY.into())
}

pub(super) fn json(out: &mut impl Write, value: &impl serde::Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}
