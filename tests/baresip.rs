//! Verifications against baresip: a phone by other authors, told by its control socket to answer
//! and to press keys.

mod peers;

use std::time::Duration;

use peers::baresip::{Baresip, Setup};
use peers::{Ringtrue, Wanted, udp_port};

const NUMBER: &str = "+447400123456";
/// Time enough for a person to press while the invitation is repeated.
const CALL: &str = "prompt_plays = 3\npause_between_plays = \"2s\"\nlisten_first = \"200ms\"";

/// baresip as the phone of [`NUMBER`], in a quiet room.
fn phone() -> Baresip {
    let media = udp_port() & !1;
    Baresip::start(Setup {
        user: NUMBER,
        account: "",
        speech: quiet(60),
        ports: media..=media.saturating_add(20),
        config: "",
        arguments: &["-v"],
    })
}

/// A Ringtrue that calls it. It names the machine's outer address in its answer and sends from the
/// loopback's, as a phone behind a router does: the trunk has to latch.
async fn caller(phone: &Baresip) -> Ringtrue {
    Ringtrue::start(Wanted {
        proxy: format!("127.0.0.1:{}", phone.port),
        trunk: "latch = true",
        call: CALL,
        rule: "",
    })
    .await
}

/// Seconds of the faintest noise.
fn quiet(seconds: u32) -> Vec<u8> {
    let mut noise = 1_u32;
    let samples: Vec<i16> = (0..seconds * 8_000)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 27) as i16 - 16
        })
        .collect();
    ringtrue::audio::wav::write(&samples)
}

/// Answers, waits until the invitation plays, presses `key`; the challenge's end and what was
/// heard.
async fn verify(key: &str) -> (String, Vec<String>, Baresip) {
    let mut phone = phone();
    let ringtrue = caller(&phone).await;
    let id = ringtrue.challenge(NUMBER).await;
    phone.event("CALL_INCOMING");
    phone.command("accept", "");
    phone.event("CALL_ESTABLISHED");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    phone.command("sndcode", key);
    let outcome = ringtrue.outcome(&id).await;
    (outcome, ringtrue.keys(&id).await, phone)
}

#[tokio::test]
async fn the_hash_key_by_rfc_4733_approves() {
    let (outcome, heard, phone) = verify("#").await;
    assert_eq!(outcome, "approved/key_pressed", "{}", phone.log());
    assert_eq!(heard, ["# rfc4733"]);
}

#[tokio::test]
async fn the_key_that_refuses_is_told() {
    let (outcome, heard, phone) = verify("0").await;
    assert_eq!(outcome, "denied/refused", "{}", phone.log());
    assert_eq!(heard, ["0 rfc4733"]);
}

#[tokio::test]
async fn hanging_up_denies_and_rejecting_fails() {
    let mut phone = phone();
    let ringtrue = caller(&phone).await;
    let id = ringtrue.challenge(NUMBER).await;
    phone.event("CALL_INCOMING");
    phone.command("accept", "");
    phone.event("CALL_ESTABLISHED");
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    phone.command("hangup", "");
    assert_eq!(ringtrue.outcome(&id).await, "denied/hung_up");

    let id = ringtrue.challenge(NUMBER).await;
    phone.event("CALL_INCOMING");
    phone.command("hangup", "");
    assert_eq!(ringtrue.outcome(&id).await, "failed/busy");
}
