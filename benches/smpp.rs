//! What submitting a text costs the client: submit_sm per CPU-second, against a sink of ours.
//!
//! `cargo bench --bench smpp` runs the session alone over a blocking socket, the bind of the
//! gateway over tokio, and, where node is there, the client of the npm package `smpp`; each with
//! windows of 1, 10, 100 and 1000, each against the same sink. The client's own user and system
//! time counts; the sink runs on a thread of its own and does not. `-- NAME` runs one of them, and
//! numbers the windows of those sizes alone.
//!
//! Each is measured twice. A sink that sleeps until something comes has to be woken, and the system
//! charges that to whoever writes to it: in a virtual machine with idle cores it is the better part
//! of a small window's cost, and none that a centre on another machine would cause. A sink that
//! stays awake looks all the time.

#[path = "../tests/smpp/peers.rs"]
mod peers;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use ringtrue::smpp::centre::{Centre, Config as CentreConfig, Host, Reply};
use ringtrue::smpp::pdu::{Address, Bind, BindKind, Sms, Status};
use ringtrue::smpp::session::{Config, Event, Lost, MessageId, Outcome, Session};
use ringtrue::sms::BindConfig;
use ringtrue::sms::order::{News, Submission, TextOrder, TextRef, Words};
use uuid::Uuid;

const WORDS: &str = "Your sign-in code is 123456. Do not share it.";

/// Takes every text.
struct Sink;

impl Host<()> for Sink {
    fn bind(&mut self, _: BindKind, _: &Bind<'_>) -> Result<(), Status> {
        Ok(())
    }

    fn submit(&mut self, _: u32, _: &Sms<'_>) -> Reply {
        Reply::Accept(MessageId::new(b"0000000001"))
    }

    fn delivered(&mut self, (): (), _: Result<Status, Lost>) {}
}

/// What the sink does while nothing comes.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Sleeps,
    StaysAwake,
}

fn serve(mut socket: TcpStream, manner: Manner) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_nonblocking(matches!(manner, Manner::StaysAwake))?;
    let mut centre = Centre::new(CentreConfig::default(), Instant::now());
    let mut buffer = vec![0; 256 * 1024];
    while centre.closed().is_none() {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => centre.handle_bytes(Instant::now(), &buffer[..count], &mut Sink),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
        while let Some(octets) = centre.poll_transmit() {
            match socket.write(octets) {
                Ok(count) => centre.transmitted(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn sink(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            thread::spawn(move || serve(socket, manner));
        }
    });
    address
}

fn text() -> Sms<'static> {
    Sms {
        source: Address::sender("Ringtrue"),
        destination: Address::international("+447700900123"),
        registered_delivery: 1,
        short_message: WORDS.as_bytes(),
        ..Sms::default()
    }
}

/// User and system time of this thread.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("rusage");
    let seconds = usage.user_time().tv_sec() + usage.system_time().tv_sec();
    let micros = usage.user_time().tv_usec() + usage.system_time().tv_usec();
    Duration::from_secs(seconds as u64) + Duration::from_micros(micros as u64)
}

/// The session alone: one thread, one blocking socket, one buffer.
fn session(address: SocketAddr, window: u16, count: u64) -> std::io::Result<(Duration, Duration)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut config = Config::new("ringtrue", "secret");
    config.window = window;
    let mut session = Session::new(config, Instant::now()).expect("a bind that fits");
    let mut buffer = vec![0; 256 * 1024];
    session.connected(Instant::now());
    let (mut submitted, mut accepted) = (0, 0);
    let mut began = None;
    let text = text();
    while accepted < count {
        let now = Instant::now();
        while submitted < count && session.room(now) > 0 {
            session.submit(now, (), &text).expect("room");
            submitted += 1;
        }
        while let Some(octets) = session.poll_transmit() {
            let written = socket.write(octets)?;
            session.transmitted(written);
        }
        let read = socket.read(&mut buffer)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        session.handle_bytes(now, &buffer[..read]);
        while let Some(event) = session.poll_event() {
            match event {
                Event::Answered(answer) => {
                    assert!(matches!(answer.outcome, Outcome::Accepted(_)));
                    accepted += 1;
                }
                Event::Bound { .. } => began = Some((cpu(), Instant::now())),
                other => panic!("{other:?}"),
            }
        }
    }
    let (used, at) = began.expect("bound");
    Ok((cpu() - used, at.elapsed()))
}

/// The gateway's bind: orders through its queue, one tokio task for the socket, reports back; the
/// task that orders and counts runs on the same thread and is counted too.
fn bind(address: SocketAddr, window: u16, count: u64) -> (Duration, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async move {
        let mut session = Config::new("ringtrue", "secret");
        session.window = window;
        let mut config = BindConfig::new("bench", address.to_string(), session);
        config.sender = "Ringtrue".to_owned();
        let (to, mut reports) = ringtrue::sms::reports(256);
        let bind = ringtrue::sms::Bind::start(config, to).expect("a bind that fits");
        assert!(bind.bound().await);
        let (used, at) = (cpu(), Instant::now());
        let to = Address::international("+447700900123").to_owned();
        let ordering = tokio::spawn(async move {
            let deadline = Instant::now() + Duration::from_secs(600);
            for number in 0..count {
                let order = TextOrder {
                    text: TextRef(Uuid::from_u128(number.into())),
                    to: to.clone(),
                    sender: None,
                    body: Words::from(WORDS),
                    deadline,
                    patient: true,
                    withdrawal: None,
                };
                bind.send(order).await.expect("a bind that lives");
            }
            bind
        });
        let mut sent = 0;
        while sent < count {
            let batch = reports.recv_batch().await.expect("a bind that lives");
            for news in batch.news {
                let fate = match news {
                    News::Text { fate, .. } => fate,
                    News::State(_) => continue,
                    other => panic!("{other:?}"),
                };
                assert!(matches!(fate, Submission::Sent(_)));
                sent += 1;
            }
        }
        let measured = (cpu() - used, at.elapsed());
        ordering.await.expect("the orders").stop().await;
        measured
    })
}

fn npm(address: SocketAddr, window: u16, count: u64) -> (Duration, Duration) {
    let output = Command::new("node")
        .arg("client.js")
        .args([
            address.port().to_string(),
            window.to_string(),
            count.to_string(),
        ])
        .current_dir(peers::npm())
        .output()
        .expect("node");
    assert!(output.status.success(), "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("its figures");
    let seconds = |key: &str| Duration::from_secs_f64(said[key].as_f64().expect("a number"));
    (seconds("cpu"), seconds("wall"))
}

fn report(client: &str, window: u16, count: u64, (cpu, wall): (Duration, Duration)) {
    println!(
        "  {client:<12} {window:>6} {count:>9} {:>12.0} {:>12.0}",
        count as f64 / cpu.as_secs_f64(),
        count as f64 / wall.as_secs_f64(),
    );
}

fn main() {
    let asked = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    let (windows, only): (Vec<String>, Vec<String>) =
        asked.partition(|asked| asked.parse::<u16>().is_ok());
    let wanted = |client: &str, window: u16| {
        let client = only.is_empty() || only.iter().any(|name| client.contains(name));
        client && (windows.is_empty() || windows.contains(&window.to_string()))
    };
    for manner in [Manner::Sleeps, Manner::StaysAwake] {
        println!("sink {manner:?}");
        println!("  client       window     texts   per CPU-s    per second");
        run(sink(manner), wanted);
    }
}

fn run(address: SocketAddr, wanted: impl Fn(&str, u16) -> bool) {
    for (window, count) in [
        (1, 50_000),
        (10, 500_000),
        (100, 2_000_000),
        (1000, 2_000_000),
    ] {
        if !wanted("session", window) {
            continue;
        }
        let measured = thread::spawn(move || session(address, window, count))
            .join()
            .expect("the client's thread");
        report("session", window, count, measured.expect("the sink"));
    }
    for (window, count) in [(1, 50_000), (10, 200_000), (100, 500_000), (1000, 500_000)] {
        if !wanted("sms::Bind", window) {
            continue;
        }
        let measured = thread::spawn(move || bind(address, window, count))
            .join()
            .expect("the client's thread");
        report("sms::Bind", window, count, measured);
    }
    for (window, count) in [(1, 10_000), (10, 30_000), (100, 50_000), (1000, 50_000)] {
        if !wanted("npm smpp", window) {
            continue;
        }
        if !peers::node_is_there() {
            println!("  npm smpp     not measured: node and npm are not there");
            return;
        }
        report("npm smpp", window, count, npm(address, window, count));
    }
}
