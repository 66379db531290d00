//! Codes by text through the whole service: HTTP in, SMPP to message centres that others wrote,
//! the code read from what they were handed, checked, and their receipts told.

#[path = "smpp/peers.rs"]
mod centres;
mod peers;

use centres::Peer;
use serde_json::{Value, json};

use peers::{Ringtrue, Wanted, udp_port};

/// A Ringtrue whose texts go by this message centre.
async fn service(centre: &Peer, id_form: &str) -> Ringtrue {
    let call = format!(
        "[bind.carrier]\naddress = \"127.0.0.1:{}\"\nsystem_id = \"ringtrue\"\n\
         password = \"secret\"\nsender = \"Ringtrue\"\n{id_form}\n",
        centre.port
    );
    Ringtrue::start(Wanted {
        proxy: format!("127.0.0.1:{}", udp_port()),
        trunk: "",
        call: &call,
        rule: "binds = [\"carrier\"]",
    })
    .await
}

/// Begins a challenge by text; its id.
async fn begun(ringtrue: &Ringtrue, to: &str) -> String {
    let body = json!({ "to": to, "channel": "sms", "web_otp": "example.org" });
    let (status, answer) = ringtrue.post("", body).await;
    assert_eq!(status, 201, "{answer}");
    answer["id"].as_str().expect("an id").to_owned()
}

/// Another code of the same length.
fn wrong(code: &str) -> String {
    let turned = |c: char| if c == '9' { '0' } else { (c as u8 + 1) as char };
    code.chars().map(turned).collect()
}

/// The code of the WebOTP line, which is the last.
fn code_of(words: &str) -> String {
    let line = words.lines().last().expect("a last line");
    let code = line.strip_prefix("@example.org #").expect(line);
    assert!(
        code.len() == 6 && words.matches(code).count() == 2,
        "{words}"
    );
    code.to_owned()
}

async fn a_code_is_sent_reported_on_and_checked_once(
    ringtrue: &Ringtrue,
    centre: &Peer,
    words: impl Fn(&Value) -> String,
    state: &str,
) {
    let id = begun(ringtrue, "+447400123456").await;
    let seen = centre.says_of("to");
    assert_eq!(seen["to"], "447400123456");
    let code = code_of(&words(&seen));
    let challenge = ringtrue.text_is(&id, state).await;
    assert_eq!(challenge["status"], state);
    let error = challenge["text"]["carrier_error"].as_str();
    assert_eq!(error.is_some(), state == "undeliverable", "{challenge}");
    assert!(challenge["text"]["took_ms"].is_u64(), "{challenge}");

    let check = format!("/{id}/check");
    let (status, answer) = ringtrue.post(&check, json!({ "code": wrong(&code) })).await;
    assert_eq!(
        (status, &answer["attempts_left"]),
        (422, &json!(4)),
        "{answer}"
    );
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let (status, answer) = ringtrue.post(&check, json!({ "code": spaced })).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&answer["status"], &answer["reason"]),
        (&json!("approved"), &json!("code_matched"))
    );
    let (status, answer) = ringtrue.post(&check, json!({ "code": code })).await;
    assert_eq!(status, 409, "{answer}");
    assert!(
        answer["type"]
            .as_str()
            .is_some_and(|t| t.ends_with("code-spent")),
        "{answer}"
    );

    let log = ringtrue.log();
    assert!(!log.contains(&code) && !log.contains("7400123456"), "{log}");
}

#[tokio::test]
async fn by_the_message_centre_of_npm_smpp() {
    let centre = Peer::npm_centre();
    let ringtrue = service(&centre, "").await;
    let words = |seen: &Value| seen["text"].as_str().expect("words").to_owned();
    a_code_is_sent_reported_on_and_checked_once(&ringtrue, &centre, words, "delivered").await;

    // Refused: nobody has the code, and the reason is told.
    let id = begun(&ringtrue, "+447400123451").await;
    assert_eq!(ringtrue.outcome(&id).await, "failed/no_such_number");

    // Never answered: it may have arrived, so it is not sent again, and its code counts.
    let id = begun(&ringtrue, "+447400123463").await;
    let seen = centre.says_of("to");
    assert_eq!(seen["to"], "447400123451");
    let seen = centre.says_of("to");
    assert_eq!(seen["to"], "447400123463");
    let code = code_of(&words(&seen));
    let (status, answer) = ringtrue
        .post(&format!("/{id}/check"), json!({ "code": code }))
        .await;
    assert_eq!(
        (status, &answer["reason"]),
        (200, &json!("code_matched")),
        "{answer}"
    );
}

#[tokio::test]
async fn five_wrong_codes_end_it() {
    let centre = Peer::npm_centre();
    let ringtrue = service(&centre, "").await;
    let id = begun(&ringtrue, "+447400123456").await;
    let seen = centre.says_of("to");
    let code = code_of(seen["text"].as_str().expect("words"));
    let check = format!("/{id}/check");
    for left in [4, 3, 2, 1] {
        let (status, answer) = ringtrue.post(&check, json!({ "code": wrong(&code) })).await;
        assert_eq!(
            (status, &answer["attempts_left"]),
            (422, &json!(left)),
            "{answer}"
        );
    }
    for tried in [wrong(&code), code] {
        let (status, answer) = ringtrue.post(&check, json!({ "code": tried })).await;
        assert_eq!(status, 410, "{answer}");
    }
    assert_eq!(ringtrue.outcome(&id).await, "denied/too_many_attempts");
}

#[tokio::test]
async fn by_the_message_centre_of_smpp_twisted() {
    let centre = Peer::python_centre();
    let ringtrue = service(&centre, "id_form = \"hex_then_decimal\"").await;
    let words = |seen: &Value| {
        let hex = seen["hex"].as_str().expect("octets");
        let octets = hex::decode(hex).expect("hex");
        // Plain letters, digits and line ends are the same in GSM 03.38 and ASCII, but for `@`.
        let letter = |octet: u8| if octet == 0 { '@' } else { char::from(octet) };
        octets.into_iter().map(letter).collect()
    };
    // This carrier says that it will not arrive. Carriers err: the code counts all the same.
    a_code_is_sent_reported_on_and_checked_once(&ringtrue, &centre, words, "undeliverable").await;
}
