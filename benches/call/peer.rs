//! The same call by baresip: it dials, speaks from a file and listens, to nothing in particular; the
//! phone hangs up.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ringtrue::audio::wav;
use serde_json::json;
use tempfile::TempDir;

use super::peers::{Running, tcp_port, udp_port, wait_for_udp};
use super::phone::{self, Phone, datagrams};
use super::process::processor_time;

/// Calls before those that are counted.
const WARM: u64 = 20;

/// Has it call so often at that many a second and prints what that cost, beside `ours`.
pub fn run(calls: u64, rate: u64, ours: Option<Duration>) -> anyhow::Result<()> {
    let phone = Phone::start(phone::LEAVES)?;
    let folder = TempDir::new()?;
    let at = folder.path();
    fs::write(at.join("speech.wav"), wav::write(&phone::noise(80_000)))?;
    let (port, control) = (udp_port(), tcp_port());
    let config = format!(
        "poll_method epoll\nsip_listen 127.0.0.1:{port}\nctrl_tcp_listen 127.0.0.1:{control}\n\
         rtp_ports 20000-29998\ncall_max_calls 0\naudio_source aufile,{}\n\
         audio_player aubridge,nil\naudio_alert aubridge,nil\n\
         module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\n\
         module aubridge.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n",
        at.join("speech.wav").display(),
    );
    fs::write(at.join("config"), config)?;
    let account = format!("<sip:bench@127.0.0.1:{port}>;regint=0;audio_codecs=pcma\n");
    fs::write(at.join("accounts"), account)?;
    fs::write(at.join("contacts"), "")?;
    let mut command = Command::new("baresip");
    command.args(["-4", "-f"]).arg(at);
    let baresip = Running::start(&mut command, "baresip", &at.join("log"));
    wait_for_udp(port);
    let mut socket = loop {
        // It listens for SIP before it listens for commands.
        match TcpStream::connect(("127.0.0.1", control)) {
            Ok(socket) => break socket,
            Err(_) => sleep(Duration::from_millis(20)),
        }
    };
    let mut told = socket.try_clone()?;
    // What it tells is read, or it would stop telling; that it is killed in the end is no error.
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = told.read_to_end(&mut all);
        all
    });
    dial(&mut socket, phone.port, WARM, rate)?;
    let (cpu, packets) = (processor_time(baresip.id())?, datagrams()?);
    let lasted = dial(&mut socket, phone.port, calls, rate)?;
    let each = (processor_time(baresip.id())? - cpu) / calls as u32;
    let packets = (datagrams()? - packets) as f64 / calls as f64;
    drop(baresip);
    let told = reader.join().unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let established = told.matches("CALL_ESTABLISHED").count() as u64;
    anyhow::ensure!(
        established == WARM + calls,
        "{established} calls came about, and {} were dialled",
        WARM + calls
    );
    let alone = phone::alone(packets)?;
    let ratio = ours.map_or(String::new(), |ours| {
        format!(
            "; {:.1} times the gateway",
            each.as_secs_f64() / ours.as_secs_f64()
        )
    });
    println!(
        "baresip: {calls} calls at {:.1} a second: {each:.2?} CPU a call; its {packets:.0} datagrams \
         alone {alone:.1?}: {:.2} x{ratio}",
        calls as f64 / lasted.as_secs_f64(),
        each.as_secs_f64() / alone.as_secs_f64(),
    );
    Ok(())
}

/// Dials so often, and waits until the last call is over; how long the dialling took.
fn dial(socket: &mut TcpStream, port: u16, calls: u64, rate: u64) -> anyhow::Result<Duration> {
    let began = Instant::now();
    for n in 1..=calls {
        let uri = format!("sip:{n}@127.0.0.1:{port}");
        let message = json!({ "command": "dial", "params": uri }).to_string();
        // Each message is a netstring.
        write!(socket, "{}:{message},", message.len())?;
        let next = began + Duration::from_secs(n) / rate as u32;
        sleep(next.saturating_duration_since(Instant::now()));
    }
    let lasted = began.elapsed();
    sleep(Duration::from_secs(4));
    Ok(lasted)
}
