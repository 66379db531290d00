//! The media plane over real sockets: two streams of one plane talk to each other, and strangers
//! try to join in.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ringtrue::answer::AnsweredBy;
use ringtrue::audio::{Codec, Prompt};
use ringtrue::dtmf::Digit;
use ringtrue::rtp::event::EventSender;
use ringtrue::rtp::{MAX_PACKET, Media, Packet, Sender};
use ringtrue::voice::keys::KeyPress;
use ringtrue::voice::media::{
    KeyWay, MediaConfig, MediaError, MediaPlane, StreamCommand, StreamEvent, StreamId, StreamNews,
    StreamReport, StreamSpec,
};
use ringtrue::voice::order::KeySource;
use ringtrue::voice::wire::{Plane, Tap};
use tokio::sync::mpsc;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const EVENTS: Option<u8> = Some(101);
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A plane and what it has reported.
struct Bench {
    plane: MediaPlane,
    events: mpsc::Receiver<StreamEvent>,
    heard: HashMap<StreamId, Vec<StreamEvent>>,
}

impl Bench {
    fn new(ports: RangeInclusive<u16>) -> Bench {
        Bench::tapped(ports, Tap::default())
    }

    fn tapped(ports: RangeInclusive<u16>, tap: Tap) -> Bench {
        let (sender, events) = mpsc::channel(256);
        let config = MediaConfig {
            bind: LOCAL,
            advertise: None,
            ports,
            shards: 2,
            tap,
        };
        Bench {
            plane: MediaPlane::start(config, sender).unwrap(),
            events,
            heard: HashMap::new(),
        }
    }

    /// Two streams that are each other's peer.
    fn pair(&self, alter: impl Fn(&mut StreamSpec)) -> (StreamId, StreamId) {
        let (a, b) = (self.plane.reserve().unwrap(), self.plane.reserve().unwrap());
        let (mut to_a, mut to_b) = (spec(a.addr()), spec(b.addr()));
        alter(&mut to_a);
        alter(&mut to_b);
        (
            self.plane.open(a, to_b).unwrap(),
            self.plane.open(b, to_a).unwrap(),
        )
    }

    fn command(&self, stream: StreamId, command: StreamCommand) {
        self.plane.command(stream, command).unwrap();
    }

    fn press(&self, stream: StreamId, key: char, way: KeyWay) {
        self.command(
            stream,
            StreamCommand::SendKey {
                digit: digit(key),
                way,
                held: Duration::from_millis(120),
            },
        );
    }

    /// Waits for news of a stream and returns what `pick` makes of it; all news is kept.
    async fn until<T>(&mut self, stream: StreamId, pick: impl Fn(&StreamNews) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = tokio::time::timeout(left, self.events.recv()).await;
            let event = event.expect("news in time").expect("a plane that is up");
            let found = (event.stream == stream)
                .then(|| pick(&event.news))
                .flatten();
            self.heard.entry(event.stream).or_default().push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    async fn close(&mut self, stream: StreamId) -> StreamReport {
        self.command(stream, StreamCommand::Close);
        self.until(stream, |news| match news {
            StreamNews::Closed(report) => Some(**report),
            _ => None,
        })
        .await
    }

    /// The keys a stream has reported so far.
    fn keys(&self, stream: StreamId) -> Vec<KeyPress> {
        let events = self.heard.get(&stream).into_iter().flatten();
        let keys = events.filter_map(|event| match event.news {
            StreamNews::Key(key) => Some(key),
            _ => None,
        });
        keys.collect()
    }

    fn count(&self, stream: StreamId, is: impl Fn(&StreamNews) -> bool) -> usize {
        let events = self.heard.get(&stream).into_iter().flatten();
        events.filter(|event| is(&event.news)).count()
    }
}

fn digit(key: char) -> Digit {
    Digit::from_char(key).unwrap()
}

fn spec(remote: SocketAddr) -> StreamSpec {
    StreamSpec {
        remote,
        codec: Codec::Pcmu,
        payload_type: Codec::Pcmu.payload_type(),
        event: EVENTS,
        hears: Media::new(Codec::Pcmu.payload_type(), Codec::Pcmu, EVENTS),
        latch: false,
        media_timeout: Duration::from_secs(30),
    }
}

/// Noise too soft to matter, different in every frame.
fn prompt(frames: usize) -> Prompt {
    let mut state = 1u32;
    let samples: Vec<i16> = (0..frames * 160)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 22) as i16 - 512
        })
        .collect();
    Prompt::from_samples("noise", &samples)
}

fn is_finished(news: &StreamNews) -> Option<u32> {
    match news {
        StreamNews::Finished { tag } => Some(*tag),
        _ => None,
    }
}

fn is_key(news: &StreamNews) -> Option<KeyPress> {
    match news {
        StreamNews::Key(key) => Some(*key),
        _ => None,
    }
}

#[tokio::test]
async fn a_prompt_arrives_whole_in_order_and_in_time() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let (tap, mut tapped) = Tap::open(4_096);
        let mut bench = Bench::tapped(24_000..=24_099, tap);
        // Not the static payload type: what was negotiated goes on the wire.
        let (a, b) = bench.pair(|spec| {
            spec.codec = codec;
            spec.payload_type = 97;
            spec.hears = Media::new(97, codec, None);
        });
        // Once both send, both hear; what came before a stream was open is not heard.
        let mut senders = HashSet::new();
        while senders.len() < 2 {
            let datagram = tapped.recv().await.unwrap();
            if datagram.sent {
                senders.insert(datagram.from);
            }
        }
        let prompts = vec![prompt(40), prompt(7)];
        let play = StreamCommand::Play {
            prompts: prompts.clone(),
            tag: 5,
        };
        bench.command(a, play);
        assert_eq!(bench.until(a, is_finished).await, 5);
        bench.close(a).await;
        let report = bench.close(b).await;
        assert_eq!(
            bench.count(a, |n| matches!(n, StreamNews::Started { tag: 5 })),
            1
        );
        assert_eq!(
            bench.count(a, |n| matches!(n, StreamNews::Stopped { .. })),
            0
        );
        assert_eq!((report.received.lost, report.received.wrong_source), (0, 0));

        // What A sent, as the tap saw it; and that B received the same.
        let expected: Vec<&[u8]> = prompts
            .iter()
            .flat_map(|p| (0..p.frames()).map(|n| p.frame(codec, n).unwrap()))
            .collect();
        let (mut playing, mut times, mut arrived) = (Vec::new(), Vec::new(), 0);
        while let Ok(datagram) = tapped.try_recv() {
            assert!(datagram.plane == Plane::Media);
            let packet = Packet::parse(&datagram.bytes).unwrap();
            assert_eq!(packet.payload_type(), 97);
            if packet.payload().iter().all(|o| *o == codec.silence()) {
                continue;
            }
            if datagram.sent {
                assert_eq!(packet.payload(), expected[playing.len()]);
                playing.push((packet.sequence(), packet.timestamp()));
                times.push(datagram.at);
            } else {
                assert_eq!(packet.payload(), expected[arrived]);
                arrived += 1;
            }
        }
        assert_eq!(arrived, expected.len());
        assert_eq!(playing.len(), expected.len());
        for pair in playing.windows(2) {
            assert_eq!(pair[1].0, pair[0].0.wrapping_add(1));
            assert_eq!((pair[1].1.wrapping_sub(pair[0].1)) % 160, 0);
        }
        let lasted = times[46].duration_since(times[0]).unwrap().as_millis();
        assert!(
            (860..=1_500).contains(&lasted),
            "46 frames took {lasted} ms"
        );
    }
}

#[tokio::test]
async fn keys_are_heard_once_while_a_prompt_plays() {
    let ways = [
        (EVENTS, KeyWay::Rfc4733, KeySource::Rfc4733),
        (EVENTS, KeyWay::InBand, KeySource::InBand),
        (None, KeyWay::InBand, KeySource::InBand),
        (None, KeyWay::Rfc4733, KeySource::InBand),
    ];
    let mut bench = Bench::new(24_100..=24_199);
    for (event, way, source) in ways {
        let (engine, phone) = bench.pair(|spec| spec.event = event);
        let prompts = vec![prompt(500)];
        bench.command(engine, StreamCommand::Play { prompts, tag: 1 });
        let before = Instant::now();
        for key in ['1', '#', '#', '*'] {
            bench.press(phone, key, way);
        }
        while bench.until(engine, is_key).await.digit != Digit::STAR {}
        tokio::time::sleep(Duration::from_millis(300)).await;
        bench.close(engine).await;
        let report = bench.close(phone).await;
        let keys = bench.keys(engine);
        let digits: String = keys.iter().map(|key| key.digit.as_char()).collect();
        assert_eq!(digits, "1##*", "{event:?} {way:?}");
        assert!(keys.iter().all(|key| key.source == source), "{keys:?}");
        for key in &keys {
            assert!(key.began <= key.heard);
            assert!(key.began + Duration::from_millis(60) > before, "{keys:?}");
        }
        for pair in keys.windows(2) {
            let apart = pair[1].began.duration_since(pair[0].began).as_millis();
            assert!((160..=320).contains(&apart), "pressed {apart} ms apart");
        }
        assert_eq!(bench.keys(phone), []);
        assert!(report.received.received > 30);
        assert_eq!(
            bench.count(engine, |n| matches!(n, StreamNews::Finished { .. })),
            0
        );
    }
}

/// A `#` as somebody else would send it.
fn forged(seed: u64) -> Vec<Vec<u8>> {
    let mut sender = Sender::new(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut buffer = [0; MAX_PACKET];
    EventSender::new(Digit::HASH, 800, sender.timestamp())
        .map(|report| sender.event(101, &report, &mut buffer).unwrap().to_vec())
        .collect()
}

#[tokio::test]
async fn a_stranger_is_counted_and_never_heard() {
    let mut bench = Bench::new(24_200..=24_299);
    let (a, b) = (
        bench.plane.reserve().unwrap(),
        bench.plane.reserve().unwrap(),
    );
    let (to_a, to_b) = (a.addr(), b.addr());
    let a = bench.plane.open(a, spec(to_b)).unwrap();
    let b = bench.plane.open(b, spec(to_a)).unwrap();
    bench.press(b, '1', KeyWay::Rfc4733);
    bench.until(a, is_key).await;
    let stranger = UdpSocket::bind((LOCAL, 0)).unwrap();
    for packet in forged(1) {
        stranger.send_to(&packet, to_a).unwrap();
    }
    let from = bench
        .until(a, |news| match news {
            StreamNews::WrongSource { from } => Some(*from),
            _ => None,
        })
        .await;
    assert_eq!(from, stranger.local_addr().unwrap());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let report = bench.close(a).await;
    assert_eq!(report.received.wrong_source, 7);
    assert_eq!(bench.keys(a).len(), 1);
    assert_eq!(
        bench.count(a, |n| matches!(n, StreamNews::WrongSource { .. })),
        1
    );
    // Nothing was ever sent there.
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 200]).is_err());
}

#[tokio::test]
async fn what_came_before_the_stream_was_opened_is_not_heard() {
    let mut bench = Bench::new(24_300..=24_399);
    let a = bench.plane.reserve().unwrap();
    let phone = UdpSocket::bind((LOCAL, 0)).unwrap();
    for packet in forged(2) {
        phone.send_to(&packet, a.addr()).unwrap();
    }
    let latching = StreamSpec {
        latch: true,
        ..spec(phone.local_addr().unwrap())
    };
    let a = bench.plane.open(a, latching).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let report = bench.close(a).await;
    assert_eq!(bench.keys(a), []);
    assert_eq!(report.received.received, 0);
}

#[tokio::test]
async fn a_latching_stream_answers_and_keeps_the_first_that_speaks() {
    let mut bench = Bench::new(24_400..=24_499);
    let nowhere = UdpSocket::bind((LOCAL, 0)).unwrap();
    let (a, b) = (
        bench.plane.reserve().unwrap(),
        bench.plane.reserve().unwrap(),
    );
    let (to_a, to_b) = (a.addr(), b.addr());
    let latching = StreamSpec {
        latch: true,
        ..spec(nowhere.local_addr().unwrap())
    };
    let a = bench.plane.open(a, latching).unwrap();
    let stranger = UdpSocket::bind((LOCAL, 0)).unwrap();
    stranger.send_to(b"no RTP", to_a).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let b = bench.plane.open(b, spec(to_a)).unwrap();
    let latched = bench
        .until(a, |news| match news {
            StreamNews::Latched { to } => Some(*to),
            _ => None,
        })
        .await;
    assert_eq!(latched, to_b);
    for packet in forged(3) {
        stranger.send_to(&packet, to_a).unwrap();
        nowhere.send_to(&packet, to_a).unwrap();
    }
    bench.press(b, '5', KeyWay::Rfc4733);
    assert_eq!(bench.until(a, is_key).await.digit, digit('5'));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (ours, theirs) = (bench.close(a).await, bench.close(b).await);
    assert_eq!(bench.keys(a).len(), 1);
    assert_eq!(ours.received.wrong_source, 14);
    assert!(theirs.received.received > 5, "it is answered");
}

#[tokio::test]
async fn a_silent_peer_is_reported_once_until_it_speaks_again() {
    let mut bench = Bench::new(24_500..=24_599);
    let a = bench.plane.reserve().unwrap();
    let to_a = a.addr();
    let phone = UdpSocket::bind((LOCAL, 0)).unwrap();
    let timeout = Duration::from_millis(150);
    let impatient = StreamSpec {
        media_timeout: timeout,
        ..spec(phone.local_addr().unwrap())
    };
    let opened = Instant::now();
    let a = bench.plane.open(a, impatient).unwrap();
    let no_media = |news: &StreamNews| matches!(news, StreamNews::NoMedia).then_some(());
    bench.until(a, no_media).await;
    assert!(opened.elapsed() >= timeout);
    tokio::time::sleep(2 * timeout).await;
    phone.send_to(&forged(4)[0], to_a).unwrap();
    bench.until(a, no_media).await;
    bench.close(a).await;
    assert_eq!(bench.count(a, |n| matches!(n, StreamNews::NoMedia)), 2);
    assert_eq!(bench.keys(a).len(), 1);
}

#[tokio::test]
async fn an_info_of_a_press_that_was_heard_is_no_second_key() {
    let mut bench = Bench::new(24_600..=24_699);
    let (engine, phone) = bench.pair(|_| ());
    let info = |key| StreamCommand::Info {
        digit: digit(key),
        held: Some(Duration::from_millis(120)),
        at: Instant::now(),
    };
    bench.press(phone, '#', KeyWay::Rfc4733);
    bench.until(engine, is_key).await;
    bench.command(engine, info('#'));
    bench.command(engine, info('0'));
    let key = bench.until(engine, is_key).await;
    assert_eq!((key.digit, key.source), (digit('0'), KeySource::SipInfo));
    bench.close(engine).await;
    assert_eq!(bench.keys(engine).len(), 2);
}

#[tokio::test]
async fn playing_can_be_cut_replaced_and_stopped() {
    let mut bench = Bench::new(24_700..=24_799);
    let (a, _) = bench.pair(|_| ());
    let play = |frames, tag| StreamCommand::Play {
        prompts: vec![prompt(frames)],
        tag,
    };
    let stopped = |news: &StreamNews| match news {
        StreamNews::Stopped { tag } => Some(*tag),
        _ => None,
    };
    bench.command(a, play(500, 1));
    bench.command(a, play(500, 2));
    assert_eq!(bench.until(a, stopped).await, 1);
    bench.command(a, StreamCommand::StopPlaying);
    assert_eq!(bench.until(a, stopped).await, 2);
    bench.command(a, StreamCommand::StopPlaying);
    bench.command(a, play(0, 3));
    assert_eq!(bench.until(a, is_finished).await, 3);
    bench.command(a, play(3, 4));
    assert_eq!(bench.until(a, is_finished).await, 4);
    bench.close(a).await;
    assert_eq!(
        bench.count(a, |n| matches!(n, StreamNews::Stopped { .. })),
        2
    );
}

#[tokio::test]
async fn a_redirected_stream_follows() {
    let mut bench = Bench::new(24_800..=24_899);
    let (engine, phone, moved) = (
        bench.plane.reserve().unwrap(),
        bench.plane.reserve().unwrap(),
        bench.plane.reserve().unwrap(),
    );
    let (to_engine, to_phone, to_moved) = (engine.addr(), phone.addr(), moved.addr());
    let engine = bench.plane.open(engine, spec(to_phone)).unwrap();
    let phone = bench.plane.open(phone, spec(to_engine)).unwrap();
    // The phone moves to another port, to A-law, and away from telephone events.
    let alaw = |remote| StreamSpec {
        codec: Codec::Pcma,
        payload_type: Codec::Pcma.payload_type(),
        event: None,
        hears: Media::new(Codec::Pcma.payload_type(), Codec::Pcma, None),
        ..spec(remote)
    };
    let moved = bench.plane.open(moved, alaw(to_engine)).unwrap();
    bench
        .until(engine, |news| {
            matches!(news, StreamNews::WrongSource { from } if *from == to_moved).then_some(())
        })
        .await;
    bench.close(phone).await;
    bench.command(engine, StreamCommand::Redirect(alaw(to_moved)));
    bench.press(moved, '7', KeyWay::InBand);
    let key = bench.until(engine, is_key).await;
    assert_eq!((key.digit, key.source), (digit('7'), KeySource::InBand));
    let report = bench.close(moved).await;
    assert!(report.received.received > 0, "it is answered");
}

#[tokio::test]
async fn ports_run_out_with_an_error_and_come_back() {
    let bench = Bench::new(24_900..=24_905);
    let held: Vec<_> = (0..3).map(|_| bench.plane.reserve().unwrap()).collect();
    let error = bench.plane.reserve().unwrap_err();
    assert!(matches!(error, MediaError::NoPort(3)), "{error}");
    drop(held);
    let again = bench.plane.reserve().unwrap();
    assert_eq!(again.addr().port() % 2, 0);
    let other = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 4_000));
    let error = bench.plane.open(again, spec(other)).unwrap_err();
    assert!(matches!(error, MediaError::OtherFamily), "{error}");
    assert!(bench.plane.reserve().is_ok());
}

#[tokio::test]
async fn early_media_is_thrown_away_however_much_it_is() {
    let mut bench = Bench::new(24_920..=24_999);
    let a = bench.plane.reserve().unwrap();
    let phone = UdpSocket::bind((LOCAL, 0)).unwrap();
    let mut early = Sender::new(&mut ChaCha8Rng::seed_from_u64(5));
    let mut buffer = [0; MAX_PACKET];
    // Six seconds of ringing tone, and a key pressed in it.
    for _ in 0..300 {
        let packet = early.audio(0, &[0x55; 160], &mut buffer).unwrap();
        phone.send_to(packet, a.addr()).unwrap();
    }
    for packet in forged(5) {
        phone.send_to(&packet, a.addr()).unwrap();
    }
    let a = bench
        .plane
        .open(a, spec(phone.local_addr().unwrap()))
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let report = bench.close(a).await;
    assert_eq!(bench.keys(a), []);
    assert_eq!(report.received.received, 0);
}

#[tokio::test]
async fn ipv6_carries_media_too() {
    let (sender, mut events) = mpsc::channel(64);
    let config = MediaConfig {
        bind: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        advertise: None,
        ports: 25_200..=25_299,
        shards: 1,
        tap: Tap::default(),
    };
    let plane = MediaPlane::start(config, sender).unwrap();
    let (a, b) = match (plane.reserve(), plane.reserve()) {
        (Ok(a), Ok(b)) => (a, b),
        // A machine without IPv6 says so.
        (a, _) => return assert!(matches!(a, Err(MediaError::Socket(_))), "{a:?}"),
    };
    let (to_a, to_b) = (spec(a.addr()), spec(b.addr()));
    let a = plane.open(a, to_b).unwrap();
    let b = plane.open(b, to_a).unwrap();
    let press = StreamCommand::SendKey {
        digit: Digit::HASH,
        way: KeyWay::Rfc4733,
        held: Duration::from_millis(100),
    };
    plane.command(b, press).unwrap();
    let event = tokio::time::timeout(PATIENCE, events.recv()).await;
    let event = event.unwrap().unwrap();
    assert_eq!(event.stream, a);
    assert!(is_key(&event.news).is_some(), "{event:?}");
}

#[tokio::test]
async fn a_fax_at_the_other_end_is_told() {
    let mut bench = Bench::new(25_200..=25_299);
    let (fax, engine) = bench.pair(|_| ());
    let tone: Vec<i16> = (0..12_000)
        .map(|n| ((f64::from(n) * 2_100.0 / 8_000.0 * std::f64::consts::TAU).sin() * 4e3) as i16)
        .collect();
    let prompts = vec![Prompt::from_samples("ced", &tone)];
    bench.command(fax, StreamCommand::Play { prompts, tag: 1 });
    let by = bench
        .until(engine, |news| match news {
            StreamNews::AnsweredBy(by) => Some(*by),
            _ => None,
        })
        .await;
    assert_eq!(by, AnsweredBy::Fax);
}

#[tokio::test]
async fn everything_ends_with_the_plane() {
    let mut bench = Bench::new(25_000..=25_099);
    let (a, b) = bench.pair(|_| ());
    bench.press(a, '3', KeyWay::Rfc4733);
    bench.until(b, is_key).await;
    let plane = bench.plane.clone();
    plane.shutdown();
    let mut closed = Vec::new();
    while let Some(event) = bench.events.recv().await {
        if matches!(event.news, StreamNews::Closed(_)) {
            closed.push(event.stream);
        }
    }
    closed.sort();
    assert_eq!(closed, [a, b]);
    let error = plane.command(a, StreamCommand::StopPlaying).unwrap_err();
    assert!(matches!(error, MediaError::Down), "{error}");

    // And with the last handle, without being told.
    let Bench {
        plane, mut events, ..
    } = Bench::new(25_000..=25_099);
    drop(plane);
    let end = tokio::time::timeout(PATIENCE, events.recv()).await;
    assert!(end.unwrap().is_none());
}
