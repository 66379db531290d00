//! Our binds against the message centre that Kannel's own driver is tested with, `drive_smpp` of
//! Debian's `kannel-extras`: a transmitter and a receiver beside it, as Kannel binds. It gives no
//! receipts; those come from the message centres of npm and PyPI.

#[path = "smpp/wire.rs"]
mod wire;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ringtrue::smpp::pdu::BindKind;
use ringtrue::sms::order::{News, Submission};
use ringtrue::sms::{Bind, BindConfig};
use wire::{bound, fate, order, quick, report, start};

const DRIVER: &str = "/usr/lib/kannel/test/drive_smpp";
/// Messages that it delivers, and as many that it waits for.
const MESSAGES: u32 = 20;

/// The message centre. It is ended when dropped.
struct Kannel {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Kannel {
    fn start() -> Kannel {
        assert!(
            Path::new(DRIVER).exists(),
            "{DRIVER} is missing: install Debian's kannel-extras, or run tests/run"
        );
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        let out = std::fs::File::create(folder.path().join("out")).expect("a file");
        let err = out.try_clone().expect("a second handle");
        let child = Command::new(DRIVER)
            .args(["-v", "0", "-p", &port.to_string()])
            .args(["-m", &MESSAGES.to_string()])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("drive_smpp runs");
        Kannel {
            child,
            port,
            folder,
        }
    }

    fn log(&self) -> String {
        let octets = std::fs::read(self.folder.path().join("out")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }
}

impl Drop for Kannel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(kannel: &Kannel, kind: BindKind) -> BindConfig {
    let mut config = quick(&format!("127.0.0.1:{}", kannel.port));
    config.session.kind = kind;
    config.session.window = 4;
    config.session.response = Duration::from_secs(10);
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transmitter_and_a_receiver_beside_it() {
    let kannel = Kannel::start();
    let (transmitter, mut reports) = start(config(&kannel, BindKind::Transmitter));
    bound(&transmitter).await;
    let (receiver, mut heard) = start(config(&kannel, BindKind::Receiver));
    bound(&receiver).await;
    for number in 0..MESSAGES - 1 {
        let words = format!("text {number} of Ringtrue");
        let sent = transmitter.send(order(number.into(), &words));
        sent.await.expect("a bind");
        let Submission::Sent(taken) = fate(&mut reports, number.into()).await else {
            panic!("{}", kannel.log())
        };
        assert_eq!(taken.len(), 1);
    }
    let mut messages = 0;
    while messages < MESSAGES {
        match report(&mut heard).await {
            News::Message {
                reading,
                acknowledgement,
                ..
            } => {
                assert!(reading.text.is_some_and(|text| !text.is_empty()));
                acknowledgement.taken();
                messages += 1;
            }
            other => panic!("{other:?}\n{}", kannel.log()),
        }
    }
    let until = Instant::now() + Duration::from_secs(10);
    while !kannel.log().contains("text 18 of Ringtrue") {
        assert!(Instant::now() < until, "{}", kannel.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = kannel.log();
    for number in 0..MESSAGES - 1 {
        assert!(
            log.contains(&format!("<text {number} of Ringtrue>")),
            "{log}"
        );
    }
    assert!(!log.contains("ERROR") && !log.contains("PANIC"), "{log}");
    stop(transmitter).await;
    stop(receiver).await;
}

async fn stop(bind: Bind) {
    tokio::time::timeout(Duration::from_secs(20), bind.stop())
        .await
        .expect("stops in time");
}
