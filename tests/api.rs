//! The HTTP API from outside: a client on a real socket, the engine and the store behind it, and
//! a gateway that the test plays.

mod answers;
mod gateway;
mod http;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use answers::{NUMBER, SECRET_DIGITS, key_for, problem, read};
use futures_util::StreamExt;
use gateway::{ANSWERED, Gateway, PRESSED, hash};
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Client, Method, Response, StatusCode};
use ringtrue::api::{self, Kind, Limits};
use ringtrue::challenge::Reason;
use ringtrue::engine::{Engine, EngineConfig, EngineHandle, VoiceGateway};
use ringtrue::store::{self, Sqlite, Store, Token, Use};
use ringtrue::voice::order::{CallRef, News};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

struct House {
    client: Client,
    address: SocketAddr,
    token: String,
    engine: EngineHandle,
    gateway: Gateway,
    store: Arc<Sqlite>,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
    _directory: TempDir,
}

async fn house() -> House {
    house_with(EngineConfig::default(), Limits::default()).await
}

async fn house_with(config: EngineConfig, limits: Limits) -> House {
    capture();
    let directory = tempfile::tempdir().expect("a directory");
    let mut registry = Registry::with_prefix("ringtrue");
    let path = directory.path().join("ringtrue.db");
    let key = directory.path().join("key");
    let metrics = store::Metrics::register(&mut registry);
    let store = Arc::new(Sqlite::open(&path, &key, Use::Engine, metrics).expect("opens"));
    let (gateway, commands, reports) = Gateway::new(64);
    let metrics = ringtrue::engine::Metrics::register(&mut registry);
    let engine = Engine::start(
        config,
        Arc::clone(&store) as Arc<dyn Store>,
        Arc::new(gateway::plan()),
        gateway::guard(),
        (VoiceGateway { commands, reports }, None),
        metrics,
    );
    let engine = engine.await.expect("starts");
    let metrics = api::Metrics::register(&mut registry);
    let router = api::router(
        engine.clone(),
        Arc::new(registry),
        metrics.clone(),
        Default::default(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(api::serve(listener, router, metrics, limits, async {
        let _ = stopped.await;
    }));
    let token = key_for(&*store, "default").await;
    House {
        client: http::client(),
        address,
        token,
        engine,
        gateway,
        store,
        stop: Some(stop),
        served,
        _directory: directory,
    }
}

impl House {
    fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
            .bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.expect("an answer")
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        let asked = self.ask(Method::POST, path).json(&body);
        asked.send().await.expect("an answer")
    }

    /// Begins a challenge and takes its call.
    async fn begun(&mut self) -> (String, CallRef) {
        let answer = self.post("/v1/challenges", json!({ "to": NUMBER })).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let id = read(answer).await["id"].as_str().expect("an id").to_owned();
        let order = self.gateway.placed().await;
        assert_eq!(order.call, CallRef(id.parse().expect("an id")));
        (id, order.call)
    }
}

#[tokio::test]
async fn a_challenge_is_posted_waited_for_and_approved() {
    let mut house = house().await;
    let asked = json!({
        "to": NUMBER, "channel": "voice", "subject": "jane@example.org", "locale": "en-GB",
        "purpose": "sign_in", "ttl": 90,
    });
    let answer = house.post("/v1/challenges", asked).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    let location = answer.headers()[LOCATION]
        .to_str()
        .expect("text")
        .to_owned();
    let begun = read(answer).await;
    assert_eq!(
        location,
        format!("/v1/challenges/{}", begun["id"].as_str().expect("an id"))
    );
    assert_eq!(begun["status"], "queued");
    assert_eq!(begun["subject"], "jane@example.org");
    assert_eq!(begun["reason"], Value::Null);
    assert_eq!(begun["ended_at"], Value::Null);
    let masked = begun["to"].as_str().expect("masked");
    assert!(
        masked.starts_with("+44") && masked.ends_with("58"),
        "{masked}"
    );
    let time = |name: &str| -> Timestamp {
        let text = begun[name].as_str().expect("a time");
        text.parse().expect("a time")
    };
    let life = time("expires_at").duration_since(time("created_at"));
    assert_eq!(life.as_secs(), 90);

    let order = house.gateway.placed().await;
    assert_eq!(order.to.e164(), NUMBER);
    house.gateway.tell(order.call, &ANSWERED).await;
    let waiting = house
        .ask(Method::GET, &format!("{location}?wait=30"))
        .send();
    let (answer, ()) = tokio::join!(waiting, async {
        sleep(Duration::from_millis(200)).await;
        house.gateway.tell(order.call, &[hash(), PRESSED]).await;
    });
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    let ended = read(answer).await;
    assert_eq!(
        (&ended["status"], &ended["reason"]),
        (&json!("approved"), &json!("key_pressed"))
    );
    assert_eq!(read(house.get(&location).await).await, ended);
    // A HEAD is a GET without its body.
    let head = house
        .ask(Method::HEAD, &location)
        .send()
        .await
        .expect("an answer");
    assert_eq!(head.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_wait_ends_with_the_time_it_was_given() {
    let mut house = house().await;
    let (id, call) = house.begun().await;
    house.gateway.tell(call, &ANSWERED).await;
    let began = Instant::now();
    let answer = house.get(&format!("/v1/challenges/{id}?wait=1")).await;
    assert!(began.elapsed() >= Duration::from_millis(990));
    assert_eq!(read(answer).await["status"], "answered");
}

#[tokio::test]
async fn every_mistake_is_a_problem_of_its_own() {
    let house = house().await;
    let challenges = "/v1/challenges";
    let unknown = format!("/v1/challenges/{}", Uuid::nil());
    let unknown_events = format!("{unknown}/events");
    let unknown_cancel = format!("{unknown}/cancel");
    let long = "x".repeat(257);
    let number = format!("/v1/challenges/{NUMBER}");
    for (method, path, body, kind) in [
        ("GET", "/nowhere", None, Kind::NotFound),
        ("GET", "/v1", None, Kind::NotFound),
        ("GET", "/problems/no-such-problem", None, Kind::NotFound),
        ("GET", challenges, None, Kind::MethodNotAllowed),
        ("DELETE", &unknown, None, Kind::MethodNotAllowed),
        ("POST", "/healthz", Some(json!({})), Kind::MethodNotAllowed),
        ("GET", &unknown, None, Kind::ChallengeNotFound),
        ("GET", &number, None, Kind::ChallengeNotFound),
        ("GET", "/v1/challenges/%FF", None, Kind::ChallengeNotFound),
        (
            "POST",
            "/v1/challenges/%FF/check",
            Some(json!({"code": "123456"})),
            Kind::ChallengeNotFound,
        ),
        ("GET", "/problems/%FF", None, Kind::NotFound),
        ("GET", &unknown_events, None, Kind::ChallengeNotFound),
        ("POST", &unknown_cancel, None, Kind::ChallengeNotFound),
        (
            "GET",
            &format!("{unknown}?wait=61"),
            None,
            Kind::InvalidParameter,
        ),
        (
            "GET",
            &format!("{unknown}?wait=-1"),
            None,
            Kind::InvalidParameter,
        ),
        (
            "GET",
            &format!("{unknown}?wiat=1"),
            None,
            Kind::InvalidParameter,
        ),
        (
            "GET",
            &format!("{unknown}?wait=1&wait=1"),
            None,
            Kind::InvalidParameter,
        ),
        (
            "GET",
            &format!("{unknown_events}?wait=1"),
            None,
            Kind::InvalidParameter,
        ),
        (
            "POST",
            challenges,
            Some(json!([NUMBER])),
            Kind::MalformedBody,
        ),
        ("POST", challenges, Some(json!(NUMBER)), Kind::MalformedBody),
        ("POST", challenges, Some(json!({})), Kind::InvalidRequest),
        (
            "POST",
            challenges,
            Some(json!({ "to": 442079460958u64 })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "tll": 60 })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, NUMBER: 60 })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "ttl": 29 })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "ttl": 601 })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "ttl": "60" })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "channel": "fax" })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "subject": long })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "locale": "x" })),
            Kind::InvalidRequest,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": "02079460958" })),
            Kind::InvalidNumber,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": "call me" })),
            Kind::InvalidNumber,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": format!("{NUMBER},,1") })),
            Kind::NotDirectDial,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": format!("{NUMBER} x1") })),
            Kind::NotDirectDial,
        ),
        (
            "POST",
            challenges,
            Some(json!({ "to": NUMBER, "locale": "it-IT" })),
            Kind::LocaleNotAvailable,
        ),
    ] {
        let method: Method = method.parse().expect("a method");
        let mut asked = house.ask(method.clone(), path);
        if let Some(body) = &body {
            asked = asked.json(body);
        }
        let answer = asked.send().await.expect("an answer");
        let label = format!("{method} {path} {body:?}");
        assert_eq!(answer.status(), kind.status(), "{label}");
        let (_, headers) = problem(answer, kind).await;
        if kind == Kind::MethodNotAllowed {
            assert!(headers.contains_key("allow"), "{label}");
        }
    }
}

#[tokio::test]
async fn a_misspelt_field_is_told_what_was_meant() {
    let house = house().await;
    let body = json!({ "to": NUMBER, "chanel": "voice", "ttll": 60 });
    let answer = house.post("/v1/challenges", body).await;
    let (body, _) = problem(answer, Kind::InvalidRequest).await;
    let errors = body["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0]["pointer"], "#/chanel");
    assert!(
        errors[0]["detail"]
            .as_str()
            .is_some_and(|d| d.contains("`channel`"))
    );
    assert!(
        errors[1]["detail"]
            .as_str()
            .is_some_and(|d| d.contains("`ttl`"))
    );
}

#[tokio::test]
async fn bodies_are_json_and_not_too_large() {
    let house = house().await;
    let post = || house.ask(Method::POST, "/v1/challenges");
    let json = |body: &'static str| post().header(CONTENT_TYPE, "application/json").body(body);
    for (asked, kind) in [
        (post().body("{}"), Kind::UnsupportedMediaType),
        (
            post().header(CONTENT_TYPE, "text/plain").body("{}"),
            Kind::UnsupportedMediaType,
        ),
        (post(), Kind::UnsupportedMediaType),
        (json(""), Kind::MalformedBody),
        (json("{\"to\": \"+4420"), Kind::MalformedBody),
        (json("{\"to\": \"+442079460958\"} {}"), Kind::MalformedBody),
        (json("{'to': 1}"), Kind::MalformedBody),
        (json("\u{feff}{}"), Kind::MalformedBody),
        (json("{\"to\": \"\\ud800\"}"), Kind::MalformedBody),
        (
            json("{\"to\": \"+442079460958\", \"to\": \"+442079460958\"}"),
            Kind::InvalidRequest,
        ),
    ] {
        problem(asked.send().await.expect("an answer"), kind).await;
    }
    let with_charset = post()
        .header(CONTENT_TYPE, "Application/JSON; charset=utf-8")
        .body(json!({ "to": NUMBER }).to_string());
    let answer = with_charset.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);

    let large = json!({ "to": NUMBER, "subject": "x".repeat(api::MAX_BODY) }).to_string();
    let asked = post()
        .header(CONTENT_TYPE, "application/json")
        .body(large.clone());
    problem(asked.send().await.expect("an answer"), Kind::BodyTooLarge).await;
    // Without a length announced.
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(large)]);
    let chunked = reqwest::Body::wrap_stream(pieces);
    let asked = post()
        .header(CONTENT_TYPE, "application/json")
        .body(chunked);
    problem(asked.send().await.expect("an answer"), Kind::BodyTooLarge).await;
}

#[tokio::test]
async fn only_a_valid_key_opens() {
    let house = house().await;
    let bare = |value: Option<String>| {
        let path = format!("/v1/challenges/{}", Uuid::nil());
        let mut asked = house.client.get(format!("http://{}{path}", house.address));
        if let Some(value) = value {
            asked = asked.header("authorization", value);
        }
        asked.send()
    };
    let token = &house.token;
    let other = Token::generate().expect("random").reveal().to_string();
    let secret = token.rsplit('_').next().expect("a secret");
    let grafted = other.replace(other.rsplit('_').next().expect("a secret"), secret);
    for (value, given) in [
        (None, false),
        (Some(token.clone()), false),
        (Some(format!("Basic {token}")), false),
        (Some("Bearer".into()), false),
        (Some("Bearer rt_nothing".into()), true),
        (Some(format!("Bearer {other}")), true),
        (Some(format!("Bearer {grafted}")), true),
        (Some(format!("Bearer {}0", &token[..token.len() - 1])), true),
    ] {
        if value.as_deref() == Some(&*format!("Bearer {token}")) {
            continue;
        }
        let answer = bare(value).await.expect("an answer");
        let (_, headers) = problem(answer, Kind::Unauthorized).await;
        let challenge = headers[WWW_AUTHENTICATE].to_str().expect("text");
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        assert_eq!(challenge.contains("invalid_token"), given, "{challenge}");
    }
    let answer = bare(Some(format!("bearer {token}")))
        .await
        .expect("an answer");
    problem(answer, Kind::ChallengeNotFound).await;

    let id = Token::parse(token).expect("a token").id();
    let revoked = house.store.revoke_api_key(id, Timestamp::now()).await;
    assert!(revoked.is_ok_and(|key| key.is_some()));
    sleep(Duration::from_millis(1100)).await;
    let answer = bare(Some(format!("Bearer {token}")))
        .await
        .expect("an answer");
    problem(answer, Kind::Unauthorized).await;
}

#[tokio::test]
async fn one_tenant_does_not_see_anothers() {
    let mut house = house().await;
    let (id, _) = house.begun().await;
    house.token = key_for(&*house.store, "other").await;
    for path in ["", "?wait=1", "/events"] {
        let answer = house.get(&format!("/v1/challenges/{id}{path}")).await;
        problem(answer, Kind::ChallengeNotFound).await;
    }
    let answer = house
        .post(&format!("/v1/challenges/{id}/cancel"), json!({}))
        .await;
    problem(answer, Kind::ChallengeNotFound).await;
    assert!(
        house.gateway.commands.try_recv().is_err(),
        "and ends no call of it"
    );
}

#[tokio::test]
async fn a_repeated_request_is_led_to_the_same_challenge() {
    let mut house = house().await;
    let post = |key: &'static str, body: Value| {
        let asked = house.ask(Method::POST, "/v1/challenges").json(&body);
        asked.header("Idempotency-Key", key).send()
    };
    let first = post("key-1", json!({ "to": NUMBER }))
        .await
        .expect("an answer");
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let first = read(first).await;
    // The same request, however it is written.
    let spelled = json!({ "to": "+44 20 7946 0958", "channel": "voice", "subject": null });
    let again = post("key-1", spelled).await.expect("an answer");
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(read(again).await["id"], first["id"]);
    let other = post("key-1", json!({ "to": NUMBER, "ttl": 60 }))
        .await
        .expect("an answer");
    problem(other, Kind::IdempotencyKeyReused).await;
    for bad in ["", "a b", &"x".repeat(256)] {
        let asked = house
            .ask(Method::POST, "/v1/challenges")
            .json(&json!({ "to": NUMBER }));
        let answer = asked
            .header("Idempotency-Key", bad)
            .send()
            .await
            .expect("an answer");
        problem(answer, Kind::InvalidParameter).await;
    }
    house.gateway.placed().await;
    assert!(house.gateway.commands.try_recv().is_err(), "one call");
}

#[tokio::test]
async fn a_challenge_is_cancelled_once_and_not_after_its_end() {
    let mut house = house().await;
    let (id, call) = house.begun().await;
    let path = format!("/v1/challenges/{id}/cancel");
    let cancelled = house.post(&path, json!({})).await;
    assert_eq!(cancelled.status(), StatusCode::OK);
    let cancelled = read(cancelled).await;
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["reason"], "cancelled_by_caller");
    assert_eq!(house.gateway.cancelled().await, call);
    // Without a body, as it should be.
    let again = house
        .ask(Method::POST, &path)
        .send()
        .await
        .expect("an answer");
    assert_eq!(read(again).await, cancelled);

    let (id, call) = house.begun().await;
    house.gateway.tell(call, &ANSWERED).await;
    house.gateway.tell(call, &[PRESSED]).await;
    let ended = house.get(&format!("/v1/challenges/{id}?wait=10")).await;
    assert_eq!(read(ended).await["status"], "approved");
    let late = house
        .post(&format!("/v1/challenges/{id}/cancel"), json!({}))
        .await;
    let (body, _) = problem(late, Kind::AlreadyEnded).await;
    assert_eq!(body["challenge"]["status"], "approved");
    assert_eq!(body["challenge"]["id"], id.as_str());
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    id: String,
    event: String,
    data: Value,
}

/// Reads a stream to its end.
async fn events(answer: Response) -> Vec<Seen> {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/event-stream");
    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    let mut text = String::new();
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = timeout(Duration::from_secs(20), pieces.next())
        .await
        .expect("in time")
    {
        text.push_str(std::str::from_utf8(&piece.expect("a piece")).expect("text"));
    }
    assert!(!text.contains(SECRET_DIGITS), "{text}");
    assert!(text.starts_with("retry: 1000\n\n"), "{text}");
    let mut all = Vec::new();
    for block in text.split("\n\n").filter(|block| block.contains("data:")) {
        let mut seen = Seen::default();
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => seen.id = id.into(),
                Some(("event", event)) => seen.event = event.into(),
                Some(("data", data)) => seen.data = serde_json::from_str(data).expect("JSON"),
                _ => {}
            }
        }
        all.push(seen);
    }
    all
}

#[tokio::test]
async fn events_come_in_order_and_end_with_the_outcome() {
    let mut house = house().await;
    let (id, call) = house.begun().await;
    let path = format!("/v1/challenges/{id}/events");
    let stream = house.get(&path).await;
    let (seen, ()) = tokio::join!(events(stream), async {
        for news in ANSWERED.iter().chain(&[hash(), PRESSED]) {
            house.gateway.tell(call, std::slice::from_ref(news)).await;
            sleep(Duration::from_millis(30)).await;
        }
    });
    let names: Vec<&str> = seen.iter().map(|seen| seen.event.as_str()).collect();
    assert_eq!(
        names,
        [
            "queued", "dialling", "ringing", "answered", "key", "approved"
        ]
    );
    for (seen, n) in seen.iter().zip(1..) {
        assert_eq!(seen.id, n.to_string());
        assert_eq!(seen.data["seq"], n);
        assert_eq!(seen.data["event"], seen.event.as_str());
        assert_eq!(seen.data["challenge"], id.as_str());
    }
    assert_eq!(seen[4].data["digit"], "#");
    assert_eq!(seen[4].data["source"], "rfc4733");
    assert_eq!(seen[4].data["counted"], true);
    assert_eq!(seen[5].data["reason"], "key_pressed");

    let from = |last: &'static str| {
        house
            .ask(Method::GET, &path)
            .header("Last-Event-ID", last)
            .send()
    };
    let rest = events(from("4").await.expect("an answer")).await;
    assert_eq!(rest, seen[4..]);
    let over = from("6").await.expect("an answer");
    assert_eq!(over.status(), StatusCode::NO_CONTENT);
    problem(
        from("six").await.expect("an answer"),
        Kind::InvalidParameter,
    )
    .await;
    assert_eq!(
        events(house.get(&path).await).await,
        seen,
        "the same to one who comes late"
    );
}

#[tokio::test]
async fn too_many_who_wait_are_sent_away() {
    let config = EngineConfig {
        max_waiting_each: 2,
        max_open: 1,
        ..EngineConfig::default()
    };
    let mut house = house_with(config, Limits::default()).await;
    let (id, call) = house.begun().await;
    let one = house.get(&format!("/v1/challenges/{id}/events")).await;
    let two = house.get(&format!("/v1/challenges/{id}/events")).await;
    let three = house.get(&format!("/v1/challenges/{id}?wait=5")).await;
    let (body, headers) = problem(three, Kind::TooManyWaiting).await;
    assert_eq!(headers[RETRY_AFTER], "5");
    assert_eq!(body["retry_after"], 5);
    let full = house.post("/v1/challenges", json!({ "to": NUMBER })).await;
    let (_, headers) = problem(full, Kind::Overloaded).await;
    assert!(headers.contains_key(RETRY_AFTER));
    house.gateway.tell(call, &[News::Ended(Reason::Busy)]).await;
    assert_eq!(events(one).await, events(two).await);
}

#[tokio::test]
async fn the_service_tells_how_it_is() {
    let mut house = house().await;
    house.token = String::new();
    assert_eq!(house.get("/healthz").await.status(), StatusCode::OK);
    let ready = house.get("/readyz").await;
    assert_eq!(ready.status(), StatusCode::OK);
    assert_eq!(read(ready).await["ready"], true);
    let House {
        gateway,
        client,
        address,
        ..
    } = &mut house;
    gateway.commands.close();
    let (dead, _, _) = Gateway::new(1);
    *gateway = dead;
    let mut ready = true;
    for _ in 0..100 {
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        let answer = answer.expect("an answer");
        ready = answer.status() == StatusCode::OK;
        let body = read(answer).await;
        assert_eq!(body["ready"], ready);
        if !ready {
            assert_eq!(
                (&body["gateway"], &body["store"]),
                (&json!(false), &json!(true))
            );
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!ready);
    house.token = key_for(&*house.store, "default").await;
    let refused = house.post("/v1/challenges", json!({ "to": NUMBER })).await;
    let (body, _) = problem(refused, Kind::Unavailable).await;
    assert_eq!(body["reason"], "gateway");
}

#[tokio::test]
async fn without_a_way_for_texts_a_challenge_by_text_is_refused() {
    let house = house().await;
    let asked = json!({ "to": NUMBER, "channel": "sms" });
    let refused = house.post("/v1/challenges", asked).await;
    problem(refused, Kind::ChannelNotAvailable).await;
    let ready = read(house.get("/readyz").await).await;
    assert_eq!(
        (&ready["texting"], &ready["ready"]),
        (&Value::Null, &json!(true))
    );
}

#[tokio::test]
async fn what_happens_is_counted() {
    let mut house = house().await;
    let (id, call) = house.begun().await;
    house.gateway.tell(call, &[News::Ended(Reason::Busy)]).await;
    read(house.get(&format!("/v1/challenges/{id}?wait=10")).await).await;
    read(house.get("/nowhere").await).await;
    let answer = house.get("/metrics").await;
    let content_type = answer.headers()[CONTENT_TYPE]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(content_type.starts_with("application/openmetrics-text"));
    let text = answer.text().await.expect("a body");
    for line in [
        "ringtrue_challenges_asked_total{answer=\"accepted\"} 1",
        "ringtrue_challenges_ended_total{outcome=\"failed\",reason=\"busy\"} 1",
        "ringtrue_challenge_duration_seconds_count{outcome=\"failed\"} 1",
        "ringtrue_challenges_open 0",
        "ringtrue_http_requests_total{method=\"POST\",route=\"/v1/challenges\",status=\"201\"} 1",
        "ringtrue_http_requests_total{method=\"GET\",route=\"/v1/challenges/{id}\",status=\"200\"} 1",
        "ringtrue_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("ringtrue_store_batch_operations_bucket"));
    assert!(text.contains("ringtrue_store_commit_seconds_count"));
}

#[tokio::test]
async fn the_description_has_every_route_and_every_problem() {
    let house = house().await;
    let answer = house.get("/openapi.json").await;
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
    let api: Value = answer.json().await.expect("JSON");
    assert!(
        api["openapi"]
            .as_str()
            .is_some_and(|v| v.starts_with("3.1")),
        "{}",
        api["openapi"]
    );

    // Both ways: what is described is there, and what is there is described.
    let mut described = Vec::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            described.push(format!("{} {path}", method.to_uppercase()));
            let real = path
                .replace("{id}", &Uuid::nil().to_string())
                .replace("{name}", "unauthorized");
            let method: Method = method.to_uppercase().parse().expect("a method");
            let answer = house.ask(method, &real).send().await.expect("an answer");
            let status = answer.status().as_u16().to_string();
            let told = operation["responses"].as_object().expect("responses");
            assert!(
                told.contains_key(&status),
                "{path} answers {status}, which it does not tell"
            );
            assert_ne!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            if answer.status() == StatusCode::NOT_FOUND {
                let missing = match path.starts_with("/v1/receipts") {
                    true => Kind::NotFound,
                    false => Kind::ChallengeNotFound,
                };
                assert_eq!(read(answer).await["type"], missing.uri(), "{path}");
            }
            let secured = operation.get("security").is_some();
            assert_eq!(secured, path.starts_with("/v1/challenges"), "{path}");
        }
    }
    described.sort();
    assert_eq!(
        described,
        [
            "GET /healthz",
            "GET /metrics",
            "GET /openapi.json",
            "GET /problems",
            "GET /problems/{name}",
            "GET /readyz",
            "GET /v1/challenges/{id}",
            "GET /v1/challenges/{id}/events",
            "POST /v1/challenges",
            "POST /v1/challenges/{id}/cancel",
            "POST /v1/challenges/{id}/check",
            "POST /v1/challenges/{id}/resend",
            "POST /v1/receipts/{gateway}",
        ]
    );
    let types = &api["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    let types: Vec<&str> = types
        .as_array()
        .expect("types")
        .iter()
        .flat_map(Value::as_str)
        .collect();
    assert_eq!(types, Kind::ALL.map(Kind::uri));
    for kind in Kind::ALL {
        let page = house.get(kind.uri()).await;
        assert_eq!(page.status(), StatusCode::OK);
        let page = page.text().await.expect("a page");
        assert!(page.contains(kind.title()), "{page}");
        // Each status of a problem that a challenge's operation can meet is told by one of them.
        if !matches!(
            kind,
            Kind::NotFound | Kind::MethodNotAllowed | Kind::Internal
        ) {
            let told = api["paths"]
                .as_object()
                .expect("paths")
                .values()
                .any(|methods| {
                    let methods = methods.as_object().expect("methods").values();
                    methods
                        .flat_map(|o| o["responses"].as_object())
                        .flatten()
                        .any(|(status, response)| {
                            *status == kind.status().as_u16().to_string()
                                && response["description"]
                                    .as_str()
                                    .is_some_and(|d| d.contains(&format!("`{}`", kind.name())))
                        })
                });
            assert!(told, "no operation tells of {}", kind.name());
        }
    }
    let schemas = api["components"]["schemas"].as_object().expect("schemas");
    for name in [
        "Challenge",
        "NewChallenge",
        "Event",
        "EventName",
        "Problem",
        "FieldError",
        "Reason",
        "Status",
    ] {
        assert!(
            schemas.contains_key(name),
            "{name} is not among {:?}",
            schemas.keys()
        );
    }
    let body = &schemas["NewChallenge"];
    assert_eq!(body["required"], json!(["to"]));
    for (field, schema) in [("channel", "Channel"), ("purpose", "Purpose")] {
        let told = &body["properties"][field]["$ref"];
        assert_eq!(told, &json!(format!("#/components/schemas/{schema}")));
    }
    dangling(&api, &api);
    contradicted(&api);
}

/// No example and no default breaks the schema that it stands in.
fn contradicted(part: &Value) {
    match part {
        Value::Object(object) => {
            let types: Vec<&str> = match &object.get("type") {
                Some(Value::String(one)) => vec![one],
                Some(Value::Array(several)) => several.iter().flat_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            for name in ["default", "example"] {
                let Some(value) = object.get(name) else {
                    continue;
                };
                let fits = types.iter().any(|kind| match *kind {
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "null" => value.is_null(),
                    _ => false,
                });
                assert!(fits || types.is_empty(), "the {name} in {part}");
            }
            object.values().for_each(contradicted);
        }
        Value::Array(array) => array.iter().for_each(contradicted),
        _ => {}
    }
}

/// Every reference leads somewhere.
fn dangling(api: &Value, part: &Value) {
    match part {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get("$ref") {
                let pointer = to.strip_prefix('#').expect("a local reference");
                assert!(api.pointer(pointer).is_some(), "{to} leads nowhere");
            }
            object.values().for_each(|part| dangling(api, part));
        }
        Value::Array(array) => array.iter().for_each(|part| dangling(api, part)),
        _ => {}
    }
}

/// Sends bytes as they are and reads what comes until the connection is closed.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(bytes).await.expect("sends");
    let mut answer = Vec::new();
    // A connection that is cut may end in a reset.
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer))
        .await
        .expect("closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

fn hasty() -> Limits {
    Limits {
        head_time: Duration::from_millis(400),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_slow_head_and_an_idle_connection_are_cut_off() {
    let house = house_with(EngineConfig::default(), hasty()).await;
    for bytes in [
        &b""[..],
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n",
        // Served, and then idle.
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let began = Instant::now();
        let answer = raw(house.address, bytes).await;
        let took = began.elapsed();
        let whole = bytes.ends_with(b"\r\n\r\n");
        assert_eq!(answer.contains("200 OK"), whole, "{answer}");
        assert!(took >= Duration::from_millis(350), "{took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    // One byte at a time does not win more time.
    let mut stream = TcpStream::connect(house.address).await.expect("connects");
    let began = Instant::now();
    let cut = async {
        for byte in b"GET /healthz HTTP/1.1\r\nx-slow: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let _ = stream.read(&mut [0; 64]).await;
    };
    timeout(Duration::from_secs(10), cut)
        .await
        .expect("cut off");
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn a_slow_body_is_cut_off() {
    let house = house().await;
    let head = format!(
        "POST /v1/challenges HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{",
        house.token
    );
    let began = Instant::now();
    let answer = raw(house.address, head.as_bytes()).await;
    assert!(answer.contains(" 408 "), "{answer}");
    assert!(answer.contains(Kind::BodyTimeout.uri()), "{answer}");
    assert!(began.elapsed() >= api::BODY_TIME);
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_number() {
    let house = house().await;
    let long = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(40_000)
    );
    let answer = raw(house.address, long.as_bytes()).await;
    assert!(answer.is_empty() || answer.contains(" 431 "), "{answer}");
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    let answer = raw(house.address, many.as_bytes()).await;
    assert!(answer.is_empty() || answer.contains(" 431 "), "{answer}");
    let garbage = raw(
        house.address,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    )
    .await;
    assert!(garbage.is_empty() || garbage.contains(" 400 "), "{garbage}");
    assert_eq!(
        house.get("/healthz").await.status(),
        StatusCode::OK,
        "and it still serves"
    );
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let limits = Limits {
        connections: 2,
        ..hasty()
    };
    let house = house_with(EngineConfig::default(), limits).await;
    let held = [
        TcpStream::connect(house.address).await.expect("connects"),
        TcpStream::connect(house.address).await.expect("connects"),
    ];
    let began = Instant::now();
    // Let in once the idle ones have been cut off.
    assert_eq!(house.get("/healthz").await.status(), StatusCode::OK);
    assert!(
        began.elapsed() >= Duration::from_millis(250),
        "{:?}",
        began.elapsed()
    );
    drop(held);
}

#[tokio::test]
async fn a_stop_answers_what_was_asked_and_takes_no_more() {
    let mut house = house().await;
    let (id, _) = house.begun().await;
    let waiting = house
        .ask(Method::GET, &format!("/v1/challenges/{id}?wait=30"))
        .send();
    let waiting = tokio::spawn(waiting);
    let stream = house.get(&format!("/v1/challenges/{id}/events")).await;
    sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    house.engine.shutdown(Duration::from_millis(100)).await;
    let refused = house.post("/v1/challenges", json!({ "to": NUMBER })).await;
    problem(refused, Kind::Unavailable).await;
    house
        .stop
        .take()
        .expect("not stopped")
        .send(())
        .expect("is served");
    let ended = read(waiting.await.expect("waits").expect("an answer")).await;
    assert_eq!(
        (&ended["status"], &ended["reason"]),
        (&json!("failed"), &json!("interrupted"))
    );
    let seen = events(stream).await;
    assert_eq!(seen.last().map(|seen| seen.event.as_str()), Some("failed"));
    house.served.await.expect("ends");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(
        TcpStream::connect(house.address).await.is_err(),
        "nobody listens"
    );
}

/// All that was logged by this program, at every level.
fn logged() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    LOG.get_or_init(Mutex::default)
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        logged().lock().expect("a log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn capture() {
    // The second time it is set already.
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(|| Log)
        .try_init();
}

#[tokio::test]
async fn no_number_no_token_and_no_name_of_a_person_is_ever_shown() {
    let mut house = house().await;
    let subject = "jane.doe@example.org";
    let key = "idempotent-442079460958";
    let body = json!({ "to": NUMBER, "subject": subject });
    let asked = house.ask(Method::POST, "/v1/challenges").json(&body);
    let answer = asked
        .header("Idempotency-Key", key)
        .send()
        .await
        .expect("an answer");
    let id = read(answer).await["id"].as_str().expect("an id").to_owned();
    let order = house.gateway.placed().await;
    let shown = format!("{order:?}");
    assert!(!shown.contains(SECRET_DIGITS), "{shown}");
    house.gateway.tell(order.call, &ANSWERED).await;
    house.gateway.tell(order.call, &[hash(), PRESSED]).await;
    read(house.get(&format!("/v1/challenges/{id}?wait=10")).await).await;

    // Numbers where they do not belong.
    for path in [
        format!("/v1/challenges/{NUMBER}"),
        format!("/v1/challenges/{id}?wait={SECRET_DIGITS}"),
        format!("/v1/challenges/{id}?{SECRET_DIGITS}=1"),
        format!("/{SECRET_DIGITS}"),
        format!("/problems/{SECRET_DIGITS}"),
        format!("/v1/challenges/{SECRET_DIGITS}/cancel"),
    ] {
        read(house.get(&path).await).await;
    }
    for body in [
        format!("\"{NUMBER}\""),
        format!("{{\"{NUMBER}\": 1}}"),
        format!("{{\"to\": {SECRET_DIGITS}}}"),
        format!("{{\"to\": \"{NUMBER};ext=1\"}}"),
        format!("{{\"to\": \"00{SECRET_DIGITS}\"}}"),
        format!("{{\"to\": \"{NUMBER}\", \"channel\": \"{NUMBER}\"}}"),
        format!("{{\"to\": \"{NUMBER}\", \"locale\": \"{NUMBER}\"}}"),
        format!("{{\"to\": \"{NUMBER}\", \"ttl\": {SECRET_DIGITS}}}"),
        format!("{{\"to\": \"{NUMBER}\" {SECRET_DIGITS}"),
    ] {
        let asked = house.ask(Method::POST, "/v1/challenges").body(body);
        let asked = asked.header(CONTENT_TYPE, "application/json");
        read(asked.send().await.expect("an answer")).await;
    }
    house.token.push('0');
    read(house.get(&format!("/v1/challenges/{id}")).await).await;

    let metrics = house.get("/metrics").await.text().await.expect("a body");
    let log = String::from_utf8_lossy(&logged().lock().expect("a log")).into_owned();
    assert!(
        log.contains(&id) && log.contains("answered"),
        "the log was captured"
    );
    let secret = house.token.rsplit('_').next().expect("a secret");
    for (what, text) in [("the log", &log), ("the metrics", &metrics)] {
        for hidden in [SECRET_DIGITS, &secret[..16], "jane.doe", "idempotent-"] {
            let place = text.lines().find(|line| line.contains(hidden));
            assert_eq!(place, None, "{what} shows {hidden}");
        }
    }
}
