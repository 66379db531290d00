//! SIP messages a CPU second: `cargo bench --bench sip_message`, or a part of it with words of the
//! cases' names behind it: `cargo bench --bench sip_message -- parse`.
//!
//! Counts this process's own CPU time (getrusage), so that a busy machine disturbs little; each
//! case runs several rounds and the best is shown, beside how it compares with merely copying and
//! searching the same octets.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use ringtrue::audio::Codec;
use ringtrue::sdp::{Offer, SessionId};
use ringtrue::sip::digest::{Credentials, answer};
use ringtrue::sip::message::{Message, Method, Name, Writer};

/// CPU time of one round.
const ROUND: Duration = Duration::from_millis(300);
const ROUNDS: usize = 7;
/// The size of message the figures are given for.
const OCTETS: usize = 978;

const SDP: &str = "v=0\r\n\
    o=- 4611686018427387 1 IN IP4 192.0.2.10\r\n\
    s=-\r\n\
    c=IN IP4 192.0.2.10\r\n\
    t=0 0\r\n\
    m=audio 20000 RTP/AVP 0 8 101\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=ptime:20\r\n\
    a=sendrecv\r\n";

/// The fields of the INVITE; the last is padded to [`OCTETS`].
const FIELDS: [(Name, &str); 12] = [
    (
        Name::Via,
        "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK74bf9a21c0d84e6f;rport",
    ),
    (Name::MaxForwards, "70"),
    (
        Name::From,
        "\"Sign-in verification\" <sip:+442079460100@192.0.2.10>;tag=9fxced76sl",
    ),
    (Name::To, "<sip:+442079460123@carrier.example.com>"),
    (Name::CallId, "3848276298220188511@192.0.2.10"),
    (Name::CSeq, "314159 INVITE"),
    (
        Name::Contact,
        "<sip:ringtrue@192.0.2.10:5060;transport=udp>",
    ),
    (
        Name::Allow,
        "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK",
    ),
    (Name::Supported, "100rel, timer, replaces"),
    (
        Name::PAssertedIdentity,
        "<sip:+442079460100@carrier.example.com>",
    ),
    (Name::SessionExpires, "1800;refresher=uac"),
    (Name::UserAgent, "Ringtrue/0.1 (verification; "),
];
const URI: &str = "sip:+442079460123@carrier.example.com;user=phone";

fn write(buffer: &mut Vec<u8>, user_agent: &str) {
    buffer.clear();
    let mut writer = Writer::request(buffer, Method::Invite, URI);
    for (name, value) in FIELDS {
        let value = if name == Name::UserAgent {
            user_agent
        } else {
            value
        };
        writer.header(name, value);
    }
    writer.body("application/sdp", SDP.as_bytes());
    writer.finish().expect("a sound message");
}

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel knows our own usage");
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

/// Whether the command line asks for a case.
fn is_wanted(case: &str) -> bool {
    let mut words = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .peekable();
    words.peek().is_none() || words.any(|word| case.contains(&word))
}

/// Times a case: the best of the rounds, in runs a CPU second.
fn best(run: &mut dyn FnMut()) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..ROUNDS {
        let start = cpu();
        let mut runs = 0u32;
        let spent = loop {
            for _ in 0..2_000 {
                run();
            }
            runs += 2_000;
            let spent = cpu() - start;
            if spent >= ROUND {
                break spent;
            }
        };
        best = best.max(f64::from(runs) / spent.as_secs_f64());
    }
    best
}

fn main() {
    let mut invite = Vec::new();
    let short = FIELDS[FIELDS.len() - 1].1;
    write(&mut invite, short);
    let user_agent = format!("{short}{})", "x".repeat(OCTETS - invite.len() - 1));
    write(&mut invite, &user_agent);
    assert_eq!(invite.len(), OCTETS);
    let message = Message::parse(&invite).expect("a sound message");
    assert_eq!(message.validate(), Ok(()));
    println!(
        "INVITE with SDP, {OCTETS} octets, {} fields",
        message.fields().count()
    );

    let mut copy = Vec::with_capacity(2 * OCTETS);
    let plain = best(&mut || {
        copy.clear();
        copy.extend_from_slice(black_box(&invite));
        black_box(memchr::memchr_iter(b'\n', &copy).count());
    });
    let show = |case: &str, run: &mut dyn FnMut()| {
        if !is_wanted(case) {
            return;
        }
        let rate = best(run);
        println!(
            "{case:<44} {rate:>12.0}/s {:>8.0} ns {:>8.1} x",
            1e9 / rate,
            plain / rate
        );
    };
    println!(
        "{:<44} {plain:>12.0}/s {:>8.0} ns {:>8.1} x",
        "copy it and search its line ends",
        1e9 / plain,
        1.0
    );

    show("parse", &mut || {
        black_box(Message::parse(black_box(&invite)).is_ok());
    });
    show("parse, and read Via, From, To, CSeq, Contact", &mut || {
        let message = Message::parse(black_box(&invite)).expect("sound");
        black_box((
            message.via().expect("sound"),
            message.from().expect("sound"),
            message.to().expect("sound"),
            message.cseq().expect("sound"),
            message.contact().expect("sound"),
        ));
    });
    show("parse and validate", &mut || {
        let message = Message::parse(black_box(&invite)).expect("sound");
        black_box(message.validate().is_ok());
    });
    let mut buffer = Vec::with_capacity(2 * OCTETS);
    show("write", &mut || {
        write(black_box(&mut buffer), black_box(&user_agent));
    });
    let source: SocketAddr = "192.0.2.10:5060".parse().expect("an address");
    show("write the reply to it", &mut || {
        buffer.clear();
        let writer = Writer::reply(&mut buffer, &message, source, 180, "Ringing", Some("a1"));
        black_box(writer.finish().is_ok());
    });
    let local = "192.0.2.10:20000".parse().expect("an address");
    let offer = Offer::new(
        local,
        &[Codec::Pcmu, Codec::Pcma],
        Some(101),
        SessionId::new(1),
    )
    .expect("a sound offer");
    show("read an SDP answer", &mut || {
        black_box(offer.read_answer(black_box(SDP.as_bytes())).is_ok());
    });
    show("write an SDP offer", &mut || {
        black_box(offer.to_string());
    });
    let credentials = Credentials {
        username: "ringtrue",
        password: "secret",
    };
    let challenge = "Digest realm=\"carrier.example.com\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv\", \
                     qop=\"auth\", algorithm=SHA-256";
    show("answer a digest challenge, SHA-256", &mut || {
        let value = answer(
            black_box(challenge),
            &credentials,
            Method::Invite,
            URI,
            b"",
            "0a4f113b0a4f113b",
            1,
        );
        black_box(value.is_ok());
    });
}
