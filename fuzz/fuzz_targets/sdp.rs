//! Any session description is read as an answer and answered as an offer without a panic, and
//! what is answered can be read.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use ringtrue::audio::Codec;
use ringtrue::sdp::{Answer, Description, Offer, SessionId};

fuzz_target!(|data: &[u8]| {
    let local = SocketAddr::from(([192, 0, 2, 1], 20_000));
    let codecs = [Codec::Pcma, Codec::Pcmu];
    let offer = Offer::new(local, &codecs, Some(101), SessionId::new(1)).expect("a sound offer");
    let _ = offer.read_answer(data);
    let Ok(description) = Description::parse(data) else {
        return;
    };
    if let Ok(answer) = Answer::new(&description, local, &codecs, true, SessionId::new(2)) {
        let read = Description::parse(answer.as_str().as_bytes()).expect("ours is sound");
        assert_eq!(read.media.len(), description.media.len());
        assert!(read.audio().is_ok());
    }
});
