//! The README's first command: a call and a text, seen from outside.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn the_demonstration_approves_by_call_and_by_text() {
    let output = Command::new(env!("CARGO_BIN_EXE_ringtrue"))
        .arg("demo")
        .output()
        .expect("ringtrue runs");
    let (out, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{log}");
    for part in [
        "─ INVITE (sdp) ─",
        "● outcome: approved (key_pressed)",
        "─ 200 OK to BYE ─",
        "was handed this text",
        "\"reason\": \"code_matched\"",
    ] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    assert!(!log.contains("ERROR"), "an orderly end is no error:\n{log}");
    // That the sandbox approves whoever asks is a warning; nothing else is.
    let mut warnings = log.lines().filter(|line| line.contains("WARN"));
    assert!(warnings.all(|line| line.contains("the sandbox")), "{log}");
    assert!(!log.contains('\x1b'), "colours in a file:\n{log}");
    assert!(
        !log.contains("7400123456"),
        "the number stands in the log:\n{log}"
    );
}

#[test]
fn an_interrupted_demonstration_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_ringtrue"))
        .args(["demo", "--channel", "sms", "--stay"])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("ringtrue runs");
    let mut lines = BufReader::new(demo.stdout.take().expect("its output")).lines();
    let serving = lines.find(|line| line.as_ref().is_ok_and(|l| l.starts_with("Serving on")));
    assert!(serving.is_some(), "it ended before");
    let store = || {
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .count()
    };
    assert_eq!(store(), 1);
    let id = Pid::from_raw(demo.id().try_into().expect("an id"));
    kill(id, Signal::SIGTERM).expect("it is there");
    assert!(demo.wait().expect("it ends").success());
    assert_eq!(store(), 0);
}
