//! `ringtrue call`: one verification from the command line against SIPp, its ladder, its capture
//! and its picture.

mod peers;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use peers::{Sipp, short_prompts};

const NUMBER: &str = "+447400123456";

/// Runs `ringtrue call` against `scenario`; files go to `folder`.
fn call(scenario: &str, folder: &TempDir) -> Output {
    let (phone, mut ringtrue) = against(scenario, folder);
    let output = ringtrue.output().expect("ringtrue runs");
    phone.succeeds();
    output
}

/// The phone, and the command that calls it.
fn against(scenario: &str, folder: &TempDir) -> (Sipp, Command) {
    let phone = Sipp::start(scenario, Duration::from_millis(1_500));
    let at = folder.path();
    short_prompts(&at.join("prompts/en-GB"));
    fs::create_dir(at.join("rules")).expect("a folder");
    let rule = "[[rule]]\nprefix = \"+\"\ntrunk = \"peer\"\nlocale = \"en-GB\"\n";
    fs::write(at.join("rules/all.toml"), rule).expect("a rule");
    let config = format!(
        "[sip]\nbind = \"127.0.0.1:0\"\n[media]\nbind = \"127.0.0.1\"\nports = \"23000-23098\"\n\
         [prompts]\ndir = \"{0}/prompts\"\n[dialplan]\ndir = \"{0}/rules\"\n\
         [trunk.peer]\nproxy = \"127.0.0.1:{1}\"\nmax_calls = 10\n\
         [call]\nprompt_plays = 2\npause_between_plays = \"1s\"\nlisten_first = \"200ms\"\n",
        at.display(),
        phone.port
    );
    fs::write(at.join("ringtrue.toml"), config).expect("a configuration");
    let mut ringtrue = Command::new(env!("CARGO_BIN_EXE_ringtrue"));
    ringtrue
        .current_dir(at)
        .args(["call", NUMBER, "--pcap", "call.pcap", "--svg", "call.svg"]);
    (phone, ringtrue)
}

/// Whoever loses patience leaves no phone that rings, nor a person on a dead line.
#[test]
fn an_interrupted_call_is_taken_back() {
    for (scenario, seen, farewell) in [
        ("no-answer", "180 Ringing", "─ CANCEL ─"),
        ("silence", "─ ACK ─", "─ BYE ─"),
    ] {
        let folder = TempDir::new().expect("a folder");
        let (phone, mut ringtrue) = against(scenario, &folder);
        let mut ringtrue = ringtrue.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut lines = BufReader::new(ringtrue.stdout.take().expect("its output")).lines();
        let there = lines.find(|line| line.as_ref().is_ok_and(|l| l.contains(seen)));
        assert!(there.is_some(), "{scenario}: no {seen}");
        let id = Pid::from_raw(ringtrue.id().try_into().expect("an id"));
        kill(id, Signal::SIGTERM).expect("it is there");
        let ladder: Vec<String> = lines.map_while(Result::ok).collect();
        let ladder = ladder.join("\n");
        assert!(ladder.contains(farewell), "{scenario}:\n{ladder}");
        assert!(ladder.contains("● stopped"), "{ladder}");
        assert_eq!(ringtrue.wait().expect("it ends").code(), Some(2));
        // The scenario ends well with the CANCEL or BYE alone.
        phone.succeeds();
        assert!(folder.path().join("call.svg").exists());
    }
}

#[test]
fn an_approval_is_drawn_captured_and_heard_again() {
    let folder = TempDir::new().expect("a folder");
    let output = call("hash-rfc4733", &folder);
    let ladder = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for line in [
        "─ INVITE (sdp) ─",
        "─ 180 Ringing ─",
        "─ 200 OK (sdp) ─",
        "─ ACK ─",
        "● # heard by RFC 4733",
        "● Approved: key_pressed",
        "─ BYE ─",
        "─ 200 OK to BYE ─",
    ] {
        assert!(ladder.contains(line), "{line} is missing:\n{ladder}");
    }
    let shown = [&output.stdout[..], &output.stderr[..]].concat();
    let shown = String::from_utf8_lossy(&shown);
    assert!(!shown.contains("7400123456"), "{shown}");

    let svg = fs::read_to_string(folder.path().join("call.svg")).expect("a picture");
    assert!(svg.contains("INVITE (sdp)") && svg.contains("Approved: key_pressed"));
    assert!(!svg.contains("7400123456"));

    let decoded = Command::new(env!("CARGO_BIN_EXE_ringtrue"))
        .current_dir(folder.path())
        .args(["dtmf", "decode", "--format", "tsv", "call.pcap"])
        .output()
        .expect("ringtrue runs");
    let keys = String::from_utf8_lossy(&decoded.stdout);
    let keys: Vec<&str> = keys
        .lines()
        .filter_map(|line| line.split('\t').nth(3))
        .collect();
    assert_eq!(keys, ["#"], "{decoded:?}");
}

#[test]
fn a_refusal_is_the_exit_code() {
    let folder = TempDir::new().expect("a folder");
    let begun = Instant::now();
    let output = call("busy", &folder);
    // Nothing follows the ACK, and nothing is waited for.
    assert!(begun.elapsed() < Duration::from_secs(8));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let ladder = String::from_utf8_lossy(&output.stdout);
    assert!(ladder.contains("● Failed: busy"), "{ladder}");
}

/// The ladder cannot be written any more, and nobody is left on a dead line.
#[test]
fn a_closed_pipe_takes_the_call_back() {
    let folder = TempDir::new().expect("a folder");
    let (phone, mut ringtrue) = against("hash-rfc4733", &folder);
    let mut ringtrue = ringtrue.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(ringtrue.stdout.take().expect("its output")).lines();
    let there = lines.find(|line| line.as_ref().is_ok_and(|l| l.contains("─ ACK ─")));
    assert!(there.is_some());
    drop(lines);
    assert!(ringtrue.wait().expect("it ends").success());
    // The scenario ends well with the BYE alone.
    phone.succeeds();
}

/// Runs a command that fails before anybody is called; what it says.
fn refused(args: &[&str]) -> String {
    let folder = TempDir::new().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_ringtrue"))
        .current_dir(folder.path())
        .args(args)
        .output()
        .expect("ringtrue runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_capture_that_cannot_be_written_is_named() {
    let told = refused(&["call", NUMBER, "--pcap", "none/call.pcap"]);
    assert!(
        told.contains("writing none/call.pcap: No such file"),
        "{told}"
    );
}

/// Blocked numbers cost money and trust: no command calls or texts them.
#[test]
fn what_the_guard_blocks_is_neither_called_nor_texted() {
    for command in ["call", "text"] {
        let told = refused(&[command, "+449091234567"]);
        assert!(
            told.contains("[guard] in the configuration: numbers of this kind are not called"),
            "{told}"
        );
    }
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{} config default | head -n 1",
            env!("CARGO_BIN_EXE_ringtrue")
        ))
        .output()
        .expect("a shell");
    assert!(output.stderr.is_empty(), "{output:?}");
}
