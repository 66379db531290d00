//! TLS towards message centres and providers: the right one is spoken to, any other is not.

#[path = "smpp/wire.rs"]
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringtrue::dialplan::{Dialplan, TextRoute, TextWay};
use ringtrue::phone::PhoneNumber;
use ringtrue::sms::dispatch::{Command, Dispatch, Failure, News, Report};
use ringtrue::sms::gateway::{Gateway, GatewayConfig};
use ringtrue::sms::order::TextRef;
use ringtrue::sms::sandbox::{Sandbox, Timing};
use ringtrue::sms::{Bind, SmppLine, StartError, Target, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use uuid::Uuid;
use wire::{PATIENCE, bound, quick, report};
use zeroize::Zeroizing;

/// A certificate of its own authority for `localhost`, kept as PEM, and a server's settings with it.
fn certificate(folder: &tempfile::TempDir, name: &str) -> (PathBuf, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("one");
    let file = folder.path().join(name);
    std::fs::write(&file, made.cert.pem()).expect("written");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    (file, Arc::new(config))
}

/// Takes TLS off before a message centre.
async fn before(centre: SocketAddr, config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it").port();
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that refuses us ends here.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inner = TcpStream::connect(centre).await.expect("the centre");
                let _ = copy_bidirectional(&mut stream, &mut inner).await;
            });
        }
    });
    port
}

async fn sandbox() -> (SocketAddr, watch::Sender<bool>) {
    let (watcher, _) = mpsc::channel(1);
    let sandbox = Sandbox::start(Timing::default(), watcher)
        .await
        .expect("a sandbox");
    let address = sandbox.address();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(sandbox.run(stopped));
    (address, stop)
}

fn dispatch(text: u128, by: &str) -> Command {
    let to = PhoneNumber::parse("+447400123456").expect("a number");
    let any = Dialplan::built_in()
        .expect("one")
        .text_route(&to)
        .expect("a route");
    Command::Send(Box::new(Dispatch {
        text: TextRef(Uuid::from_u128(text)),
        to,
        route: TextRoute {
            ways: Arc::new([TextWay {
                by: by.into(),
                weight: 1,
                cost: 1,
            }]),
            ..any
        },
        body: Zeroizing::new("Your code is 123456".to_owned()),
        deadline: Instant::now() + Duration::from_secs(60),
    }))
}

async fn next(gateway: &mut Gateway) -> News {
    loop {
        let report = timeout(PATIENCE, gateway.reports.recv()).await;
        match report.expect("in time") {
            Some(Report::Text { news, .. }) => return news,
            Some(Report::Named(_)) => {}
            Some(Report::Receipt(came)) => came.acknowledgement.taken(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn texts_go_through_tls_to_the_right_centre_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (authority, config) = certificate(&folder, "ours.pem");
    let (other, _) = certificate(&folder, "others.pem");
    let (centre, _stop) = sandbox().await;
    let port = before(centre, config).await;
    let tls = |file: &PathBuf, name: Option<&str>| Tls {
        ca_file: Some(file.clone()),
        server_name: name.map(Into::into),
    };
    let bind = |tls: Tls| {
        let mut bind = quick(&format!("localhost:{port}"));
        bind.tls = Some(tls);
        bind
    };
    let line = SmppLine {
        bind: bind(tls(&authority, None)),
        sessions: 1,
    };
    let (stop, stopped) = watch::channel(false);
    let mut gateway = Gateway::start(GatewayConfig::new(vec![line]), stopped).expect("a gateway");
    gateway
        .commands
        .send(dispatch(1, "carrier"))
        .await
        .expect("a gateway");
    assert!(matches!(next(&mut gateway).await, News::Sent { .. }));
    assert!(matches!(next(&mut gateway).await, News::Delivered { .. }));
    stop.send_replace(true);
    gateway.task.await.expect("no panic");
    // Another authority's word, another name, and the platform's authorities, which do not know it.
    for (tls, what) in [
        (tls(&other, None), "authority"),
        (tls(&authority, Some("smpp.example.net")), "name"),
        (tls(&authority, Some("127.0.0.1")), "address"),
    ] {
        let (reports, mut news) = ringtrue::sms::reports(16);
        let bind = Bind::start(bind(tls), reports).expect("a bind");
        let came_up = timeout(Duration::from_millis(700), bind.bound()).await;
        assert!(came_up.is_err(), "{what}");
        bind.stop().await;
        while let Some(seen) = news.recv().await {
            let shown = format!("{:?}", seen.news);
            assert!(shown.contains("Stopped"), "{what}: {shown}");
        }
    }
    // The address that the certificate does not name, told by name.
    let mut named = bind(tls(&authority, Some("localhost")));
    named.address = format!("127.0.0.1:{port}").into();
    let (reports, mut news) = ringtrue::sms::reports(16);
    let named = Bind::start(named, reports).expect("a bind");
    bound(&named).await;
    named.send(wire::order(1, "x")).await.expect("a bind");
    report(&mut news).await;
    drop(news);
    named.stop().await;
}

#[tokio::test]
async fn what_cannot_be_spoken_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |tls: Tls| {
        let mut bind = quick("localhost:1");
        bind.tls = Some(tls);
        let (reports, _) = ringtrue::sms::reports(1);
        let started = Bind::start(bind, reports);
        match started {
            Ok(_) => String::new(),
            Err(StartError::Tls(error)) => error.to_string(),
            Err(other) => panic!("{other}"),
        }
    };
    let file = folder.path().join("none.pem");
    let of = |file: &PathBuf| Tls {
        ca_file: Some(file.clone()),
        server_name: None,
    };
    assert!(start(of(&file)).contains("none.pem cannot be used: "));
    std::fs::write(&file, "nothing").expect("written");
    assert!(start(of(&file)).contains("it holds no certificate in PEM"));
}

/// A provider over TLS that takes whatever it is asked.
async fn provider(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it").port();
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

#[tokio::test]
async fn a_provider_is_known_by_its_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let (authority, config) = certificate(&folder, "ours.pem");
    let (other, _) = certificate(&folder, "others.pem");
    let port = provider(config).await;
    for (ca_file, host, sent) in [
        (&authority, "localhost", true),
        (&other, "localhost", false),
        (&authority, "127.0.0.1", false),
    ] {
        let text = format!(
            "[text_gateway.p]\nurl = 'https://{host}:{port}/'\nca_file = '{}'\nform = 'w=${{words}}'\n",
            ca_file.display()
        );
        let read = ringtrue::config::Config::parse("r.toml", &text, folder.path()).expect("one");
        let line = read.text_gateways["p"].line.clone();
        assert_eq!(
            line.target,
            Target::parse(&format!("https://{host}:{port}/")).expect("an address")
        );
        let (stop, stopped) = watch::channel(false);
        let mut config = GatewayConfig::new(Vec::new());
        config.http = vec![line];
        config.patience = Duration::from_millis(500);
        let mut gateway = Gateway::start(config, stopped).expect("a gateway");
        gateway
            .commands
            .send(dispatch(1, "p"))
            .await
            .expect("a gateway");
        match next(&mut gateway).await {
            News::Sent { .. } => assert!(sent, "{host}"),
            News::Failed { failure, .. } => {
                assert_eq!((failure, sent), (Failure::Unavailable, false), "{host}");
            }
            other => panic!("{other:?}"),
        }
        stop.send_replace(true);
        gateway.task.await.expect("no panic");
    }
}
