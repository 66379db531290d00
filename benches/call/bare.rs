//! The price of system calls alone.

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::thread_time;

/// Octets of an RTP packet of 20 ms.
pub const RTP: usize = 172;
/// Octets of a SIP message of a call, in the mean.
const SIP: usize = 450;
/// Octets of a request and of its answer.
const HTTP: (usize, usize) = (260, 500);
/// Pages of the write-ahead log that a challenge's beginning or end changes, and the octets before
/// each.
const FRAMES: usize = 7;
const HEADER: usize = 24;
const PAGE: usize = 4_096;

/// CPU time of sending a datagram of that length over the loopback, and of receiving one, as fast as
/// it goes.
pub fn datagram(octets: usize) -> anyhow::Result<(Duration, Duration)> {
    const AT_ONCE: u32 = 64;
    const ROUNDS: u32 = 1_000;
    let (ours, theirs) = (udp()?, udp()?);
    let to = theirs.local_addr()?;
    let datagram = vec![0x55; octets];
    let mut buffer = vec![0; 65_535];
    let (mut sending, mut receiving) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let start = thread_time();
        for _ in 0..AT_ONCE {
            ours.send_to(&datagram, to)?;
        }
        let sent = thread_time();
        for _ in 0..AT_ONCE {
            theirs.recv_from(&mut buffer)?;
        }
        sending += sent - start;
        receiving += thread_time() - sent;
    }
    Ok((sending / (AT_ONCE * ROUNDS), receiving / (AT_ONCE * ROUNDS)))
}

/// CPU time of all system calls that a verification cannot do without, at 50 verifications a second
/// that last 1.6 s each, in one thread that does nothing else and wakes twice in 20 ms: 80 packets each
/// way on as many sockets, three SIP messages each way, two requests and their answers, two durable
/// writes to a log that was written before.
pub fn verification() -> anyhow::Result<Duration> {
    const STREAMS: usize = 80;
    const TICKS: u32 = 500;
    const HALF: Duration = Duration::from_millis(10);
    let streams = (0..STREAMS).map(|_| udp()).collect::<Result<Vec<_>, _>>()?;
    let addresses = streams.iter().map(UdpSocket::local_addr);
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    let (ours, theirs) = (udp()?, udp()?);
    ours.connect(theirs.local_addr()?)?;
    theirs.connect(ours.local_addr()?)?;
    let (mut served, mut asking) = tcp()?;
    let mut log = tempfile::tempfile()?;
    log.write_all(&vec![0; TICKS as usize * FRAMES * (HEADER + PAGE) * 2])?;
    log.sync_all()?;
    log.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 65_535];
    let mut of_others = Duration::ZERO;
    let (began, start) = (Instant::now(), thread_time());
    for half in 0..2 * TICKS {
        let due = began + HALF * half;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let messages = 1 + half % 2;
        let theirs_began = thread_time();
        asking.write_all(&[0x55; HTTP.0])?;
        for _ in 0..messages {
            theirs.send(&[0x55; SIP])?;
        }
        of_others += thread_time() - theirs_began;
        let own = half as usize % 2..STREAMS;
        for (stream, to) in own.step_by(2).map(|n| (n, (n + 2) % STREAMS)) {
            streams[stream].send_to(&[0x55; RTP], addresses[to])?;
            // The first time nothing has come yet.
            let _ = streams[stream].recv_from(&mut buffer);
        }
        for _ in 0..messages {
            ours.recv(&mut buffer)?;
            ours.send(&[0x55; SIP])?;
        }
        served.read_exact(&mut buffer[..HTTP.0])?;
        for _ in 0..FRAMES {
            log.write_all(&buffer[..HEADER])?;
            log.write_all(&buffer[..PAGE])?;
        }
        log.sync_data()?;
        served.write_all(&buffer[..HTTP.1])?;
        let theirs_began = thread_time();
        asking.read_exact(&mut buffer[..HTTP.1])?;
        for _ in 0..messages {
            theirs.recv(&mut buffer)?;
        }
        of_others += thread_time() - theirs_began;
    }
    Ok((thread_time() - start - of_others) / TICKS)
}

fn udp() -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A connection's two ends.
fn tcp() -> std::io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let asking = TcpStream::connect(listener.local_addr()?)?;
    let (served, _) = listener.accept()?;
    Ok((served, asking))
}
