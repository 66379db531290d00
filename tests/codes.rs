//! One-time codes over HTTP: a client on a real socket, the engine and the store behind it, and
//! gateways that the test plays.

mod answers;
mod carrier;
mod gateway;
mod http;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use answers::{NUMBER, SECRET_DIGITS, key_for, problem, read};
use carrier::{Carrier, another, code_of, sent};
use gateway::Gateway;
use prometheus_client::registry::Registry;
use reqwest::header::{CACHE_CONTROL, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use ringtrue::api::{self, Kind, Limits};
use ringtrue::engine::{Engine, EngineConfig, VoiceGateway};
use ringtrue::sms::dispatch::{Dispatch, News};
use ringtrue::store::{self, Sqlite, Store, Use};
use ringtrue::wording::Wording;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;
use uuid::Uuid;

struct House {
    client: Client,
    address: SocketAddr,
    token: String,
    gateway: Gateway,
    carrier: Carrier,
    store: Arc<Sqlite>,
    _stop: oneshot::Sender<()>,
    _directory: TempDir,
}

async fn house() -> House {
    let mut config = EngineConfig::default();
    config.text.resend_after = Duration::from_secs(3);
    config.text.resends = 1;
    house_with(config).await
}

async fn house_with(config: EngineConfig) -> House {
    let directory = tempfile::tempdir().expect("a directory");
    let mut registry = Registry::with_prefix("ringtrue");
    let path = directory.path().join("ringtrue.db");
    let key = directory.path().join("key");
    let metrics = store::Metrics::register(&mut registry);
    let store = Arc::new(Sqlite::open(&path, &key, Use::Engine, metrics).expect("opens"));
    let (gateway, commands, reports) = Gateway::new(64);
    let plan = gateway::plan();
    let (carrier, texts) = Carrier::new(&plan);
    let metrics = ringtrue::engine::Metrics::register(&mut registry);
    let engine = Engine::start(
        config,
        Arc::clone(&store) as Arc<dyn Store>,
        Arc::new(plan),
        gateway::guard(),
        (VoiceGateway { commands, reports }, Some(texts)),
        metrics,
    );
    let engine = engine.await.expect("starts");
    let metrics = api::Metrics::register(&mut registry);
    let router = api::router(
        engine,
        Arc::new(registry),
        metrics.clone(),
        Default::default(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let limits = Limits::default();
    tokio::spawn(api::serve(listener, router, metrics, limits, async {
        let _ = stopped.await;
    }));
    let token = key_for(&*store, "default").await;
    House {
        client: http::client(),
        address,
        token,
        gateway,
        carrier,
        store,
        _stop: stop,
        _directory: directory,
    }
}

impl House {
    async fn get(&self, path: &str) -> Response {
        let asked = self.client.get(format!("http://{}{path}", self.address));
        let asked = asked.bearer_auth(&self.token).send();
        asked.await.expect("an answer")
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        self.post_as(&self.token, path, body).await
    }

    async fn post_as(&self, token: &str, path: &str, body: Value) -> Response {
        let asked = self.client.post(format!("http://{}{path}", self.address));
        let asked = asked.bearer_auth(token).json(&body).send();
        asked.await.expect("an answer")
    }

    async fn begun(&mut self, body: Value) -> (String, Dispatch) {
        let answer = self.post("/v1/challenges", body).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let id = read(answer).await["id"].as_str().expect("an id").to_owned();
        let dispatch = self.carrier.dispatched().await;
        (format!("/v1/challenges/{id}"), dispatch)
    }

    /// Begins a challenge by text and has the carrier take it: its path and code.
    async fn texted(&mut self) -> (String, String) {
        let (path, dispatch) = self.begun(sms()).await;
        self.carrier.tell(dispatch.text, sent()).await;
        self.comes_to(&path, "sent").await;
        (path, code_of(&dispatch))
    }

    async fn comes_to(&self, path: &str, status: &str) -> Value {
        for _ in 0..1000 {
            let shown = read(self.get(path).await).await;
            if shown["status"] == status {
                return shown;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("never {status}");
    }

    async fn check(&self, path: &str, code: &str) -> Response {
        self.post(&format!("{path}/check"), json!({ "code": code }))
            .await
    }
}

fn sms() -> Value {
    json!({ "to": NUMBER, "channel": "sms" })
}

#[tokio::test]
async fn a_code_is_texted_entered_and_approved_once() {
    let mut house = house().await;
    let (path, dispatch) = house
        .begun(
            json!({ "to": NUMBER, "channel": "sms", "code_length": 8, "web_otp": "example.org",
            "purpose": "enrolment", "locale": "it-CH", "subject": "jane" }),
        )
        .await;
    let right = code_of(&dispatch);
    assert_eq!(right.len(), 8);
    assert!(dispatch.body.ends_with(&format!("\n@example.org #{right}")));
    let shown = read(house.get(&path).await).await;
    assert_eq!(
        (&shown["channel"], &shown["purpose"], &shown["locale"]),
        (&json!("sms"), &json!("enrolment"), &json!("it-IT"))
    );
    assert_eq!(shown["attempts_left"], 5);
    let queued = json!({ "state": "queued", "sent_at": null, "delivered_at": null,
        "took_ms": null, "carrier_error": null, "messages": null, "resends": 0 });
    assert_eq!(shown["text"], queued);
    assert!(!shown.to_string().contains(&right));

    house.carrier.tell(dispatch.text, sent()).await;
    house.comes_to(&path, "sent").await;
    let after = Duration::from_millis(2500);
    house
        .carrier
        .tell(dispatch.text, News::Delivered { after })
        .await;
    let shown = house.comes_to(&path, "delivered").await;
    assert_eq!(
        (&shown["text"]["took_ms"], &shown["text"]["messages"]),
        (&json!(2500), &json!(1))
    );
    assert!(shown["text"]["sent_at"].is_string() && shown["text"]["delivered_at"].is_string());

    let wrong = house.check(&path, &another(&right, 0)).await;
    assert_eq!(problem(wrong, Kind::WrongCode).await.0["attempts_left"], 4);
    let spaced = format!(" {} - {} ", &right[..4], &right[4..]);
    let answer = house.check(&path, &spaced).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    let approved = read(answer).await;
    assert_eq!(
        (&approved["status"], &approved["reason"]),
        (&json!("approved"), &json!("code_matched"))
    );
    let spent = house.check(&path, &right).await;
    let spent = problem(spent, Kind::CodeSpent).await.0;
    assert!(
        !spent.to_string().contains("approved\""),
        "no status to mistake: {spent}"
    );

    let events = house
        .get(&format!("{path}/events"))
        .await
        .text()
        .await
        .expect("events");
    let events: Vec<Value> = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect();
    let names: Vec<&str> = events.iter().flat_map(|e| e["event"].as_str()).collect();
    assert_eq!(
        names,
        ["queued", "sent", "delivered", "wrong_code", "approved"]
    );
    assert_eq!(
        (&events[1]["messages"], &events[1]["text"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(events[2]["took_ms"], 2500);
    assert_eq!(events[3]["attempts_left"], 4);
}

#[tokio::test]
async fn the_fifth_wrong_code_is_the_last() {
    let mut house = house().await;
    let (path, right) = house.texted().await;
    for left in (1..=4).rev() {
        // Nonsense between costs nothing.
        for nonsense in ["12345x", "", "1", "12345678901"] {
            problem(house.check(&path, nonsense).await, Kind::MalformedCode).await;
        }
        let wrong = house.check(&path, &another(&right, left)).await;
        assert_eq!(
            problem(wrong, Kind::WrongCode).await.0["attempts_left"],
            left
        );
    }
    for code in [another(&right, 5), right] {
        problem(house.check(&path, &code).await, Kind::TooManyAttempts).await;
    }
    let shown = read(house.get(&path).await).await;
    assert_eq!(
        (&shown["status"], &shown["reason"], &shown["attempts_left"]),
        (&json!("denied"), &json!("too_many_attempts"), &json!(0))
    );
    let resent = house.post(&format!("{path}/resend"), json!({})).await;
    problem(resent, Kind::TooManyAttempts).await;
}

#[tokio::test]
async fn every_mistake_with_a_code_is_a_problem_of_its_own() {
    let mut house = house().await;
    let (path, right) = house.texted().await;
    let check = format!("{path}/check");
    problem(house.post(&check, json!({})).await, Kind::InvalidRequest).await;
    problem(
        house.post(&check, json!({ "code": 123456 })).await,
        Kind::InvalidRequest,
    )
    .await;
    problem(
        house.post(&check, json!(["123456"])).await,
        Kind::MalformedBody,
    )
    .await;
    // Unknown and another tenant's look the same, and nonsense is told before either.
    let other = key_for(&*house.store, "other").await;
    let unknown = format!("/v1/challenges/{}", Uuid::nil());
    let mut answers = Vec::new();
    for (token, path) in [(&other, &path), (&house.token, &unknown)] {
        for (what, body) in [("check", json!({ "code": right })), ("resend", json!({}))] {
            let answer = house.post_as(token, &format!("{path}/{what}"), body).await;
            answers.push(problem(answer, Kind::ChallengeNotFound).await.0);
        }
        let nonsense = json!({ "code": "x" });
        let answer = house
            .post_as(token, &format!("{path}/check"), nonsense)
            .await;
        problem(answer, Kind::MalformedCode).await;
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(read(house.get(&path).await).await["attempts_left"], 5);

    let cancelled = house.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!(cancelled.status(), StatusCode::OK);
    let ended = problem(house.check(&path, &right).await, Kind::AlreadyEnded)
        .await
        .0;
    assert_eq!(ended["challenge"]["status"], "cancelled");

    let answer = house.post("/v1/challenges", json!({ "to": NUMBER })).await;
    let id = read(answer).await["id"].as_str().expect("an id").to_owned();
    house.gateway.placed().await;
    let call = format!("/v1/challenges/{id}");
    problem(house.check(&call, "123456").await, Kind::NoCode).await;
    let resent = house.post(&format!("{call}/resend"), json!({})).await;
    problem(resent, Kind::NoCode).await;
    let shown = read(house.get(&call).await).await;
    assert_eq!(
        (&shown["text"], &shown["attempts_left"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_cannot_be_texted_is_told_field_by_field() {
    let house = house().await;
    for (body, kind, pointer) in [
        (
            json!({ "brand": "Your Bank" }),
            Kind::InvalidRequest,
            "#/brand",
        ),
        (
            json!({ "code_length": 3 }),
            Kind::InvalidRequest,
            "#/code_length",
        ),
        (
            json!({ "web_otp": "localhost" }),
            Kind::InvalidRequest,
            "#/web_otp",
        ),
        (
            json!({ "app_hash": "short" }),
            Kind::InvalidRequest,
            "#/app_hash",
        ),
        (
            json!({ "locale": "de-DE" }),
            Kind::LocaleNotAvailable,
            "#/locale",
        ),
        (
            json!({ "channel": "voice", "brand": "Ringtrue" }),
            Kind::InvalidRequest,
            "#/brand",
        ),
        (
            json!({ "channel": "voice", "purpose": "enrolment" }),
            Kind::InvalidRequest,
            "#/purpose",
        ),
    ] {
        let mut asked = sms();
        for (name, value) in body.as_object().expect("an object") {
            asked[name] = value.clone();
        }
        let told = problem(house.post("/v1/challenges", asked).await, kind)
            .await
            .0;
        assert_eq!(told["errors"][0]["pointer"], pointer, "{told}");
    }
    let mut config = EngineConfig::default();
    let words = "[[text]]\nlocale = 'en-GB'\nwords = '{code} XX'".replace("XX", &"x".repeat(145));
    config.text.wording = Arc::new(Wording::parse("w", &words, 1).expect("fits just so"));
    let house = house_with(config).await;
    let mut asked = sms();
    asked["web_otp"] = json!("a-long-name.example.org");
    problem(house.post("/v1/challenges", asked).await, Kind::TextTooLong).await;
}

#[tokio::test]
async fn a_text_is_sent_again_after_a_while_and_not_without_end() {
    let mut house = house().await;
    let (path, right) = house.texted().await;
    let resend = format!("{path}/resend");
    let answer = house.post(&resend, json!({})).await;
    assert!(answer.headers().contains_key(RETRY_AFTER));
    problem(answer, Kind::ResendTooSoon).await;
    sleep(Duration::from_millis(3050)).await;
    let answer = house.post(&resend, json!({})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let shown = read(answer).await;
    assert_eq!(
        (&shown["text"]["resends"], &shown["status"]),
        (&json!(1), &json!("sent"))
    );
    let dispatch = house.carrier.dispatched().await;
    assert_eq!(code_of(&dispatch), right);
    let answer = house.post(&resend, json!({})).await;
    assert_eq!(
        problem(answer, Kind::NotResent).await.0["reason"],
        "no_more"
    );
    assert_eq!(house.check(&path, &right).await.status(), StatusCode::OK);
    problem(house.post(&resend, json!({})).await, Kind::CodeSpent).await;
}

#[tokio::test]
async fn a_blocked_number_is_refused_and_an_expired_code_told() {
    let mut config = EngineConfig::default();
    config.text.time_to_live = Duration::from_millis(400);
    let mut house = house_with(config).await;
    let (path, dispatch) = house.begun(sms()).await;
    let right = code_of(&dispatch);
    house.comes_to(&path, "expired").await;
    problem(house.check(&path, &right).await, Kind::ChallengeExpired).await;

    while house.carrier.commands.try_recv().is_ok() {}
    house.carrier.says("arrêt", NUMBER).await;
    let mut refused = house.post("/v1/challenges", sms()).await;
    for _ in 0..200 {
        if refused.status() != StatusCode::CREATED {
            break;
        }
        sleep(Duration::from_millis(10)).await;
        refused = house.post("/v1/challenges", sms()).await;
    }
    problem(refused, Kind::NumberBlocked).await;
}

#[tokio::test]
async fn texts_and_codes_are_counted() {
    let mut house = house().await;
    let (path, right) = house.texted().await;
    house.check(&path, &another(&right, 0)).await;
    house.check(&path, &right).await;
    house.check(&path, &right).await;
    house.carrier.says("STOP", NUMBER).await;
    let mut text = String::new();
    for _ in 0..200 {
        text = house.get("/metrics").await.text().await.expect("a body");
        if text.contains("wish=\"stop\"") {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    for line in [
        "ringtrue_challenges_ended_total{outcome=\"approved\",reason=\"code_matched\"} 1",
        "ringtrue_codes_checked_total{answer=\"approved\"} 1",
        "ringtrue_codes_checked_total{answer=\"wrong\"} 1",
        "ringtrue_codes_checked_total{answer=\"spent\"} 1",
        "ringtrue_text_news_total{news=\"sent\"} 1",
        "ringtrue_inbound_messages_total{wish=\"stop\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert_eq!(read(house.get("/readyz").await).await["texting"], true);
}

/// What is logged, by every test of this file.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_code_and_no_number_is_ever_logged_or_kept_in_the_clear() {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(|| Log)
        .init();
    let mut house = house().await;
    let (path, dispatch) = house
        .begun(json!({ "to": NUMBER, "channel": "sms", "code_length": 10 }))
        .await;
    let right = code_of(&dispatch);
    let shown = format!("{dispatch:?}");
    assert!(
        !shown.contains(&right) && !shown.contains(SECRET_DIGITS),
        "{shown}"
    );
    house.carrier.tell(dispatch.text, sent()).await;
    let shown = house.comes_to(&path, "sent").await;
    assert!(!shown.to_string().contains(&right));
    let wrong = another(&right, 0);
    for code in [&wrong, &format!("{right}x")] {
        let told = read(house.check(&path, code).await).await.to_string();
        assert!(!told.contains(&right) && !told.contains(&wrong), "{told}");
    }
    house.carrier.says("my mother says hello", NUMBER).await;
    assert_eq!(house.check(&path, &right).await.status(), StatusCode::OK);
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(house._directory.path()).expect("lists") {
        kept.extend(std::fs::read(entry.expect("an entry").path()).expect("reads"));
    }
    let logged = LOGGED.lock().expect("the log").clone();
    assert!(!logged.is_empty() && !kept.is_empty());
    for secret in [&*right, &wrong, SECRET_DIGITS, "my mother says"] {
        for (place, bytes) in [("log", &logged), ("store", &kept)] {
            let is_there = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!is_there, "{secret} is in the {place}");
        }
    }
}
