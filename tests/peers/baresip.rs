//! baresip, a user agent by other authors, told by its control socket what to do.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Running, tcp_port, udp_port, wait_for_udp};

/// How baresip is to be.
pub struct Setup<'a> {
    /// The user of its one account.
    pub user: &'a str,
    /// Parameters of the account.
    pub account: &'a str,
    /// Its microphone: a WAV file. With none at all it sends nothing, no key either.
    pub speech: Vec<u8>,
    /// Its media ports.
    pub ports: RangeInclusive<u16>,
    /// More lines of its configuration.
    pub config: &'a str,
    /// More arguments.
    pub arguments: &'a [&'a str],
}

/// baresip, for as long as this is kept.
pub struct Baresip {
    control: TcpStream,
    unread: Vec<u8>,
    /// Where it listens.
    pub port: u16,
    process: Running,
    folder: TempDir,
}

impl Baresip {
    /// Starts it. This release sends its keys as telephone events, and knows no other way.
    pub fn start(setup: Setup<'_>) -> Baresip {
        let folder = TempDir::new().expect("a folder");
        let at = folder.path();
        let (port, control) = (udp_port(), tcp_port());
        fs::write(at.join("speech.wav"), setup.speech).expect("a recording");
        let config = format!(
            "poll_method epoll\n\
             sip_listen 127.0.0.1:{port}\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n\
             rtp_ports {}-{}\n\
             audio_source aufile,{}\n\
             audio_player aubridge,nil\n\
             audio_alert aubridge,nil\n\
             module_path /usr/lib/baresip/modules\n\
             module g711.so\n\
             module aufile.so\n\
             module aubridge.so\n\
             module_tmp account.so\n\
             module_app menu.so\n\
             module_app ctrl_tcp.so\n\
             {}",
            setup.ports.start(),
            setup.ports.end(),
            at.join("speech.wav").display(),
            setup.config,
        );
        fs::write(at.join("config"), config).expect("a configuration");
        let account = format!(
            "<sip:{}@127.0.0.1:{port}>;regint=0{}\n",
            setup.user, setup.account
        );
        fs::write(at.join("accounts"), account).expect("an account");
        fs::write(at.join("contacts"), "").expect("no contacts");
        let mut command = Command::new("baresip");
        command.arg("-4").args(setup.arguments).arg("-f").arg(at);
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

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it tells, for somebody else to read.
    pub fn told(&self) -> TcpStream {
        self.control.try_clone().expect("a second handle")
    }

    /// Gives a command of its menu and does not wait for the answer.
    pub fn send(&mut self, command: &str, params: &str) {
        let message = json!({ "command": command, "params": params, "token": command }).to_string();
        // Each message is a netstring.
        write!(self.control, "{}:{message},", message.len()).expect("a command is taken");
    }

    /// Gives a command of its menu.
    pub fn command(&mut self, command: &str, params: &str) {
        self.send(command, params);
        self.wait_for(|answer| answer["token"] == command && answer["ok"] == true);
    }

    /// Waits for an event of that type.
    pub fn event(&mut self, kind: &str) {
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

    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        format!(
            "pid {}: {}",
            self.process.id(),
            String::from_utf8_lossy(&log)
        )
    }
}
