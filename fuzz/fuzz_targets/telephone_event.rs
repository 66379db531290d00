//! Any sequence of telephone events: no panic, and every end belongs to a press that began.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use ringtrue::rtp::event::{Presses, TelephoneEvent};

fuzz_target!(|data: &[u8]| {
    let mut presses = Presses::new();
    let mut now = Instant::now();
    let (mut began, mut ended) = (0, 0);
    for packet in data.chunks(10) {
        let [how, t0, t1, t2, t3, payload @ ..] = packet else {
            return;
        };
        let Ok(event) = TelephoneEvent::parse(payload) else {
            continue;
        };
        assert_eq!(TelephoneEvent::parse(&event.encode()), Ok(event));
        now += Duration::from_millis(u64::from(how >> 2));
        let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
        let ssrc = u32::from(how & 1);
        let news = presses.receive(ssrc, how & 2 != 0, timestamp, &event, now);
        began += u32::from(news.began.is_some());
        ended += u32::from(news.ended_before.is_some()) + u32::from(news.ended.is_some());
        ended += u32::from(presses.expire(now).is_some());
        assert!(ended <= began);
        assert!(event.event < 16 || news.began.is_none());
    }
});
