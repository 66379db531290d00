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
    let sealed = || {
        let all = fs::read_dir(&kept).unwrap().flatten();
        all.map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|ending| ending == "sealed"))
    };
    // The disk may be a little later than the call.
    for _ in 0..500 {
        if sealed().is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let sealed = sealed().unwrap();
    let challenge = sealed.file_stem().unwrap().to_str().unwrap().to_string();
    let octets = fs::read(&sealed).unwrap();
    for word in [&b"RIFF"[..], b"high_hz", challenge.as_bytes()] {
        assert!(!octets.windows(word.len()).any(|part| part == word));
    }
    let config = folder.path().join("ringtrue.toml");
    let dtmf = |words: &[&str]| {
        let line = DtmfLine::try_parse_from([&["dtmf"], words].concat()).unwrap();
        let mut out = Vec::new();
        let code = dtmf::run(&line.dtmf, Some(&config), &mut out);
        code.map(|_| String::from_utf8(out).unwrap())
    };
    let opened = folder.path().join("opened");
    let opened = opened.to_str().unwrap();
    let out = dtmf(&["evidence", &challenge, "--out", opened]).unwrap();
    assert_eq!(out.lines().count(), 2, "{out}");
    let facts = fs::read(format!("{opened}/{challenge}.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_slice(&facts).unwrap();
    assert_eq!(facts["key"], "#");
    assert_eq!(facts["challenge"], challenge);
    let out = dtmf(&["decode", opened, "--format", "tsv"]).unwrap();
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.trim_end().ends_with("\t#"), "{out}");
    let fault = |words: &[&str]| format!("{:#}", dtmf(words).unwrap_err());
    // What is there already is not written over.
    let again = fault(&["evidence", &challenge, "--out", opened]);
    assert!(again.contains("cannot write"), "{again}");
    // One octet changed, or the file of another challenge.
    let other = uuid::Uuid::now_v7().to_string();
    let moved = kept.join(format!("{other}.sealed"));
    fs::write(&moved, &octets).unwrap();
    let mut changed = octets;
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&sealed, changed).unwrap();
    for words in [&challenge, &other, moved.to_str().unwrap()] {
        let fault = fault(&["evidence", words, "--out", opened]);
        assert!(fault.contains("does not open with the key"), "{fault}");
    }
    let none = fault(&["evidence", &uuid::Uuid::nil().to_string()]);
    assert!(none.contains("there is no evidence of"), "{none}");
    let neither = fault(&["evidence", "somewhere.wav"]);
    assert!(neither.contains("neither a challenge's id"), "{neither}");
}
