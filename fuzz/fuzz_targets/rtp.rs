//! A stream of hostile datagrams: nothing panics, and nothing is heard that was not sent.
#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use ringtrue::audio::Codec;
use ringtrue::rtp::{Arrival, Heard, Media, Packet, Peer, Receiver};

fuzz_target!(|data: &[u8]| {
    let peer: SocketAddr = ([192, 0, 2, 1], 4_000).into();
    let other: SocketAddr = ([192, 0, 2, 2], 4_000).into();
    let media = Media::new(0, Codec::Pcmu, Some(101)).with_audio(8, Codec::Pcma);
    let (&latch, mut rest) = data.split_first().unwrap_or((&0, &[]));
    let first = if latch & 1 == 0 {
        Peer::Named(peer)
    } else {
        Peer::Latching(peer)
    };
    let mut receiver = Receiver::new(first, media);
    let mut now = Instant::now();
    let (mut given, mut heard) = (0, 0);
    // A length, how much later and from whom, then the datagram.
    while let [length, how, tail @ ..] = rest {
        let (datagram, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        if let Ok(packet) = Packet::parse(datagram) {
            assert!(packet.payload().len() + 12 <= datagram.len());
        }
        let after = now;
        now += Duration::from_millis(u64::from(how >> 1));
        let from = if how & 1 == 0 { peer } else { other };
        let arrival = Arrival { after, by: now };
        given += datagram.len();
        let mut hear = |sound: Heard<'_>| {
            if let Heard::Audio { payload, ended, .. } = sound {
                heard += payload.len();
                assert!(ended <= now);
            }
        };
        receiver.receive(from, datagram, arrival, &mut hear);
        receiver.expire(now, &mut hear);
    }
    assert!(heard <= given);
});
