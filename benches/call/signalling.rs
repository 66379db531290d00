//! Signalling alone, against SIPp's `uas`.

use std::process::Command;
use std::time::{Duration, Instant};

use ringtrue::sip::call::{Event, Invitation};
use ringtrue::sip::endpoint::{Endpoint, EndpointConfig};
use ringtrue::voice::carrier::Carrier;
use ringtrue::voice::wire::Tap;
use tempfile::TempDir;

use super::peers::{Running, udp_port, wait_for_udp};
use super::{bare, thread_time};

const CALLS: usize = 40_000;
/// Calls in progress at once: what SIPp answers without losing any.
const AT_ONCE: usize = 200;
/// Datagrams of a call that we send (INVITE, ACK, BYE) and receive (180, 200, 200), and their
/// lengths in the mean.
const SENT: u32 = 3;
const RECEIVED: u32 = 3;
const OCTETS: usize = 450;

const SDP: &str = "v=0\r\no=- 4611686018427387 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n\
    t=0 0\r\nm=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// Runs the case and prints its line.
pub async fn run() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let port = udp_port();
    let mut command = Command::new("sipp");
    command
        .current_dir(folder.path())
        .args(["-sn", "uas", "-i", "127.0.0.1", "-nostdin", "-p"])
        .arg(port.to_string());
    let _sipp = Running::start(&mut command, "sipp", &folder.path().join("log"));
    wait_for_udp(port);
    let mut carrier = Carrier::bind(([127, 0, 0, 1], 0).into(), Tap::default()).await?;
    let mut endpoint = Endpoint::new(EndpointConfig::new(carrier.local()), rand::random());
    let target = ([127, 0, 0, 1], port).into();
    let to = format!("sip:+442079460123@127.0.0.1:{port}");
    let from = "\"Sign-in verification\" <sip:+442079460100@127.0.0.1>";
    let (mut begun, mut in_progress, mut answered, mut failed) = (0, 0, 0, 0);
    let began = Instant::now();
    let start = thread_time();
    while begun < CALLS || in_progress > 0 {
        let now = Instant::now();
        endpoint.handle_timeout(now);
        while begun < CALLS && in_progress < AT_ONCE {
            endpoint.invite(
                now,
                Invitation::new(target, to.as_str(), from, to.as_str(), SDP),
            )?;
            begun += 1;
            in_progress += 1;
        }
        loop {
            while let Some(event) = endpoint.poll_event() {
                match event {
                    Event::Answered { call, .. } => {
                        answered += 1;
                        endpoint.hang_up(now, call)?;
                    }
                    Event::Failed { .. } => failed += 1,
                    Event::Released { .. } => in_progress -= 1,
                    _ => {}
                }
            }
            if !carrier.send(&mut endpoint).await {
                break;
            }
        }
        let wake = endpoint.poll_timeout();
        let wake = wake.unwrap_or(now + Duration::from_secs(1));
        tokio::select! {
            ready = carrier.readable() => {
                ready?;
                carrier.receive(&mut endpoint);
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
    }
    let spent = thread_time() - start;
    anyhow::ensure!(
        answered == CALLS && failed == 0,
        "{answered} of {CALLS} calls were answered and {failed} failed"
    );
    let each = spent / CALLS as u32;
    let (send, receive) = bare::datagram(OCTETS)?;
    let calls = send * SENT + receive * RECEIVED;
    println!(
        "signalling: {:.0} calls/CPU-second, {each:.1?} a call, {:.0} calls/s by the clock; \
         its {SENT} + {RECEIVED} datagrams alone {calls:.1?}: {:.2} x",
        1.0 / each.as_secs_f64(),
        CALLS as f64 / began.elapsed().as_secs_f64(),
        each.as_secs_f64() / calls.as_secs_f64(),
    );
    Ok(())
}
