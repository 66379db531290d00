//! The README's first command: a call and a text, seen from outside.

use std::process::Command;

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
