//! What the tests against real peers share: a Ringtrue of their own with short prompts, SIPp with
//! one of the scenarios of `tests/sipp/`, and loopback ports that nobody else has.
//!
//! Every process is ended by its id when its handle goes out of scope.
#![allow(dead_code)]

pub mod baresip;
#[path = "../http/mod.rs"]
mod http;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A UDP port that is free now, with its even neighbours' fate left to luck.
pub fn udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free UDP port");
    socket.local_addr().expect("its address").port()
}

/// A TCP port that is free now.
pub fn tcp_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free TCP port");
    listener.local_addr().expect("its address").port()
}

/// Waits until somebody listens on UDP `port`, as the kernel's table tells.
pub fn wait_for_udp(port: u16) {
    let wanted = format!(":{port:04X} ");
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let table = fs::read_to_string("/proc/net/udp").expect("the kernel's table of UDP sockets");
        let local = |line: &str| line.split_whitespace().nth(1).map(|at| format!("{at} "));
        if table
            .lines()
            .filter_map(local)
            .any(|at| at.ends_with(&wanted))
        {
            return;
        }
        assert!(Instant::now() < until, "nobody listens on UDP port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A child process that is killed when the test is done with it.
pub struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts `command`, its output in `log`.
    pub fn start(command: &mut Command, name: &str, log: &Path) -> Running {
        let out = fs::File::create(log).expect("a log file");
        let err = out.try_clone().expect("a second handle");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Running {
            child,
            name: name.to_owned(),
        }
    }

    /// Waits for the process to end; its exit code.
    pub fn wait(&mut self, longest: Duration) -> Option<i32> {
        let until = Instant::now() + longest;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} did not end within {longest:?}", self.name);
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("a process to wait for");
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked first: one that has children of its own ends them then.
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(id),
                nix::sys::signal::Signal::SIGTERM,
            );
        }
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// SIPp as the called phone, with one scenario of `tests/sipp/`.
pub struct Sipp {
    process: Running,
    /// Where it listens.
    pub port: u16,
    scenario: String,
    folder: TempDir,
}

impl Sipp {
    /// Starts the scenario for one call; `wait` is its pause before the key.
    pub fn start(scenario: &str, wait: Duration) -> Sipp {
        let folder = TempDir::new().expect("a folder");
        let port = udp_port();
        let scenarios = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sipp");
        let mut command = Command::new("sipp");
        command
            .current_dir(&scenarios)
            .arg("-sf")
            .arg(format!("{scenario}.xml"))
            .args([
                "-i",
                "127.0.0.1",
                "-m",
                "1",
                "-nostdin",
                "-timeout",
                "40s",
                "-timeout_error",
            ])
            .args(["-p", &port.to_string(), "-d", &wait.as_millis().to_string()])
            .args(["-mp", &(udp_port() & !1).to_string()])
            .args(["-trace_err", "-error_file"])
            .arg(folder.path().join("errors.log"))
            .arg("127.0.0.1");
        let process = Running::start(&mut command, "sipp", &folder.path().join("sipp.log"));
        wait_for_udp(port);
        Sipp {
            process,
            port,
            scenario: scenario.to_owned(),
            folder,
        }
    }

    /// Waits for the scenario's end and asserts that SIPp saw all that it expected.
    pub fn succeeds(mut self) {
        let code = self.process.wait(Duration::from_secs(45));
        if code != Some(0) {
            let errors = fs::read_to_string(self.folder.path().join("errors.log"));
            let screen = fs::read_to_string(self.folder.path().join("sipp.log"));
            panic!(
                "scenario {}: SIPp ended with {code:?}\n{}\n{}",
                self.scenario,
                errors.unwrap_or_default(),
                screen.unwrap_or_default()
            );
        }
    }
}

/// `ringtrue serve` with a configuration, a store and prompts of its own.
pub struct Ringtrue {
    process: Running,
    /// The base of the API, `http://127.0.0.1:PORT`.
    pub base: String,
    token: String,
    folder: TempDir,
    /// Asks as anybody may.
    pub client: reqwest::Client,
}

/// How the test wants its Ringtrue.
pub struct Wanted<'a> {
    /// `host:port` of the phone or proxy.
    pub proxy: String,
    /// More lines of `[trunk.peer]`.
    pub trunk: &'a str,
    /// Lines of `[call]`, and sections after it.
    pub call: &'a str,
    /// More lines of the dialplan's one rule.
    pub rule: &'a str,
}

fn serve(folder: &Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringtrue"));
    command.arg("--config").arg(folder.join("ringtrue.toml"));
    command.arg("serve");
    Running::start(&mut command, "ringtrue", &folder.join("serve.log"))
}

impl Ringtrue {
    /// Starts it, with media ports for fifty calls, and waits until it is ready.
    pub async fn start(wanted: Wanted<'_>) -> Ringtrue {
        // Apart from those of other tests that run beside it.
        let first = 20_000 + (tcp_port() % 200) * 100;
        Ringtrue::start_with(wanted, first..=first + 98).await
    }

    /// Starts it with these media ports and waits until it is ready.
    pub async fn start_with(wanted: Wanted<'_>, media: RangeInclusive<u16>) -> Ringtrue {
        let folder = TempDir::new().expect("a folder");
        let at = folder.path();
        short_prompts(&at.join("prompts/en-GB"));
        fs::create_dir_all(at.join("dialplans")).expect("a folder");
        fs::write(
            at.join("dialplans/all.toml"),
            format!(
                "[[rule]]\nprefix = \"+\"\ntrunk = \"peer\"\nlocale = \"en-GB\"\n{}\n",
                wanted.rule
            ),
        )
        .expect("a dialplan");
        let http = tcp_port();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:{http}\"\n\
             [store]\npath = \"{0}/ringtrue.db\"\nkey_file = \"{0}/ringtrue.key\"\n\
             [sip]\nbind = \"127.0.0.1:{1}\"\n\
             [media]\nbind = \"127.0.0.1\"\nports = \"{2}-{3}\"\n\
             [prompts]\ndir = \"{0}/prompts\"\n\
             [dialplan]\ndir = \"{0}/dialplans\"\n\
             [trunk.peer]\nproxy = \"{4}\"\n{5}\n[call]\n{6}\n",
            at.display(),
            udp_port(),
            media.start(),
            media.end(),
            wanted.proxy,
            wanted.trunk,
            wanted.call,
        );
        let file = at.join("ringtrue.toml");
        fs::write(&file, config).expect("a configuration");
        let binary = env!("CARGO_BIN_EXE_ringtrue");
        let created = Command::new(binary)
            .args(["--config"])
            .arg(&file)
            .args(["key", "create", "tests"])
            .output()
            .expect("ringtrue runs");
        assert!(
            created.status.success(),
            "{}",
            String::from_utf8_lossy(&created.stderr)
        );
        let token = String::from_utf8_lossy(&created.stdout)
            .split_whitespace()
            .find(|word| word.starts_with("rt_"))
            .expect("a token in the output")
            .to_owned();
        let ringtrue = Ringtrue {
            process: serve(at),
            base: format!("http://127.0.0.1:{http}"),
            token,
            folder,
            client: http::client(),
        };
        ringtrue.ready().await;
        ringtrue
    }

    /// Kills it with SIGKILL; nothing is asked of it until it is started again.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on what it had written.
    pub async fn restart(&mut self) {
        self.process = serve(self.folder.path());
        self.ready().await;
    }

    async fn ready(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let asked = self.client.get(format!("{}/readyz", self.base)).send();
            if asked.await.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            assert!(Instant::now() < until, "not ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Posts a challenge for `number`; its id.
    pub async fn challenge(&self, number: &str) -> String {
        let answer = self
            .client
            .post(format!("{}/v1/challenges", self.base))
            .bearer_auth(&self.token)
            .json(&json!({ "to": number, "channel": "voice", "locale": "en-GB" }))
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Posts JSON below `/v1/challenges`; the status and the answer.
    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self
            .client
            .post(format!("{}/v1/challenges{path}", self.base))
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    /// How a challenge stands.
    pub async fn get(&self, id: &str) -> Value {
        let answer = self
            .client
            .get(format!("{}/v1/challenges/{id}", self.base))
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Waits until a challenge's text is in this state.
    pub async fn text_is(&self, id: &str, state: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let challenge = self.get(id).await;
            if challenge["text"]["state"] == state {
                return challenge;
            }
            assert!(Instant::now() < until, "not {state}: {challenge}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes a challenge back.
    pub async fn cancel(&self, id: &str) -> Value {
        let answer = self
            .client
            .post(format!("{}/v1/challenges/{id}/cancel", self.base))
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Waits for the challenge's end: outcome and reason, `approved/key_pressed`.
    pub async fn outcome(&self, id: &str) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self
                .client
                .get(format!("{}/v1/challenges/{id}?wait=20", self.base))
                .bearer_auth(&self.token)
                .send()
                .await
                .expect("an answer");
            let body: Value = answer.json().await.expect("JSON");
            if let Some(reason) = body["reason"].as_str() {
                return format!("{}/{reason}", body["status"].as_str().unwrap_or("?"));
            }
            assert!(Instant::now() < until, "no end: {body}\n{}", self.log());
        }
    }

    /// How the keys of an ended challenge were heard, in order: `# rfc4733`.
    pub async fn keys(&self, id: &str) -> Vec<String> {
        let answer = self
            .client
            .get(format!("{}/v1/challenges/{id}/events", self.base))
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        let events = answer.text().await.expect("events until the end");
        let data = events
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| event["event"] == "key")
            .map(|event| {
                let word = |name: &str| event[name].as_str().unwrap_or("?").to_owned();
                format!("{} {}", word("digit"), word("source"))
            })
            .collect()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default()
    }

    /// The API key of its one tenant.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Every prompt as 400 ms of a 440 Hz tone, so that a test's call takes seconds.
pub fn short_prompts(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let tone: Vec<i16> = (0..3_200)
        .map(|n| (8_000.0 * (f64::from(n) * 440.0 * std::f64::consts::TAU / 8_000.0).sin()) as i16)
        .collect();
    let file = ringtrue::audio::wav::write(&tone);
    for name in ringtrue::audio::PromptName::ALL {
        fs::write(folder.join(format!("{}.wav", name.as_str())), &file).expect("a prompt");
    }
}
