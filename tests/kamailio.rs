//! Kamailio as the carrier's proxy verifies our digest answers, and SIPp behind it is the phone.
//! The dialog runs through its Record-Route, so the ACK and the BYE must follow the route set.

mod peers;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use peers::{Ringtrue, Running, Sipp, Wanted, udp_port};
use tempfile::TempDir;

/// Kamailio with the configuration beside this test, in front of `phone`.
fn kamailio(folder: &TempDir, phone: u16, algorithm: &str) -> (Running, u16) {
    let port = udp_port();
    let config = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/kamailio/kamailio.cfg");
    let mut command = Command::new("/usr/sbin/kamailio");
    command
        .args(["-DD", "-E", "-m", "32", "-M", "4", "-n", "1", "-f"])
        .arg(config)
        .arg("-Y")
        .arg(folder.path())
        .args(["-A", &format!("LISTEN=udp:127.0.0.1:{port}")])
        .args(["-A", &format!("PHONE=127.0.0.1:{phone}")])
        .args(["-A", &format!("ALGORITHM={algorithm}")]);
    let process = Running::start(
        &mut command,
        "kamailio",
        &folder.path().join("kamailio.log"),
    );
    std::thread::sleep(Duration::from_secs(1));
    (process, port)
}

async fn verify(algorithm: &str, password: &str, phone: &Sipp) -> String {
    let folder = TempDir::new().expect("a folder");
    let (_proxy, port) = kamailio(&folder, phone.port, algorithm);
    let ringtrue = Ringtrue::start(Wanted {
        proxy: format!("127.0.0.1:{port}"),
        trunk: &format!("username = \"ringtrue\"\npassword = \"{password}\""),
        call: "prompt_plays = 2\npause_between_plays = \"1s\"\nlisten_first = \"200ms\"",
    })
    .await;
    let id = ringtrue.challenge("+447400123456").await;
    let outcome = ringtrue.outcome(&id).await;
    // The goodbye and the BYE come after the outcome.
    tokio::time::sleep(Duration::from_secs(2)).await;
    outcome
}

#[tokio::test]
async fn it_verifies_our_answers_by_md5_and_by_sha_256() {
    for algorithm in ["MD5", "SHA-256"] {
        let phone = Sipp::start("hash-rfc4733", Duration::from_millis(1500));
        assert_eq!(
            verify(algorithm, "a secret", &phone).await,
            "approved/key_pressed",
            "{algorithm}"
        );
        phone.succeeds();
    }
}

#[tokio::test]
async fn it_refuses_a_wrong_password() {
    let phone = Sipp::start("busy", Duration::ZERO);
    assert_eq!(
        verify("SHA-256", "a wrong one", &phone).await,
        "failed/trunk_rejected"
    );
}
