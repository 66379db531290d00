//! Verifications against baresip: a phone by other authors, told by its control socket to answer
//! and to press keys.

mod peers;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use peers::{Ringtrue, Running, Wanted, tcp_port, udp_port, wait_for_udp};

const NUMBER: &str = "+447400123456";
/// Time enough for a person to press while the invitation is repeated.
const CALL: &str = "prompt_plays = 3\npause_between_plays = \"2s\"\nlisten_first = \"200ms\"";

/// baresip with one account, that of [`NUMBER`].
struct Baresip {
    control: TcpStream,
    unread: Vec<u8>,
    port: u16,
    process: Running,
    folder: TempDir,
}

impl Baresip {
    /// Starts it. This release sends its keys as telephone events, and knows no other way.
    fn start() -> Baresip {
        let folder = TempDir::new().expect("a folder");
        let at = folder.path();
        let (port, control, media) = (udp_port(), tcp_port(), udp_port() & !1);
        // A microphone in a quiet room; with none at all baresip sends nothing, no key either.
        fs::write(at.join("quiet.wav"), quiet(60)).expect("a recording");
        let config = format!(
            "poll_method epoll\n\
             sip_listen 127.0.0.1:{port}\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n\
             rtp_ports {media}-{}\n\
             audio_source aufile,{}\n\
             audio_player aubridge,nil\n\
             audio_alert aubridge,nil\n\
             module_path /usr/lib/baresip/modules\n\
             module g711.so\n\
             module aufile.so\n\
             module aubridge.so\n\
             module_tmp account.so\n\
             module_app menu.so\n\
             module_app ctrl_tcp.so\n",
            media.saturating_add(20),
            at.join("quiet.wav").display(),
        );
        fs::write(at.join("config"), config).expect("a configuration");
        let account = format!("<sip:{NUMBER}@127.0.0.1:{port}>;regint=0\n");
        fs::write(at.join("accounts"), account).expect("an account");
        fs::write(at.join("contacts"), "").expect("no contacts");
        let mut command = Command::new("baresip");
        command.args(["-4", "-v", "-f"]).arg(at);
        let process = Running::start(&mut command, "baresip", &at.join("log"));
        wait_for_udp(port);
        let until = Instant::now() + Duration::from_secs(10);
        let control = loop {
            match TcpStream::connect(("127.0.0.1", control)) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < until, "no control socket: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Baresip {
            control,
            unread: Vec::new(),
            port,
            process,
            folder,
        }
    }

    /// Gives a command of its menu.
    fn command(&mut self, command: &str, params: &str) {
        let message = json!({ "command": command, "params": params, "token": command }).to_string();
        // Each message is a netstring.
        write!(self.control, "{}:{message},", message.len()).expect("a command is taken");
        self.wait_for(|answer| answer["token"] == command && answer["ok"] == true);
    }

    /// Waits for an event of that type.
    fn event(&mut self, kind: &str) {
        self.wait_for(|event| event["type"] == kind);
    }

    fn wait_for(&mut self, mut wanted: impl FnMut(&Value) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            while let Some(message) = self.message() {
                if wanted(&message) {
                    return;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "baresip does not say so: {}", self.log());
            self.control
                .set_read_timeout(Some(left))
                .expect("a timeout");
            let mut octets = [0; 4096];
            let read = self.control.read(&mut octets).unwrap_or(0);
            assert!(read > 0, "baresip is gone or silent: {}", self.log());
            self.unread.extend_from_slice(&octets[..read]);
        }
    }

    /// The next message that is there.
    fn message(&mut self) -> Option<Value> {
        let colon = self.unread.iter().position(|octet| *octet == b':')?;
        let length: usize = std::str::from_utf8(&self.unread[..colon])
            .ok()?
            .parse()
            .ok()?;
        let message = self.unread.get(colon + 1..colon + 1 + length)?;
        let message = serde_json::from_slice(message).expect("JSON");
        // And the comma behind it.
        self.unread
            .drain(..(colon + length + 2).min(self.unread.len()));
        Some(message)
    }

    fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        format!(
            "pid {}: {}",
            self.process.id(),
            String::from_utf8_lossy(&log)
        )
    }

    /// A Ringtrue that calls it. It names the machine's outer address in its answer and sends from
    /// the loopback's, as a phone behind a router does: the trunk has to latch.
    async fn caller(&self) -> Ringtrue {
        Ringtrue::start(Wanted {
            proxy: format!("127.0.0.1:{}", self.port),
            trunk: "latch = true",
            call: CALL,
            rule: "",
        })
        .await
    }
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
    let mut phone = Baresip::start();
    let ringtrue = phone.caller().await;
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
    let mut phone = Baresip::start();
    let ringtrue = phone.caller().await;
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
