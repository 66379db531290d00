//! Message centres and clients that others wrote, for tests and the bench: installed below
//! `target/tmp`, started on a free loopback port, ended when dropped.

#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{fs, thread};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smpp")
}

fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("smpp-peers")
}

/// Whether there is a node to run the npm package with.
pub fn node_is_there() -> bool {
    let ran = |program| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    ran("node") && ran("npm")
}

fn run(command: &mut Command) {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Copies `files` from `tests/smpp/NAME`, and installs with `install` unless the copy of
/// `lock` says that it has been done.
fn install(name: &str, lock: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let (from, to) = (sources().join(name), installed().join(name));
    fs::create_dir_all(&to).expect("a directory below target");
    let done = to.join(".installed");
    let wanted = fs::read(from.join(lock)).expect("a lock file");
    let fresh = fs::read(&done).is_ok_and(|seen| seen == wanted);
    for entry in fs::read_dir(&from).expect("the peer's sources").flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
    if !fresh {
        install(&to);
        fs::write(&done, wanted).expect("a marker");
    }
    to
}

/// The npm package `smpp`, with our scripts beside it.
pub fn npm() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        install("npm", "package-lock.json", |to| {
            run(Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(to));
        })
    })
}

/// The Python packages `smpp.twisted3` and `smpp.pdu3` in an environment of their own, with our
/// scripts beside it.
pub fn python() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        install("python", "requirements.txt", |to| {
            run(Command::new("python3")
                .args(["-m", "venv", "environment"])
                .current_dir(to));
            run(Command::new("environment/bin/pip")
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args(["--no-deps", "-r", "requirements.txt"])
                .current_dir(to));
        })
    })
}

/// A peer that is running.
pub struct Peer {
    child: Child,
    lines: Receiver<String>,
    /// The loopback port it listens on.
    pub port: u16,
}

impl Peer {
    /// Starts a program that prints its port first.
    pub fn start(command: &mut Command) -> Peer {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = lines(child.stdout.take().expect("its output"));
        let first = lines
            .recv_timeout(Duration::from_secs(60))
            .unwrap_or_else(|_| panic!("{command:?} says nothing"));
        let port = first.trim().parse();
        Peer {
            child,
            lines,
            port: port.unwrap_or_else(|_| panic!("not a port: {first}")),
        }
    }

    /// The message centre of the npm package.
    pub fn npm_centre() -> Peer {
        Peer::start(Command::new("node").arg("centre.js").current_dir(npm()))
    }

    /// The message centre of the Python packages.
    pub fn python_centre() -> Peer {
        Peer::start(
            Command::new("environment/bin/python")
                .arg("centre.py")
                .current_dir(python()),
        )
    }

    /// The next line of JSON it printed; what its libraries print besides is skipped.
    pub fn says(&self) -> serde_json::Value {
        loop {
            let line = self
                .lines
                .recv_timeout(Duration::from_secs(20))
                .expect("another line of the peer");
            if let Ok(value @ serde_json::Value::Object(_)) = serde_json::from_str(&line) {
                return value;
            }
        }
    }

    /// The next line that has `key`, skipping others.
    pub fn says_of(&self, key: &str) -> serde_json::Value {
        loop {
            let line = self.says();
            if line.get(key).is_some() {
                return line;
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(output: ChildStdout) -> Receiver<String> {
    let (to, from) = channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|count| count > 0) {
            if to.send(std::mem::take(&mut line)).is_err() {
                // Nobody listens any more; the peer must not block on a full pipe.
                let _ = output.read_to_end(&mut Vec::new());
            }
        }
    });
    from
}
