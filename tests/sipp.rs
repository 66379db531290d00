//! Whole verifications against SIPp as the called phone: HTTP in, real SIP and RTP, outcome out.
//! Each test is one scenario of `tests/sipp/`; the scenario must be satisfied too.

mod peers;

use std::time::Duration;

use peers::{Ringtrue, Sipp, Wanted};

const NUMBER: &str = "+447400123456";
/// Short enough for a test, long enough that every pause is one.
const QUICK: &str = "prompt_plays = 2\npause_between_plays = \"1s\"\nlisten_first = \"200ms\"";

/// Runs `scenario` and gives the challenge's end, after SIPp has seen its own.
async fn verify(scenario: &str, wait_ms: u64, call: &str, trunk: &str) -> String {
    run(scenario, wait_ms, call, trunk).await.0
}

/// Runs `scenario` and gives the challenge's end and the keys that were heard.
async fn run(scenario: &str, wait_ms: u64, call: &str, trunk: &str) -> (String, Vec<String>) {
    let phone = Sipp::start(scenario, Duration::from_millis(wait_ms));
    let proxy = format!("127.0.0.1:{}", phone.port);
    let ringtrue = Ringtrue::start(Wanted {
        proxy,
        trunk,
        call,
        rule: "",
    })
    .await;
    let id = ringtrue.challenge(NUMBER).await;
    let outcome = ringtrue.outcome(&id).await;
    phone.succeeds();
    assert!(
        !ringtrue.log().contains("7400123456"),
        "the number stands in the log"
    );
    (outcome, ringtrue.keys(&id).await)
}

/// The end and the keys of a call on which `#` was heard.
fn approved(source: &str) -> (String, Vec<String>) {
    ("approved/key_pressed".into(), vec![format!("# {source}")])
}

#[tokio::test]
async fn the_hash_key_by_rfc_4733_approves() {
    assert_eq!(
        run("hash-rfc4733", 1500, QUICK, "").await,
        approved("rfc4733")
    );
}

#[tokio::test]
async fn the_hash_key_by_info_approves() {
    assert_eq!(
        run("hash-info", 1500, QUICK, "").await,
        approved("sip_info")
    );
    assert_eq!(
        run("hash-info-dtmf", 1500, QUICK, "").await,
        approved("sip_info")
    );
}

#[tokio::test]
async fn the_hash_key_in_band_approves() {
    assert_eq!(
        run("hash-in-band", 1500, QUICK, "").await,
        approved("in_band")
    );
}

#[tokio::test]
async fn the_hash_key_before_the_invitation_never_approves() {
    assert_eq!(
        verify("hash-before-prompt", 0, QUICK, "").await,
        "denied/no_keys"
    );
}

#[tokio::test]
async fn only_wrong_keys_deny() {
    assert_eq!(
        verify("star-only", 1500, QUICK, "").await,
        "denied/wrong_keys"
    );
}

#[tokio::test]
async fn silence_denies() {
    assert_eq!(verify("silence", 0, QUICK, "").await, "denied/no_keys");
}

#[tokio::test]
async fn hanging_up_in_the_prompt_denies() {
    assert_eq!(verify("hang-up", 700, QUICK, "").await, "denied/hung_up");
}

#[tokio::test]
async fn every_refusal_has_its_reason() {
    for (scenario, outcome) in [
        ("busy", "failed/busy"),
        ("status-403", "failed/trunk_rejected"),
        ("status-404", "failed/no_such_number"),
        ("status-480", "failed/no_answer"),
        ("status-488", "failed/media_incompatible"),
        ("status-503", "failed/trunk_unavailable"),
        ("status-600", "failed/busy"),
        ("status-603", "failed/declined"),
        ("redirect", "failed/forwarded"),
        ("forwarded", "failed/forwarded"),
    ] {
        assert_eq!(verify(scenario, 0, QUICK, "").await, outcome, "{scenario}");
    }
}

#[tokio::test]
async fn a_phone_that_only_rings_is_given_up() {
    let call = "ring_time = \"1s\"";
    assert_eq!(verify("no-answer", 0, call, "").await, "failed/no_answer");
}

#[tokio::test]
async fn an_answer_that_crosses_the_cancel_is_hung_up_and_never_approves() {
    let call = "ring_time = \"1s\"";
    assert_eq!(
        verify("cancel-race-200", 0, call, "").await,
        "failed/no_answer"
    );
}

#[tokio::test]
async fn credentials_are_given_when_asked() {
    let trunk = "username = \"ringtrue\"\npassword = \"a secret\"";
    assert_eq!(
        verify("digest", 1500, QUICK, trunk).await,
        "approved/key_pressed"
    );
}
