//! Hearing presses in telephone events (RFC 4733 2.5.2): one press, one report of it.
//!
//! A press is known by its source, its timestamp and its code; packets of it may be lost, doubled
//! or late in any number. Where it is not certain whether a packet belongs to the press before it
//! or to a new one, it belongs to the one before: a key that is held must never look like a key
//! pressed again, since the second press would seem to have begun later than it did.

use std::time::{Duration, Instant};

use super::TelephoneEvent;
use crate::dtmf::Digit;
use crate::rtp::CLOCK_RATE;

/// A press without a packet for this long has ended, its end was lost.
const LONGEST_QUIET: Duration = Duration::from_millis(500);
/// Presses remembered, so that their late packets are known.
const REMEMBERED: usize = 8;
/// A press this long may be one of segments.
const LONG: u32 = 0x8000;
/// The largest duration of a segment.
const LONGEST_SEGMENT: u32 = 0xffff;
/// How far beyond it the next one may begin: not every sender counts its segments to the sample.
const LOST_REPORTS: u32 = CLOCK_RATE / 5;
/// No finger lets go of a key and presses it again in so little time, 20 ms.
const BETWEEN_PRESSES: u32 = CLOCK_RATE / 50;
/// An older timestamp than this is no late packet but another clock.
const LONGEST_LATE: u32 = 10 * CLOCK_RATE;
/// A press whose marker comes from another source behind this time is a new one, though the end of
/// the one before was lost.
const LONGEST_CHANGE: Duration = Duration::from_millis(200);

/// A press has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Began {
    /// Which key.
    pub digit: Digit,
    /// How long it has been down, in samples, as far as the packet says.
    pub elapsed: u32,
    /// Its level, 0 to 63 standing for 0 to -63 dBm0.
    pub volume: u8,
}

/// What one packet told, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// The press before has ended without saying so.
    pub ended_before: Option<Digit>,
    /// A press has begun.
    pub began: Option<Began>,
    /// The press has ended.
    pub ended: Option<Digit>,
    /// An event that is no key (above 15) was ignored.
    pub no_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name {
    ssrc: u32,
    timestamp: u32,
    digit: Digit,
}

/// The timestamps under which one press was heard from one source.
#[derive(Debug, Clone, Copy)]
struct Span {
    ssrc: u32,
    digit: Digit,
    first: u32,
    last: u32,
}

impl Span {
    fn of(name: Name) -> Span {
        Span {
            ssrc: name.ssrc,
            digit: name.digit,
            first: name.timestamp,
            last: name.timestamp,
        }
    }

    /// Whether a packet of that name is of this press: it cannot have been pressed anew while it
    /// was down.
    fn holds(&self, name: Name) -> bool {
        let since = name.timestamp.wrapping_sub(self.first);
        name.ssrc == self.ssrc
            && name.digit == self.digit
            && since <= self.last.wrapping_sub(self.first)
    }
}

/// How a press has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It has not.
    Down,
    /// Nothing was heard of it for too long. It has been told as ended, yet may still go on.
    Lapsed,
    /// The E bit said so (RFC 4733 2.3.3).
    Said,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    /// The last of it is the segment heard last.
    span: Span,
    /// The longest duration of that segment.
    duration: u32,
    end: End,
    heard: Instant,
}

impl Press {
    /// Whether a packet under another name is of this press after all.
    fn goes_on_as(&self, name: Name, event: &TelephoneEvent, marker: bool, now: Instant) -> bool {
        if name.digit != self.span.digit {
            return false;
        }
        if name.ssrc != self.span.ssrc {
            let quiet = now.saturating_duration_since(self.heard);
            return self.end != End::Said && (!marker || quiet < LONGEST_CHANGE);
        }
        let step = name.timestamp.wrapping_sub(self.span.last);
        // It began while this one was down, and a key that is down cannot be pressed: senders that
        // move the timestamp on with every report do that.
        if step < self.duration {
            return true;
        }
        if self.end == End::Said || marker {
            return false;
        }
        // RFC 4733 2.5.1.3: the next segment, right behind this one, which the largest duration
        // has ended; how close to it this one came is not known where its last reports were lost.
        let next = if self.duration >= LONG {
            LONGEST_SEGMENT + LOST_REPORTS
        } else {
            self.duration + BETWEEN_PRESSES
        };
        if step <= next {
            return true;
        }
        // Or one behind it, where the rest of this one was lost, and others perhaps.
        if step >= LONGEST_SEGMENT && step % LONGEST_SEGMENT <= LOST_REPORTS {
            return true;
        }
        // The timestamp moves on with every report, and some were lost.
        let longer = u32::from(event.duration).checked_sub(self.duration);
        longer == Some(step)
    }

    /// Whether a late packet from before its first timestamp is of this press: it would have gone
    /// on as this one, had both come in order.
    fn began_as(&self, name: Name, event: &TelephoneEvent) -> bool {
        if name.ssrc != self.span.ssrc || name.digit != self.span.digit || event.end {
            return false;
        }
        let duration = u32::from(event.duration);
        if self.span.first.wrapping_sub(name.timestamp) <= duration + BETWEEN_PRESSES {
            return true;
        }
        let step = self.span.last.wrapping_sub(name.timestamp);
        step <= LOST_REPORTS && self.duration.checked_sub(duration) == Some(step)
    }
}

/// The presses of one stream.
#[derive(Debug, Default)]
pub struct Presses {
    current: Option<Press>,
    before: [Option<Span>; REMEMBERED],
    oldest: usize,
}

impl Presses {
    /// Nothing pressed yet.
    pub fn new() -> Presses {
        Presses::default()
    }

    /// Takes the event block of a packet with this SSRC, marker and timestamp.
    pub fn receive(
        &mut self,
        ssrc: u32,
        marker: bool,
        timestamp: u32,
        event: &TelephoneEvent,
        now: Instant,
    ) -> News {
        let mut news = News::default();
        let Some(digit) = Digit::from_event(event.event) else {
            news.no_key = true;
            return news;
        };
        let name = Name {
            ssrc,
            timestamp,
            digit,
        };
        let duration = u32::from(event.duration);
        if self.before.iter().flatten().any(|span| span.holds(name)) {
            return news;
        }
        if let Some(press) = &mut self.current {
            let before = press.span;
            if before.holds(name) {
                if name.timestamp != before.last {
                    // Late, of a sender whose timestamp moves on with every report.
                    return news;
                }
                press.duration = press.duration.max(duration);
            } else if press.goes_on_as(name, event, marker, now) {
                press.duration = duration;
                if name.ssrc == before.ssrc {
                    press.span.last = timestamp;
                } else {
                    press.span = Span::of(name);
                    self.remember(before);
                }
            } else if press.began_as(name, event) {
                press.span.first = timestamp;
                return news;
            } else if Self::is_older(name, before) {
                // All of it was lost but this late packet: it was pressed before the current one.
                self.remember(Span::of(name));
                news.began = Some(Began {
                    digit,
                    elapsed: duration,
                    volume: event.volume,
                });
                news.ended = Some(digit);
                return news;
            } else {
                news.ended_before = (press.end == End::Down).then_some(before.digit);
                self.current = None;
                self.remember(before);
            }
        }
        let press = self.current.get_or_insert_with(|| {
            news.began = Some(Began {
                digit,
                elapsed: duration,
                volume: event.volume,
            });
            Press {
                span: Span::of(name),
                duration,
                end: End::Down,
                heard: now,
            }
        });
        press.heard = now;
        if event.end {
            news.ended = (press.end == End::Down).then_some(digit);
            press.end = End::Said;
        }
        news
    }

    /// Ends a press whose end was lost; call it now and then.
    pub fn expire(&mut self, now: Instant) -> Option<Digit> {
        let press = self.current.as_mut().filter(|p| p.end == End::Down)?;
        if now.saturating_duration_since(press.heard) < LONGEST_QUIET {
            return None;
        }
        press.end = End::Lapsed;
        Some(press.span.digit)
    }

    /// The key that is down.
    pub fn down(&self) -> Option<Digit> {
        let press = self.current.as_ref().filter(|p| p.end == End::Down)?;
        Some(press.span.digit)
    }

    fn is_older(name: Name, than: Span) -> bool {
        let behind = than.last.wrapping_sub(name.timestamp);
        name.ssrc == than.ssrc && (1..=LONGEST_LATE).contains(&behind)
    }

    fn remember(&mut self, span: Span) {
        if let Some(place) = self.before.get_mut(self.oldest) {
            *place = Some(span);
        }
        self.oldest = (self.oldest + 1) % REMEMBERED;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::seq::SliceRandom;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::rtp::event::{EventSender, Report};

    const SSRC: u32 = 7;

    struct Ear {
        presses: Presses,
        now: Instant,
        began: Vec<char>,
        ended: Vec<char>,
    }

    impl Ear {
        fn new() -> Ear {
            Ear {
                presses: Presses::new(),
                now: Instant::now(),
                began: Vec::new(),
                ended: Vec::new(),
            }
        }

        fn hear(&mut self, report: &Report) -> News {
            self.hear_from(SSRC, report)
        }

        fn hear_from(&mut self, ssrc: u32, report: &Report) -> News {
            let news = self.presses.receive(
                ssrc,
                report.marker,
                report.timestamp,
                &report.event,
                self.now,
            );
            self.ended.extend(news.ended_before.map(Digit::as_char));
            self.began.extend(news.began.map(|b| b.digit.as_char()));
            self.ended.extend(news.ended.map(Digit::as_char));
            self.now += Duration::from_millis(20);
            news
        }

        fn note(&mut self, report: &Report) {
            self.hear(report);
        }

        fn note_from(&mut self, ssrc: u32, report: &Report) {
            self.hear_from(ssrc, report);
        }

        fn keys(&self) -> (String, String) {
            (self.began.iter().collect(), self.ended.iter().collect())
        }
    }

    fn press(key: char, samples: u32, timestamp: u32) -> Vec<Report> {
        EventSender::new(Digit::from_char(key).unwrap(), samples, timestamp).collect()
    }

    fn both(keys: &str) -> (String, String) {
        (keys.into(), keys.into())
    }

    #[test]
    fn one_press_is_one_press() {
        let mut ear = Ear::new();
        let reports = press('#', 800, 1_000);
        let first = ear.hear(&reports[0]);
        assert_eq!(first.began.unwrap().elapsed, 160);
        assert_eq!(first.began.unwrap().volume, 10);
        assert_eq!(ear.presses.down(), Some(Digit::HASH));
        reports[1..].iter().for_each(|r| ear.note(r));
        assert_eq!(ear.keys(), both("#"));
        assert_eq!(ear.presses.down(), None);
    }

    #[test]
    fn any_one_packet_is_enough() {
        for kept in 0..7 {
            let mut ear = Ear::new();
            let report = press('5', 800, 1_000)[kept];
            let began = ear.hear(&report).began.unwrap();
            assert_eq!(began.elapsed, u32::from(report.event.duration));
            ear.now += LONGEST_QUIET;
            if kept < 4 {
                assert_eq!(ear.presses.expire(ear.now), Some(began.digit));
            }
            assert_eq!(ear.presses.expire(ear.now), None);
            // What comes later of the same press is no press.
            press('5', 800, 1_000)
                .iter()
                .for_each(|r| assert_eq!(ear.hear(r).began, None));
        }
    }

    #[test]
    fn the_same_key_twice_is_two_presses_though_end_and_start_are_lost() {
        let mut ear = Ear::new();
        press('#', 400, 1_000)[..2].iter().for_each(|r| ear.note(r));
        press('#', 400, 1_000 + 400 + 320)[1..]
            .iter()
            .for_each(|r| ear.note(r));
        assert_eq!(ear.keys(), both("##"));
    }

    #[test]
    fn late_ends_of_the_press_before_are_no_press() {
        let mut ear = Ear::new();
        let (one, two) = (press('1', 400, 0), press('2', 400, 800));
        let order = [one[0], one[2], two[0], one[3], two[1], one[4], two[2]];
        order.iter().for_each(|r| ear.note(r));
        assert_eq!(ear.keys(), both("12"));
    }

    #[test]
    fn a_press_of_which_only_a_late_packet_came_counts_once() {
        let mut ear = Ear::new();
        let (one, two) = (press('1', 400, 5_000), press('2', 400, 5_800));
        let order = [two[0], one[3], one[4], two[1], two[2]];
        order.iter().for_each(|r| ear.note(r));
        assert_eq!(ear.keys(), ("21".into(), "12".into()));
    }

    #[test]
    fn a_long_press_with_segments_is_one_press() {
        for lost in 0..12 {
            let mut ear = Ear::new();
            let reports = press('*', 200_000, u32::MAX - 40_000);
            for (n, report) in reports.iter().enumerate() {
                // Around the change of segment some reports are lost.
                if !(405..405 + lost).contains(&n) {
                    ear.hear(report);
                }
            }
            assert_eq!(ear.keys(), both("*"), "{lost} lost");
        }
    }

    /// The reports behind a loss carry another timestamp and no sign of the segments before.
    #[test]
    fn a_key_held_across_a_loss_at_the_change_of_segment_is_one_press() {
        let reports = press('#', 200_000, 1_000);
        let changed = reports.iter().position(|r| r.timestamp != 1_000).unwrap();
        for (before, after) in [(0, 15), (15, 0), (20, 20), (24, 1), (150, 25), (0, 180)] {
            let mut ear = Ear::new();
            let lost = changed - before..changed + after;
            for (n, report) in reports.iter().enumerate() {
                if lost.contains(&n) {
                    ear.now += Duration::from_millis(20);
                    ear.ended
                        .extend(ear.presses.expire(ear.now).map(Digit::as_char));
                } else {
                    ear.hear(report);
                }
            }
            assert_eq!(ear.keys(), both("#"), "{before} and {after} lost");
            assert_eq!(ear.presses.down(), None);
        }
    }

    /// Segments are 8 s long: a key that is held for a minute, and of which seconds are lost.
    #[test]
    fn a_key_held_across_a_long_loss_is_one_press_wherever_its_segments_change() {
        let reports = press('#', 480_000, 1_000);
        for first in (1..reports.len() - 3).step_by(50) {
            for lost in [50, 250, 500, 1_000] {
                let mut ear = Ear::new();
                for (n, report) in reports.iter().enumerate() {
                    if (first..first + lost).contains(&n) && n + 1 < reports.len() {
                        ear.now += Duration::from_millis(20);
                        ear.presses.expire(ear.now);
                    } else {
                        ear.hear(report);
                    }
                }
                assert_eq!(ear.keys().0, "#", "{lost} lost from {first}");
            }
        }
    }

    #[test]
    fn after_a_long_press_the_same_key_is_a_new_one_by_any_sign_of_it() {
        let long = press('#', 60_000, 1_000);
        let next = press('#', 800, 1_000 + 60_000 + 1_600);
        let end = long.iter().position(|r| r.event.end).unwrap();
        // The E bit, or the marker, or more time than a segment lasts.
        for (heard, first, later) in [(end + 1, 1, 0), (end, 0, 0), (end, 1, 8_000)] {
            let mut ear = Ear::new();
            long[..heard].iter().for_each(|r| ear.note(r));
            for report in &next[first..] {
                ear.hear(&Report {
                    timestamp: report.timestamp + later,
                    ..*report
                });
            }
            assert_eq!(ear.keys(), both("##"), "{heard} {first} {later}");
        }
    }

    #[test]
    fn a_timestamp_that_moves_with_every_report_is_one_press() {
        for first in [0, 160] {
            let mut ear = Ear::new();
            for n in 0..10u16 {
                let mut report = press('9', 160, 0)[0];
                report.timestamp = 160 * u32::from(n);
                report.event.duration = first + 160 * n.min(7);
                report.event.end = n >= 7;
                report.marker = n == 0;
                if n != 3 && n != 4 {
                    ear.hear(&report);
                }
            }
            assert_eq!(ear.keys(), both("9"));
        }
    }

    /// What such senders send, with durations that grow from nothing or from one report, or stay
    /// the same; then the ends stay where they are.
    fn moving(key: char, begins: u32, first: u16, grows: bool) -> Vec<Report> {
        (0..12u16)
            .map(|n| {
                let mut report = press(key, 160, begins)[0];
                report.timestamp =
                    begins.wrapping_add(160 * u32::from(if grows { n } else { n.min(9) }));
                report.event.duration = first + if grows { 160 * n.min(9) } else { 0 };
                report.event.end = n >= 9;
                report.marker = n == 0;
                report
            })
            .collect()
    }

    #[test]
    fn reordering_does_not_double_a_press_whose_timestamp_moves() {
        for (first, grows) in [(0, true), (160, true), (160, false)] {
            for distance in 1..=2 {
                for at in 0..12 - distance {
                    let mut ear = Ear::new();
                    let mut reports = moving('9', u32::MAX - 700, first, grows);
                    let late = reports.remove(at);
                    reports.insert(at + distance, late);
                    // The same key again, and a straggler of the press before it.
                    let mut again = moving('9', 8_000, first, grows);
                    again.insert(3, late);
                    reports.iter().chain(&again).for_each(|r| ear.note(r));
                    // A constant duration tells nothing of two reports that are missing.
                    if grows || distance == 1 {
                        assert_eq!(ear.keys(), both("99"), "{first} {grows} {at} {distance}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_late_packet_of_an_earlier_press_of_the_same_key_is_that_press() {
        let mut ear = Ear::new();
        let (one, two) = (press('5', 400, 1_000), press('5', 400, 1_000 + 400 + 320));
        let order = [two[0], one[1], one[3], two[1], two[3]];
        order.iter().for_each(|r| ear.note(r));
        assert_eq!(ear.keys(), both("55"));
    }

    #[test]
    fn a_held_key_stays_one_press_when_the_source_changes() {
        let mut ear = Ear::new();
        let reports = press('#', 1_600, 1_000);
        reports[..4].iter().for_each(|r| ear.note(r));
        for report in &reports[4..] {
            let moved = Report {
                timestamp: report.timestamp + 99_999,
                ..*report
            };
            ear.hear_from(8, &moved);
        }
        assert_eq!(ear.keys(), both("#"));
        // A new press on the new source is a new press.
        press('#', 400, 500_000)
            .iter()
            .for_each(|r| ear.note_from(9, r));
        assert_eq!(ear.keys(), both("##"));
    }

    #[test]
    fn a_held_key_stays_one_press_however_long_its_source_takes_to_change() {
        for gap in [100, 250, 600, 5_000] {
            for begins_anew in [false, true] {
                let mut ear = Ear::new();
                let reports = press('#', 32_000, 1_000);
                reports[..50].iter().for_each(|r| ear.note(r));
                ear.now += Duration::from_millis(gap);
                let lapsed = ear.presses.expire(ear.now);
                ear.ended.extend(lapsed.map(Digit::as_char));
                let rest = match begins_anew {
                    true => press('#', 16_000, 70_000).split_off(1),
                    false => reports[60..].to_vec(),
                };
                rest.iter().for_each(|r| ear.note_from(8, r));
                assert_eq!(ear.keys(), both("#"), "{gap} {begins_anew}");
                // Its end was told, so the next is another.
                press('#', 400, 500_000)
                    .iter()
                    .for_each(|r| ear.note_from(8, r));
                assert_eq!(ear.keys(), both("##"), "{gap} {begins_anew}");
            }
        }
    }

    #[test]
    fn what_is_no_key_is_ignored() {
        let mut ear = Ear::new();
        for code in 16..=255 {
            let mut report = press('0', 160, 0)[0];
            report.event.event = code;
            let news = ear.hear(&report);
            let expected = News {
                no_key: true,
                ..News::default()
            };
            assert_eq!(news, expected);
        }
    }

    #[test]
    fn one_timestamp_for_two_keys_is_two_presses() {
        let mut ear = Ear::new();
        for key in ['1', '2', '1'] {
            press(key, 320, 0).iter().for_each(|r| ear.note(r));
        }
        // The third cannot be told from late packets of the first.
        assert_eq!(ear.keys(), both("12"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Presses with loss, duplication and local reordering: every press of which a packet
        /// arrived counts exactly once, none is invented.
        #[test]
        fn every_press_counts_once(
            seed in any::<u64>(),
            presses in prop::collection::vec((0u8..16, 320u32..4_000, 320u32..8_000), 1..12),
            loss in 0u32..60,
        ) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut time = random.random::<u32>();
            let mut expected = Vec::new();
            let mut wire = Vec::new();
            for (n, (code, samples, pause)) in presses.iter().enumerate() {
                let digit = Digit::from_event(*code).unwrap();
                let mut arrived = false;
                for report in EventSender::new(digit, *samples, time) {
                    if random.random_ratio(loss, 100) {
                        continue;
                    }
                    arrived = true;
                    let copies = if random.random_ratio(1, 10) { 2 } else { 1 };
                    wire.extend(std::iter::repeat_n((n, report), copies));
                }
                if arrived {
                    expected.push(digit);
                }
                time = time.wrapping_add(samples + pause);
            }
            for chunk in wire.chunks_mut(3) {
                chunk.shuffle(&mut random);
            }
            let mut ear = Ear::new();
            let mut heard = Vec::new();
            for (_, report) in &wire {
                heard.extend(ear.hear(report).began.map(|b| b.digit));
            }
            heard.sort();
            expected.sort();
            prop_assert_eq!(heard, expected);
        }

        #[test]
        fn in_any_sequence_of_events_only_what_began_ends(
            packets in prop::collection::vec((any::<u32>(), any::<bool>(), any::<u32>(), any::<[u8; 4]>()), 0..200),
        ) {
            let mut ear = Ear::new();
            let (mut began, mut ended) = (0, 0);
            for (ssrc, marker, timestamp, octets) in packets {
                let event = TelephoneEvent::parse(&octets).unwrap();
                let news = ear.presses.receive(ssrc % 3, marker, timestamp, &event, ear.now);
                ear.now += Duration::from_millis(u64::from(octets[0]));
                let quiet = ear.presses.expire(ear.now);
                began += usize::from(news.began.is_some());
                ended += [news.ended_before, news.ended, quiet].iter().flatten().count();
                prop_assert!(ended <= began);
            }
        }
    }
}
