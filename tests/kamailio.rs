//! A verification through Kamailio, which asks for a password and verifies our digest answer, with
//! SIPp as the phone behind it.

mod peers;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use peers::{Ringtrue, Running, Sipp, Wanted, udp_port, wait_for_udp};

const NUMBER: &str = "+447400123456";
const QUICK: &str = "prompt_plays = 2\npause_between_plays = \"1s\"\nlisten_first = \"200ms\"";

/// Kamailio with `tests/kamailio/kamailio.cfg`.
struct Kamailio {
    _process: Running,
    port: u16,
    folder: TempDir,
}

impl Kamailio {
    /// Starts it before the phone at `phone`; `algorithm` is how it digests, empty for MD5.
    fn start(phone: u16, algorithm: &str) -> Kamailio {
        let folder = TempDir::new().expect("a folder");
        let port = udp_port();
        let config = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/kamailio/kamailio.cfg");
        let mut command = Command::new("kamailio");
        command
            .args(["-DD", "-E", "-m", "16", "-M", "4", "-n", "1", "-Y"])
            .arg(folder.path())
            .arg("-f")
            .arg(config)
            .args(["-A", &format!("LISTEN=udp:127.0.0.1:{port}")])
            .args(["-A", &format!("PHONE=\"sip:127.0.0.1:{phone}\"")])
            .args(["-A", &format!("ALGORITHM=\"{algorithm}\"")]);
        let process = Running::start(&mut command, "kamailio", &folder.path().join("log"));
        wait_for_udp(port);
        Kamailio {
            _process: process,
            port,
            folder,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

async fn verify(algorithm: &str, password: &str) -> (String, String, Option<Sipp>) {
    let phone = Sipp::start("hash-rfc4733", Duration::from_millis(1500));
    let kamailio = Kamailio::start(phone.port, algorithm);
    let ringtrue = Ringtrue::start(Wanted {
        proxy: format!("127.0.0.1:{}", kamailio.port),
        trunk: &format!(
            "domain = \"carrier.example\"\nusername = \"ringtrue\"\npassword = \"{password}\""
        ),
        call: QUICK,
        rule: "",
    })
    .await;
    let id = ringtrue.challenge(NUMBER).await;
    let outcome = ringtrue.outcome(&id).await;
    let said = format!(
        "Kamailio said:\n{}\nRingtrue said:\n{}",
        kamailio.log(),
        ringtrue.log()
    );
    if outcome.starts_with("approved") {
        phone.succeeds();
        return (outcome, said, None);
    }
    (outcome, said, Some(phone))
}

#[tokio::test]
async fn a_proxy_verifies_our_md5_answer_and_leads_to_the_phone() {
    let (outcome, said, _) = verify("MD5", "a secret").await;
    assert_eq!(outcome, "approved/key_pressed", "{said}");
    assert!(said.contains("verified ringtrue"), "{said}");
}

#[tokio::test]
async fn a_proxy_verifies_our_sha_256_answer() {
    let (outcome, said, _) = verify("SHA-256", "a secret").await;
    assert_eq!(outcome, "approved/key_pressed", "{said}");
    assert!(said.contains("verified ringtrue"), "{said}");
}

#[tokio::test]
async fn a_wrong_password_is_told_as_the_trunks_refusal() {
    let (outcome, said, _phone) = verify("SHA-256", "another secret").await;
    assert_eq!(outcome, "failed/trunk_rejected", "{said}");
    assert!(!said.contains("verified"), "{said}");
    assert!(!said.contains("another secret"), "{said}");
}
