//! Calls that a machine answers, and the evidence of a key, from end to end over the sandbox phone.

use std::fs;

use clap::Parser;
use ringtrue::challenge::{Outcome, Reason};
use ringtrue::cli::call::{self, CallArgs};
use ringtrue::cli::dtmf::{self, Dtmf};
use ringtrue::config::Config;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Parser)]
struct DtmfLine {
    #[command(flatten)]
    dtmf: Dtmf,
}

/// Calls a number of the sandbox phone under this `[call]`; the outcome and what was shown.
async fn call(folder: &tempfile::TempDir, section: &str, number: &str) -> (Outcome, String) {
    let path = folder.path().join("ringtrue.toml");
    let text = format!("[media]\nports = \"26000-26199\"\n[call]\n{section}\n");
    fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap();
    let line = Line::try_parse_from(["call", number]).unwrap();
    let mut out = Vec::new();
    let outcome = call::run(line.call, &config, &mut out).await.unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_machine_is_told_and_the_policy_decides() {
    let folder = tempfile::tempdir().unwrap();
    for (number, by, reason) in [
        ("+447400123413", "fax", Reason::AnsweredByFax),
        ("+447400123415", "announcement", Reason::Announcement),
        ("+447400123414", "recording", Reason::AnsweredByMachine),
    ] {
        let (outcome, shown) = call(&folder, "machine = \"hang_up\"", number).await;
        assert_eq!(outcome, Outcome::Failed, "{shown}");
        for words in [format!("answered by: {by}"), reason.name().to_string()] {
            assert!(shown.contains(&words), "{words} in {shown}");
        }
    }
}

#[tokio::test]
async fn the_approving_key_leaves_evidence_that_can_be_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let section = "keep_evidence = \"30d\"\nevidence_dir = \"kept\"";
    let (outcome, shown) = call(&folder, section, "+447400123409").await;
    assert_eq!(outcome, Outcome::Approved, "{shown}");
    let kept = folder.path().join("kept");
    // The disk may be a little later than the call.
    for _ in 0..500 {
        if fs::read_dir(&kept).unwrap().count() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let words = ["dtmf", "decode", kept.to_str().unwrap(), "--format", "tsv"];
    let line = DtmfLine::try_parse_from(words).unwrap();
    let mut out = Vec::new();
    dtmf::run(&line.dtmf, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.trim_end().ends_with("\t#"), "{out}");
}
