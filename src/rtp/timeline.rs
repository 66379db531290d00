//! From packets in order to audio in time: what was lost is marked, pauses are told from losses.
//!
//! Nothing is invented to stand in for a loss. Repeated audio could make a short tone long enough
//! to be a key, and silence could split a long one; a stretch marked as lost does neither.

use super::receiver::Heard;
use super::transit::Transit;
use super::window::{Content, Item};

/// A longer step of the timestamp is no pause but another clock.
const LONGEST_PAUSE: u32 = 60 * super::CLOCK_RATE;
/// The most that is counted as lost between two packets.
const LONGEST_LOSS: u64 = 60 * super::CLOCK_RATE as u64;

/// Where one source stands in its own time.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The timestamp that follows the last audio, and the samples of its packet.
    last: Option<(u32, usize)>,
    missing: u64,
}

impl Timeline {
    /// A new source begins: nothing of the old one is counted on.
    pub(super) fn restart(&mut self) {
        *self = Timeline::default();
    }

    /// Takes what left the window and tells what is to be heard.
    pub(super) fn advance(
        &mut self,
        item: Item<'_>,
        transit: &Transit,
        hear: &mut impl FnMut(Heard<'_>),
    ) {
        match item {
            Item::Missing(count) => self.missing = self.missing.saturating_add(count),
            Item::Packet(Content::Other, _) => {}
            Item::Packet(
                Content::Audio {
                    codec,
                    timestamp,
                    payload,
                },
                arrival,
            ) => {
                self.bridge(timestamp, hear);
                let ended = transit.undelayed(timestamp, arrival.after);
                hear(Heard::Audio {
                    codec,
                    payload,
                    ended,
                });
                let next = timestamp.wrapping_add(payload.len() as u32);
                self.last = Some((next, payload.len()));
            }
        }
    }

    /// Accounts for the time between the last audio and the one at `timestamp`.
    fn bridge(&mut self, timestamp: u32, hear: &mut impl FnMut(Heard<'_>)) {
        let missing = std::mem::take(&mut self.missing);
        let Some((expected, packet)) = self.last else {
            return;
        };
        let lost = missing.saturating_mul(packet as u64).min(LONGEST_LOSS) as u32;
        // A clock that stands still or jumps is not believed: then the sequence numbers alone say
        // whether anything is missing.
        let (lost, pause) = match timestamp.wrapping_sub(expected) {
            gap @ 0..=LONGEST_PAUSE => (lost.min(gap), gap - lost.min(gap)),
            _ => (lost, 0),
        };
        if lost > 0 {
            hear(Heard::Lost { samples: lost });
        }
        if pause > 0 {
            hear(Heard::Pause { samples: pause });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::rtp::Arrival;

    fn run(steps: &[(u64, u32)]) -> Vec<String> {
        let now = Instant::now();
        let arrival = Arrival {
            after: now,
            by: now,
        };
        let mut timeline = Timeline::default();
        let mut heard = Vec::new();
        let mut note = |h: Heard<'_>| {
            heard.push(match h {
                Heard::Audio { payload, .. } => format!("audio {}", payload.len()),
                Heard::Lost { samples } => format!("lost {samples}"),
                Heard::Pause { samples } => format!("pause {samples}"),
                Heard::Break => "break".into(),
            })
        };
        let transit = Transit::default();
        for (missing, timestamp) in steps {
            if *missing > 0 {
                timeline.advance(Item::Missing(*missing), &transit, &mut note);
            }
            let content = Content::Audio {
                codec: crate::audio::Codec::Pcmu,
                timestamp: *timestamp,
                payload: &[1; 160],
            };
            timeline.advance(Item::Packet(content, arrival), &transit, &mut note);
        }
        heard
    }

    #[test]
    fn audio_in_order_is_only_passed_on() {
        let start = u32::MAX - 159;
        assert_eq!(run(&[(0, start), (0, 0), (0, 160)]), ["audio 160"; 3]);
    }

    #[test]
    fn a_loss_is_marked() {
        let heard = run(&[(0, 0), (1, 320)]);
        assert_eq!(heard, ["audio 160", "lost 160", "audio 160"]);
        let heard = run(&[(0, 0), (5, 960)]);
        assert_eq!(heard, ["audio 160", "lost 800", "audio 160"]);
        // What was missing was telephone events, not audio.
        assert_eq!(run(&[(0, 0), (1, 160)]), ["audio 160"; 2]);
    }

    #[test]
    fn a_pause_is_no_loss() {
        let heard = run(&[(0, 0), (0, 8_000)]);
        assert_eq!(heard, ["audio 160", "pause 7840", "audio 160"]);
        let heard = run(&[(0, 0), (1, 8_000)]);
        assert_eq!(heard[1..], ["lost 160", "pause 7680", "audio 160"]);
    }

    #[test]
    fn a_broken_clock_is_not_believed() {
        assert_eq!(run(&[(0, 7), (0, 7), (0, 7)]), ["audio 160"; 3]);
        assert_eq!(run(&[(0, 1 << 31), (0, 5)]), ["audio 160"; 2]);
        assert_eq!(run(&[(0, 1 << 31), (1, 5)])[1], "lost 160");
        assert_eq!(run(&[(0, 0), (u64::MAX, 1 << 31)])[1], "lost 480000");
    }

    #[test]
    fn before_the_first_packet_nothing_is_missing() {
        assert_eq!(run(&[(3, 480)]), ["audio 160"]);
    }
}
