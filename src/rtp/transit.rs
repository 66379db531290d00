//! How long packets take: the jitter of RFC 3550 6.4.1, and when something was really sent.

use std::time::{Duration, Instant};

use super::{CLOCK_RATE, samples_to_time};

/// Packets in one half of the window in which the shortest way is looked for, at least, ...
const HALF_WINDOW: u32 = 64;
/// ... and over how long they have come. Both, so that neither a stalled network nor the burst
/// that follows makes the window forget.
const HALF_WINDOW_TIME: Duration = Duration::from_millis(1_280);
/// How far the transits in a half window may lie apart for it to be believed: 100 ms. Packets that a
/// stall has held up and that come faster than they were sent take ever less time, and the last of
/// them would else seem to have come by the shortest way.
const STEADY: i64 = CLOCK_RATE as i64 / 10;
/// A packet that seems to have been under way longer than this has a clock of its own. As long as a
/// stream may be configured to go without a packet.
const LONGEST_DELAY: i64 = 120 * CLOCK_RATE as i64;

/// The relative transit times of one source.
#[derive(Debug, Clone, Default)]
pub(super) struct Transit {
    /// The first packet's arrival and timestamp, from which everything is counted.
    reference: Option<(Instant, u32)>,
    /// The shortest transit in this half window and in those before it that still count, in samples.
    shortest: i64,
    shortest_before: Option<i64>,
    /// The longest in this half window.
    longest: i64,
    counted: u32,
    since: Option<Instant>,
    previous: i64,
    /// Sixteen times the jitter, as RFC 3550 A.8 keeps it.
    jitter: u64,
}

fn samples_between(from: Instant, to: Instant) -> i64 {
    let samples = |d: Duration| i64::try_from(d.as_micros() / 125).unwrap_or(i64::MAX);
    match to.checked_duration_since(from) {
        Some(ahead) => samples(ahead),
        None => -samples(from.saturating_duration_since(to)),
    }
}

impl Transit {
    fn of(&self, timestamp: u32, arrived: Instant) -> Option<i64> {
        let (instant, first) = self.reference?;
        let sent = i64::from(timestamp.wrapping_sub(first) as i32);
        Some(samples_between(instant, arrived).saturating_sub(sent))
    }

    /// An audio packet with this timestamp has arrived.
    pub(super) fn observe(&mut self, timestamp: u32, arrived: Instant) {
        let Some(transit) = self.of(timestamp, arrived) else {
            self.reference = Some((arrived, timestamp));
            self.shortest = 0;
            self.longest = 0;
            self.counted = 1;
            self.since = Some(arrived);
            return;
        };
        // RFC 3550 A.8.
        let change = transit.abs_diff(self.previous).min(u64::from(u32::MAX));
        self.previous = transit;
        self.jitter = (self.jitter + change) - ((self.jitter + 8) >> 4);
        let long = self
            .since
            .is_some_and(|since| arrived.saturating_duration_since(since) >= HALF_WINDOW_TIME);
        if self.counted >= HALF_WINDOW && long {
            self.since = Some(arrived);
            let is_steady = self.longest.saturating_sub(self.shortest) <= STEADY;
            self.shortest_before = match self.shortest_before {
                Some(before) if !is_steady => Some(before.min(self.shortest)),
                _ => Some(self.shortest),
            };
            self.shortest = transit;
            self.longest = transit;
            self.counted = 0;
        }
        self.shortest = self.shortest.min(transit);
        self.longest = self.longest.max(transit);
        self.counted += 1;
    }

    /// The jitter in samples.
    pub(super) fn jitter(&self) -> u32 {
        u32::try_from(self.jitter >> 4).unwrap_or(u32::MAX)
    }

    /// When the audio packet with this timestamp would have arrived had it come by the shortest
    /// way: what was held up in the network was sent earlier than it seems. Never later than
    /// `arrived`; `arrived` itself where the timestamp tells nothing.
    pub(super) fn undelayed(&self, timestamp: u32, arrived: Instant) -> Instant {
        let Some(transit) = self.of(timestamp, arrived) else {
            return arrived;
        };
        let shortest = self
            .shortest_before
            .map_or(self.shortest, |before| before.min(self.shortest));
        match transit.saturating_sub(shortest) {
            delay @ 1..=LONGEST_DELAY => arrived
                .checked_sub(samples_to_time(delay.unsigned_abs()))
                .unwrap_or(arrived),
            _ => arrived,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    #[test]
    fn a_steady_stream_has_no_jitter() {
        let start = Instant::now();
        let mut transit = Transit::default();
        for n in 0..500u32 {
            let timestamp = (u32::MAX - 1_000).wrapping_add(n * 160);
            transit.observe(timestamp, start + FRAME * n);
        }
        assert_eq!(transit.jitter(), 0);
    }

    #[test]
    fn jitter_settles_at_the_mean_difference() {
        let start = Instant::now();
        let mut transit = Transit::default();
        for n in 0..2_000u32 {
            let late = Duration::from_millis(if n % 2 == 0 { 0 } else { 10 });
            transit.observe(n * 160, start + FRAME * n + late);
        }
        assert!(
            (78..=80).contains(&transit.jitter()),
            "{}",
            transit.jitter()
        );
    }

    #[test]
    fn a_stalled_network_does_not_hide_when_something_was_sent() {
        let start = Instant::now();
        let mut transit = Transit::default();
        for n in 0..100u32 {
            transit.observe(n * 160, start + FRAME * n);
        }
        // Two seconds of packets come at once.
        let burst = start + FRAME * 200;
        for n in 100..200u32 {
            transit.observe(n * 160, burst);
            assert_eq!(transit.undelayed(n * 160, burst), start + FRAME * n);
        }
    }

    #[test]
    fn what_a_stall_has_held_up_never_looks_fresh_however_slowly_it_comes() {
        let start = Instant::now();
        for (stall, pace) in [
            (9, 2),
            (9, 4),
            (9, 10),
            (12, 1),
            (30, 5),
            (60, 2),
            (100, 10),
        ] {
            let mut transit = Transit::default();
            for n in 0..100u32 {
                transit.observe(n * 160, start + FRAME * n);
            }
            let mut n = 100u32;
            let mut now = start + FRAME * n + Duration::from_secs(stall);
            // The packets come at a multiple of the pace at which they were sent, until none waits.
            while start + FRAME * n < now && n < 10_000 {
                transit.observe(n * 160, now);
                let sent = start + FRAME * n;
                assert_eq!(transit.undelayed(n * 160, now), sent, "{stall} {pace} {n}");
                now += FRAME / pace;
                n += 1;
                if pace == 1 && n > 150 {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_new_clock_is_learnt_within_two_windows() {
        let start = Instant::now();
        let mut transit = Transit::default();
        for n in 0..50u32 {
            transit.observe(n * 160, start + FRAME * n);
        }
        // The timestamps stop for three seconds although packets go on.
        for n in 200..330u32 {
            let timestamp = (n - 150) * 160;
            transit.observe(timestamp, start + FRAME * n);
        }
        let now = start + FRAME * 330;
        assert_eq!(transit.undelayed(180 * 160, now), now);
    }

    #[test]
    fn a_clock_of_its_own_tells_nothing() {
        let start = Instant::now();
        let mut transit = Transit::default();
        assert_eq!(transit.undelayed(7, start), start);
        transit.observe(1_000_000, start);
        assert_eq!(transit.undelayed(0, start), start);
        assert_eq!(transit.undelayed(2_000_000, start), start);
        assert_eq!(transit.undelayed(1_000_000, start), start);
    }
}
