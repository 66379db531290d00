//! How long packets take: the jitter of RFC 3550 6.4.1, and when something was really sent.

use std::time::{Duration, Instant};

use super::{CLOCK_RATE, samples_to_time};

/// Packets in one half of the window in which the shortest way is looked for. Counted in packets,
/// so that a stalled network does not make the window forget.
const HALF_WINDOW: u32 = 128;
/// A packet that seems to have been under way longer than this has a clock of its own.
const LONGEST_DELAY: i64 = 10 * CLOCK_RATE as i64;

/// The relative transit times of one source.
#[derive(Debug, Clone, Default)]
pub(super) struct Transit {
    /// The first packet's arrival and timestamp, from which everything is counted.
    reference: Option<(Instant, u32)>,
    /// The shortest transit in this and the previous half window, in samples.
    shortest: i64,
    shortest_before: Option<i64>,
    counted: u32,
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
            self.counted = 1;
            return;
        };
        // RFC 3550 A.8.
        let change = transit.abs_diff(self.previous).min(u64::from(u32::MAX));
        self.previous = transit;
        self.jitter = (self.jitter + change) - ((self.jitter + 8) >> 4);
        if self.counted >= HALF_WINDOW {
            self.shortest_before = Some(self.shortest);
            self.shortest = transit;
            self.counted = 0;
        }
        self.shortest = self.shortest.min(transit);
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
            transit.observe((u32::MAX - 1000).wrapping_add(n * 160), start + FRAME * n);
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
    fn a_new_clock_is_learnt_within_two_windows() {
        let start = Instant::now();
        let mut transit = Transit::default();
        for n in 0..50u32 {
            transit.observe(n * 160, start + FRAME * n);
        }
        // The timestamps stop for three seconds although packets go on.
        for n in 200..460u32 {
            let timestamp = (n - 150) * 160;
            transit.observe(timestamp, start + FRAME * n);
        }
        let now = start + FRAME * 460;
        assert_eq!(transit.undelayed(310 * 160, now), now);
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
