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
    assert!(
        !log.contains("7400123456"),
        "the number stands in the log:\n{log}"
    );
}
