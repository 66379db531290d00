//! Receipts that a provider posts back, through the whole service: a provider over real sockets
//! takes the text and names it, posts its receipts, proven or not, and the API tells.

mod peers;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use peers::{Ringtrue, Wanted, udp_port};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

type Seen = Arc<Mutex<Vec<Value>>>;

/// A provider that takes every text, and names it `Msg-1`, `Msg-2` and so on.
async fn provider() -> (String, Seen) {
    let seen = Seen::default();
    let answer = |State(seen): State<Seen>, body: Bytes| async move {
        let mut seen = seen.lock().expect("no panic");
        seen.push(serde_json::from_slice(&body).expect("JSON"));
        format!(r#"{{"messages":[{{"id":"Msg-{}"}}]}}"#, seen.len())
    };
    let router = Router::new()
        .route("/send", post(answer))
        .with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/send"), seen)
}

const PROVIDER: &str = "json = '{\"to\":\"${to}\",\"text\":\"${words}\"}'\n\
                        id_pointer = '/messages/0/id'\nsender = 'Ringtrue'\n";
const FORM: &str = "application/x-www-form-urlencoded";
const SECRET: &str = "a-secret-of-the-provider";

struct House {
    ringtrue: Ringtrue,
    client: reqwest::Client,
}

impl House {
    async fn new(url: &str, receipts: &str) -> House {
        let call = format!("[text_gateway.web]\nurl = '{url}'\n{PROVIDER}{receipts}\n");
        let ringtrue = Ringtrue::start(Wanted {
            proxy: format!("127.0.0.1:{}", udp_port()),
            trunk: "",
            call: &call,
            rule: "binds = [\"web\"]",
        });
        let ringtrue = ringtrue.await;
        let client = ringtrue.client.clone();
        House { ringtrue, client }
    }

    async fn texted(&self, to: &str) -> String {
        let body = json!({ "to": to, "channel": "sms", "web_otp": "example.org" });
        let (status, answer) = self.ringtrue.post("", body).await;
        assert_eq!(status, 201, "{answer}");
        let id = answer["id"].as_str().expect("an id").to_owned();
        self.ringtrue.text_is(&id, "sent").await;
        id
    }

    fn receipts(&self, path: &str) -> reqwest::RequestBuilder {
        let base = &self.ringtrue.base;
        self.client.post(format!("{base}/v1/receipts/{path}"))
    }

    /// Posts a list of receipts in JSON, signed or not; the status, and the problem if it is one.
    async fn posted(&self, body: &str, signature: Option<&str>) -> (u16, Value) {
        let mut request = self
            .receipts("web")
            .header("content-type", "application/json")
            .body(body.to_owned());
        if let Some(signature) = signature {
            request = request.header("x-signature", signature);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

fn signed(body: &str) -> String {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).expect("a key");
    let mac = mac.chain_update(body.as_bytes()).finalize();
    format!("sha256={}", hex::encode(mac.into_bytes()))
}

#[tokio::test]
async fn signed_receipts_in_json_are_joined_and_others_refused() {
    let (url, seen) = provider().await;
    let mut house = House::new(
        &url,
        "receipt_auth = 'hmac'\nreceipt_auth_name = 'X-Signature'\n\
         receipt_secret = 'a-secret-of-the-provider'\nreceipt_list = '/results'\n\
         receipt_id = '/messageId'\nreceipt_status = '/status/name'\nreceipt_error = '/error/code'\n\
         receipt_delivered = ['DELIVERED_TO_HANDSET']\nreceipt_undeliverable = ['UNDELIVERABLE', 'EXPIRED']\n\
         receipt_accepted = 'PENDING'\n",
    )
    .await;
    let first = house.texted("+447400123401").await;
    let second = house.texted("+447400123402").await;
    let third = house.texted("+447400123403").await;
    assert_eq!(seen.lock().expect("no panic").len(), 3);

    let one = |id: &str, status: &str| {
        json!({ "results": [{ "messageId": id, "status": { "name": status }, "error": { "code": 27 } }] })
            .to_string()
    };
    // Nobody else says what became of a text.
    let body = one("Msg-1", "DELIVERED_TO_HANDSET");
    let other = signed(&one("Msg-1", "UNDELIVERABLE"));
    for signature in [None, Some(""), Some("sha256=00"), Some(&*other)] {
        let (status, problem) = house.posted(&body, signature).await;
        assert_eq!(
            (status, &problem["type"]),
            (401, &json!("/problems/unauthorized"))
        );
    }
    let (status, _) = house
        .posted(
            &one("Msg-1", "PENDING"),
            Some(&signed(&one("Msg-1", "PENDING"))),
        )
        .await;
    assert_eq!(status, 204);
    house.ringtrue.text_is(&first, "accepted").await;
    // Several at once, with one that nobody knows and one that says nothing.
    let many = json!({ "results": [
        { "messageId": "Msg-1", "status": { "name": "delivered_to_handset" } },
        { "messageId": "Msg-2", "status": { "name": "EXPIRED" }, "error": { "code": 27 } },
        { "messageId": "Msg-99", "status": { "name": "EXPIRED" } },
        { "messageId": "Msg-3", "status": { "name": "WHATEVER" } },
    ]})
    .to_string();
    assert_eq!(house.posted(&many, Some(&signed(&many))).await.0, 204);
    let challenge = house.ringtrue.text_is(&first, "delivered").await;
    assert_eq!(challenge["status"], "delivered");
    let challenge = house.ringtrue.text_is(&second, "undeliverable").await;
    assert_eq!(challenge["text"]["carrier_error"], "UNDELIV err:27");
    assert_eq!(house.ringtrue.get(&third).await["text"]["state"], "sent");

    // Bad bodies are told apart, and nothing of them is repeated.
    for (body, status, kind) in [
        ("{", 400, "malformed-body"),
        (r#"{"result":[]}"#, 422, "invalid-request"),
        (
            r#"{"results":[{"messageId":"+447400123401"}]}"#,
            422,
            "invalid-request",
        ),
    ] {
        let (got, problem) = house.posted(body, Some(&signed(body))).await;
        assert_eq!(got, status, "{problem}");
        assert_eq!(problem["type"], json!(format!("/problems/{kind}")));
        assert!(!problem.to_string().contains("7400123401"), "{problem}");
    }
    let huge = format!("{{\"results\":[],\"x\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(house.posted(&huge, Some(&signed(&huge))).await.0, 413);
    let body = "messageId=Msg-3";
    let form = house
        .receipts("web")
        .header("content-type", FORM)
        .body(body);
    let answer = form
        .header("x-signature", signed(body))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 415);
    for (path, status) in [("nobody", 404), ("web/x", 404)] {
        let answer = house
            .receipts(path)
            .body("{}")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
    }
    let base = &house.ringtrue.base;
    let got = house
        .client
        .get(format!("{base}/v1/receipts/web"))
        .send()
        .await;
    assert_eq!(got.expect("an answer").status(), 405);

    // The next process knows the text too.
    house.ringtrue.kill();
    house.ringtrue.restart().await;
    let body = one("Msg-3", "DELIVERED_TO_HANDSET");
    assert_eq!(house.posted(&body, Some(&signed(&body))).await.0, 204);
    let challenge = house.ringtrue.get(&third).await;
    assert_eq!(challenge["text"]["state"], "delivered", "{challenge}");
    let log = house.ringtrue.log();
    assert!(
        !log.contains(SECRET) && !log.contains("7400123403"),
        "{log}"
    );
}

#[tokio::test]
async fn forms_and_the_other_proofs() {
    for (auth, name, good, bad) in [
        (
            "bearer",
            "",
            (
                "web",
                Some(("authorization", "Bearer a-secret-of-the-provider")),
            ),
            ("web", Some(("authorization", "Bearer a-secret"))),
        ),
        (
            "header",
            "receipt_auth_name = 'X-Token'\n",
            ("web", Some(("x-token", SECRET))),
            ("web", Some(("x-token", "a"))),
        ),
        (
            "query",
            "receipt_auth_name = 'key'\n",
            ("web?key=a-secret-of-the-provider", None),
            ("web?key=b", None),
        ),
    ] {
        let (url, _) = provider().await;
        let house = House::new(
            &url,
            &format!(
                "receipt_auth = '{auth}'\n{name}receipt_secret = '{SECRET}'\n\
                 receipt_id = 'MessageSid'\nreceipt_status = 'MessageStatus'\n\
                 receipt_delivered = 'delivered'\nreceipt_unknown = 'lost'\n"
            ),
        )
        .await;
        let id = house.texted("+447400123404").await;
        let post = async |(path, header): (&str, Option<(&str, &str)>), status: &str| {
            let form = format!("MessageSid=Msg-1&MessageStatus={status}");
            let mut request = house.receipts(path).header("content-type", FORM).body(form);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            request.send().await.expect("an answer").status().as_u16()
        };
        assert_eq!(post(bad, "delivered").await, 401, "{auth}");
        assert_eq!(post(("web", None), "delivered").await, 401, "{auth}");
        assert_eq!(post(good, "lost").await, 204, "{auth}");
        let challenge = house.ringtrue.text_is(&id, "unknown").await;
        assert_eq!(challenge["status"], "sent", "{challenge}");
        assert_eq!(post(good, "delivered").await, 204, "{auth}");
        house.ringtrue.text_is(&id, "delivered").await;
        assert!(!house.ringtrue.log().contains(SECRET));
    }
}
