//! Sending one press as telephone events (RFC 4733 2.5.1).

use super::TelephoneEvent;
use crate::dtmf::Digit;

/// Samples between two reports.
const STEP: u32 = 160;
/// How often the last report is sent in all (RFC 4733 2.5.1.4).
const ENDS: u8 = 3;
/// -10 dBm0, what a phone's key usually is.
const VOLUME: u8 = 10;

/// One report, to be sent as a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The event block.
    pub event: TelephoneEvent,
    /// The packet's timestamp: when the event, or this segment of it, began.
    pub timestamp: u32,
    /// The packet's marker bit: set on the first report alone.
    pub marker: bool,
}

/// The reports of one press, one for every 20 ms of it, and the end twice more.
#[derive(Debug, Clone)]
pub struct EventSender {
    digit: Digit,
    total: u32,
    elapsed: u32,
    /// Where the segment began, in samples of the press.
    segment: u32,
    timestamp: u32,
    ends: u8,
}

impl EventSender {
    /// A press of `samples` (at least one report long) that begins at `timestamp`.
    pub fn new(digit: Digit, samples: u32, timestamp: u32) -> EventSender {
        EventSender {
            digit,
            total: samples.max(STEP),
            elapsed: 0,
            segment: 0,
            timestamp,
            ends: 0,
        }
    }

    /// Whether the key is still down: until then no audio is sent (RFC 4733 2.5.1.2).
    pub fn is_down(&self) -> bool {
        self.ends == 0
    }

    fn report(&self, duration: u16, end: bool, marker: bool) -> Report {
        Report {
            event: TelephoneEvent {
                event: self.digit.event(),
                end,
                volume: VOLUME,
                duration,
            },
            timestamp: self.timestamp,
            marker,
        }
    }
}

impl Iterator for EventSender {
    type Item = Report;

    fn next(&mut self) -> Option<Report> {
        if self.ends == ENDS {
            return None;
        }
        let first = self.elapsed == 0;
        self.elapsed = self.elapsed.saturating_add(STEP).min(self.total);
        let Ok(duration) = u16::try_from(self.elapsed - self.segment) else {
            // RFC 4733 2.5.1.3: the segment ends at the largest duration without the end bit, and
            // the next one begins where it ended.
            let report = self.report(u16::MAX, false, first);
            self.segment += u32::from(u16::MAX);
            self.timestamp = self.timestamp.wrapping_add(u32::from(u16::MAX));
            return Some(report);
        };
        let end = self.elapsed == self.total;
        self.ends += u8::from(end);
        Some(self.report(duration, end, first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_is_updates_and_three_ends() {
        let reports: Vec<Report> = EventSender::new(Digit::HASH, 800, 5_000).collect();
        assert_eq!(reports.len(), 7);
        assert!(reports.iter().all(|r| r.timestamp == 5_000));
        assert!(reports.iter().all(|r| r.event.event == 11));
        let markers: Vec<bool> = reports.iter().map(|r| r.marker).collect();
        assert_eq!(markers, [true, false, false, false, false, false, false]);
        let durations: Vec<u16> = reports.iter().map(|r| r.event.duration).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
        let ends: Vec<bool> = reports.iter().map(|r| r.event.end).collect();
        assert_eq!(ends, [false, false, false, false, true, true, true]);
    }

    #[test]
    fn a_long_press_has_segments() {
        let total = 200_000;
        let reports: Vec<Report> = EventSender::new(Digit::STAR, total, u32::MAX).collect();
        let starts: Vec<u32> = reports.iter().map(|r| r.timestamp).collect();
        let mut distinct = starts.clone();
        distinct.dedup();
        let segment = u32::from(u16::MAX);
        let expected: Vec<u32> = (0..4).map(|n| u32::MAX.wrapping_add(n * segment)).collect();
        assert_eq!(distinct, expected);
        assert_eq!(reports.iter().filter(|r| r.marker).count(), 1);
        assert_eq!(reports.iter().filter(|r| r.event.end).count(), 3);
        let last = reports.last().unwrap();
        assert_eq!(u32::from(last.event.duration) + 3 * segment, total);
        for pair in reports.windows(2) {
            if pair[0].timestamp != pair[1].timestamp {
                assert_eq!(pair[0].event.duration, u16::MAX);
            }
        }
    }

    #[test]
    fn the_shortest_press_is_one_report() {
        let reports: Vec<Report> = EventSender::new(Digit::HASH, 0, 0).collect();
        assert_eq!(reports.len(), 3);
        assert!(reports.iter().all(|r| r.event.end));
        assert!(reports[0].marker && !reports[1].marker);
    }
}
