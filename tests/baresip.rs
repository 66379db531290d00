//! baresip as a second, independent phone: its `ctrl_tcp` module makes it answer and press keys.

mod peers;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use peers::{Ringtrue, Running, Wanted, tcp_port, udp_port};
use tempfile::TempDir;

struct Baresip {
    _process: Running,
    port: u16,
    control: TcpStream,
    folder: TempDir,
}

impl Baresip {
    fn start() -> Baresip {
        let folder = TempDir::new().expect("a folder");
        let (port, control_port) = (udp_port(), tcp_port());
        fs::write(
            folder.path().join("config"),
            format!(
                "sip_listen 127.0.0.1:{port}\nmodule_path /usr/lib/baresip/modules\n\
                 audio_player aubridge,nil\naudio_source aubridge,nil\naudio_alert aubridge,nil\n\
                 rtp_ports 40000-40100\nctrl_tcp_listen 127.0.0.1:{control_port}\n\
                 module g711.so\nmodule aubridge.so\nmodule_tmp account.so\n\
                 module_app menu.so\nmodule_app ctrl_tcp.so\n"
            ),
        )
        .expect("a configuration");
        fs::write(
            folder.path().join("accounts"),
            "<sip:447400123456@127.0.0.1>;regint=0;answermode=manual\n",
        )
        .expect("an account");
        fs::write(folder.path().join("contacts"), "").expect("contacts");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path());
        let process = Running::start(&mut command, "baresip", &folder.path().join("baresip.log"));
        let until = Instant::now() + Duration::from_secs(10);
        let control = loop {
            match TcpStream::connect(("127.0.0.1", control_port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < until, "baresip: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        control
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a timeout");
        Baresip {
            _process: process,
            port,
            control,
            folder,
        }
    }

    /// A command as a netstring of JSON.
    fn command(&mut self, command: &str, params: &str) {
        let json = format!("{{\"command\":\"{command}\",\"params\":\"{params}\",\"token\":\"t\"}}");
        let netstring = format!("{}:{json},", json.len());
        self.control
            .write_all(netstring.as_bytes())
            .expect("baresip listens");
    }

    /// Reads its events until one contains `text`.
    fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + Duration::from_secs(15);
        let mut heard = String::new();
        let mut buffer = [0u8; 4096];
        while Instant::now() < until {
            if let Ok(length) = self.control.read(&mut buffer) {
                heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            if heard.contains(text) {
                return;
            }
        }
        let log = fs::read_to_string(self.folder.path().join("baresip.log"));
        panic!(
            "no {text} from baresip: {heard}\n{}",
            log.unwrap_or_default()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_and_its_hash_key_approves() {
    let mut phone = Baresip::start();
    let ringtrue = Ringtrue::start(Wanted {
        proxy: format!("127.0.0.1:{}", phone.port),
        trunk: "plus = false",
        call: "prompt_plays = 3\npause_between_plays = \"1s\"\nlisten_first = \"200ms\"",
    })
    .await;
    let id = ringtrue.challenge("+447400123456").await;
    tokio::task::block_in_place(|| {
        phone.wait_for("CALL_INCOMING");
        phone.command("accept", "");
        phone.wait_for("CALL_ESTABLISHED");
        std::thread::sleep(Duration::from_millis(1500));
        phone.command("sndcode", "#");
    });
    assert_eq!(ringtrue.outcome(&id).await, "approved/key_pressed");
    tokio::task::block_in_place(|| phone.wait_for("CALL_CLOSED"));
}
