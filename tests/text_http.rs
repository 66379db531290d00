//! Texts by HTTP, against a provider over real sockets that answers, lies, stalls and is not there.

#[path = "smpp/wire.rs"]
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use ringtrue::config::Config;
use ringtrue::dialplan::{Dialplan, TextRoute, TextWay};
use ringtrue::phone::PhoneNumber;
use ringtrue::sms::HttpLine;
use ringtrue::sms::dispatch::{Command, Dispatch, Failure, News, Report};
use ringtrue::sms::gateway::{Gateway, GatewayConfig};
use ringtrue::sms::order::TextRef;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use uuid::Uuid;
use wire::{PATIENCE, listen};
use zeroize::Zeroizing;

type Seen = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

/// A provider that does as the path says, and keeps what it was asked.
async fn provider() -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let answer = |State(seen): State<Seen>,
                  uri: axum::http::Uri,
                  headers: HeaderMap,
                  Query(query): Query<Vec<(String, String)>>,
                  body: Bytes| async move {
        let body = String::from_utf8_lossy(&body).into_owned();
        let asked = if query.is_empty() {
            body
        } else {
            format!("{query:?}")
        };
        seen.lock()
            .unwrap()
            .push((uri.path().to_owned(), headers, asked));
        act(uri.path()).await
    };
    let router = Router::new()
        .fallback(any(answer))
        .with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, seen)
}

async fn act(path: &str) -> Response {
    match path {
        "/ok" => (StatusCode::ACCEPTED, r#"{"status":"queued","id":17}"#).into_response(),
        "/no" => r#"{"status":"no credit"}"#.into_response(),
        "/bad" => "<html>queued</html>".into_response(),
        "/huge" => vec![b' '; 4 << 20].into_response(),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            r#"{"status":"queued"}"#.into_response()
        }
        "/busy" => {
            let soon = [(header::RETRY_AFTER, "1")];
            (StatusCode::TOO_MANY_REQUESTS, soon).into_response()
        }
        "/broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/forbidden" => StatusCode::FORBIDDEN.into_response(),
        "/moved" => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/ok")]).into_response(),
        other => panic!("{other}"),
    }
}

/// A gateway as read from a configuration.
fn line(name: &str, url: &str, more: &str) -> HttpLine {
    let text = format!("[text_gateway.{name}]\nurl = '{url}'\n{more}\n");
    let config = Config::parse("r.toml", &text, Path::new("")).unwrap_or_else(|f| panic!("{f}"));
    assert!(config.binds.is_empty());
    config.text_gateways[name].line.clone()
}

const JSON: &str = "json = '{\"to\":\"${to}\",\"text\":\"${words}\"}'\ntimeout = '2s'\n\
                    success_pointer = '/status'\nsuccess_values = ['queued']\nid_pointer = '/id'";

struct House {
    commands: mpsc::Sender<Command>,
    reports: mpsc::Receiver<Report>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    route: TextRoute,
}

impl House {
    fn new(lines: Vec<HttpLine>) -> House {
        let number = PhoneNumber::parse("+447400123456").unwrap();
        let any = Dialplan::built_in().unwrap().text_route(&number).unwrap();
        let ways = lines.iter().enumerate().map(|(at, line)| TextWay {
            by: line.name.clone(),
            weight: 1,
            cost: at as u32,
        });
        let route = TextRoute {
            ways: ways.collect(),
            ..any
        };
        let (stop, stopped) = watch::channel(false);
        let mut config = GatewayConfig::new(Vec::new());
        config.http = lines;
        config.patience = Duration::from_secs(3);
        let gateway = Gateway::start(config, stopped).unwrap();
        House {
            commands: gateway.commands,
            reports: gateway.reports,
            task: gateway.task,
            stop,
            route,
        }
    }

    async fn send(&mut self, text: u128, words: &str) -> News {
        let dispatch = Dispatch {
            text: TextRef(Uuid::from_u128(text)),
            to: PhoneNumber::parse("+447400123456").unwrap(),
            route: self.route.clone(),
            body: Zeroizing::new(words.to_owned()),
            deadline: Instant::now() + Duration::from_secs(60),
        };
        let command = Command::Send(Box::new(dispatch));
        self.commands.send(command).await.unwrap();
        self.news(text).await
    }

    async fn news(&mut self, text: u128) -> News {
        loop {
            match timeout(PATIENCE, self.reports.recv()).await.unwrap() {
                Some(Report::Text { text: of, news }) => {
                    assert_eq!(of, TextRef(Uuid::from_u128(text)));
                    return news;
                }
                Some(Report::Named(_)) => {}
                report => panic!("{report:?}"),
            }
        }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

fn sent(by: &str) -> News {
    News::Sent {
        by: by.into(),
        messages: 1,
    }
}

fn unsure(by: &str) -> News {
    News::Unsure { by: by.into() }
}

#[tokio::test]
async fn a_text_is_one_request_as_configured() {
    let (address, seen) = provider().await;
    let url = format!("http://{address}/ok");
    let lines = [
        line(
            "json",
            &url,
            &format!("{JSON}\nauth = 'bearer'\nsecret = 'hunter2'\nheaders = ['X-Channel: otp']"),
        ),
        line(
            "form",
            &url,
            "form = 'To=${to}&From=${from}&Body=${words}'\nauth = 'basic'\nuser = 'me'\nsecret = 'hunter2'\n\
             sender = 'Brand'\nmethod = 'PUT'",
        ),
        line(
            "get",
            &format!("{url}?to=${{to_digits}}&text=${{words}}&key=a%26b"),
            "method = 'GET'\nauth = 'header'\nauth_header = 'X-Api-Key'\nsecret = 'hunter2'",
        ),
    ];
    // Words that would like to be more than words.
    let words = "code \"12\", \"to\":\"+1\"}&To=+1\r\nX: y";
    for (text, line) in lines.into_iter().enumerate() {
        let name = line.name.clone();
        assert!(!format!("{line:?}").contains("hunter2"));
        let mut house = House::new(vec![line]);
        assert_eq!(house.send(text as u128, words).await, sent(&name));
        house.stop().await;
    }
    let seen = seen.lock().unwrap();
    let said = |at: usize, name: &str| {
        let (_, headers, _) = &seen[at];
        headers.get(name).map(|v| v.to_str().unwrap().to_owned())
    };
    let body: serde_json::Value = serde_json::from_str(&seen[0].2).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"to": "+447400123456", "text": words})
    );
    assert_eq!(said(0, "authorization").as_deref(), Some("Bearer hunter2"));
    assert_eq!(said(0, "x-channel").as_deref(), Some("otp"));
    assert_eq!(said(0, "content-type").as_deref(), Some("application/json"));
    let form: Vec<(String, String)> = form_urlencoded::parse(seen[1].2.as_bytes())
        .into_owned()
        .collect();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        form,
        [
            pair("To", "+447400123456"),
            pair("From", "Brand"),
            pair("Body", words)
        ]
    );
    assert_eq!(
        said(1, "authorization").as_deref(),
        Some("Basic bWU6aHVudGVyMg==")
    );
    let query = [
        pair("to", "447400123456"),
        pair("text", words),
        pair("key", "a&b"),
    ];
    assert_eq!(seen[2].2, format!("{query:?}"));
    assert_eq!(said(2, "x-api-key").as_deref(), Some("hunter2"));
    assert_eq!(seen.len(), 3);
}

/// What each answer means, and whether the next gateway is asked.
#[tokio::test]
async fn the_next_is_asked_only_where_nothing_left() {
    let (address, seen) = provider().await;
    for (path, passed_on) in [
        ("no", true),
        ("forbidden", true),
        ("moved", true),
        ("busy", true),
        ("bad", false),
        ("huge", false),
        ("broken", false),
        ("slow", false),
    ] {
        seen.lock().unwrap().clear();
        let first = line("first", &format!("http://{address}/{path}"), JSON);
        let second = line("second", &format!("http://{address}/ok"), JSON);
        let mut house = House::new(vec![first, second]);
        let expected = if passed_on {
            sent("second")
        } else {
            unsure("first")
        };
        assert_eq!(house.send(1, "x").await, expected, "{path}");
        house.stop().await;
        let asked: Vec<String> = seen.lock().unwrap().iter().map(|s| s.0.clone()).collect();
        let first = format!("/{path}");
        match passed_on {
            true => assert_eq!(asked, [first, "/ok".to_owned()]),
            false => assert_eq!(asked, [first]),
        }
    }
}

#[tokio::test]
async fn a_provider_alone_is_asked_again_or_given_up() {
    let (address, seen) = provider().await;
    let mut house = House::new(vec![line("only", &format!("http://{address}/no"), JSON)]);
    let failed = |failure, error: Option<&str>| News::Failed {
        failure,
        error: error.map(Into::into),
    };
    assert_eq!(
        house.send(1, "x").await,
        failed(Failure::Rejected, Some("no credit"))
    );
    house.stop().await;
    // Throttled: asked again when it said, until patience ends.
    seen.lock().unwrap().clear();
    let mut house = House::new(vec![line("busy", &format!("http://{address}/busy"), JSON)]);
    assert_eq!(
        house.send(2, "x").await,
        failed(Failure::Overloaded, Some("HTTP 429"))
    );
    assert!((2..=5).contains(&seen.lock().unwrap().len()));
    house.stop().await;
    // More messages than allowed.
    let few = format!("{JSON}\nmost_messages = 1");
    let mut house = House::new(vec![line("few", &format!("http://{address}/ok"), &few)]);
    let long = "x".repeat(161);
    assert_eq!(house.send(3, &long).await, failed(Failure::TooLong, None));
    house.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_passed_over_until_it_is() {
    let (listener, nowhere) = listen().await;
    drop(listener);
    let (address, _seen) = provider().await;
    let first = line("gone", &format!("http://{nowhere}/ok"), JSON);
    let second = line("there", &format!("http://{address}/ok"), JSON);
    let mut house = House::new(vec![first.clone(), second]);
    for text in 0..5 {
        assert_eq!(house.send(text, "x").await, sent("there"));
    }
    house.stop().await;
    // Alone, it is waited for; and it comes.
    let mut house = House::new(vec![first]);
    let coming = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let listener = TcpListener::bind(&nowhere).await.unwrap();
        let ok = || async { r#"{"status":"queued"}"# };
        axum::serve(listener, Router::new().fallback(any(ok))).await
    });
    assert_eq!(house.send(9, "x").await, sent("gone"));
    house.stop().await;
    coming.abort();
}

#[tokio::test]
async fn a_rate_is_kept() {
    let (address, seen) = provider().await;
    let paced = format!("{JSON}\nrate = 20\nconnections = 200");
    let mut house = House::new(vec![line("paced", &format!("http://{address}/ok"), &paced)]);
    let began = Instant::now();
    for text in 0..10 {
        assert_eq!(house.send(text, "x").await, sent("paced"));
    }
    // Nine gaps of a twentieth of a second.
    assert!(
        began.elapsed() >= Duration::from_millis(450),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(seen.lock().unwrap().len(), 10);
    house.stop().await;
}
