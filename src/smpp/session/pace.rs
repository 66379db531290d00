//! How fast a bind may send: the operator's cap, and what the message centre's throttling teaches.
//!
//! Additive increase, multiplicative decrease. A bind without a cap sends as fast as its window
//! allows until the message centre answers "throttled" or "queue full". Then it stops for a second,
//! since most message centres count by the second, and goes on at nine tenths of the rate that was
//! being accepted. While nothing is accepted, each further refusal doubles the stop, eight seconds
//! at most. Each second in which texts are accepted the rate grows by a fiftieth of the rate at
//! which it was throttled, and by more the longer that is ago, up to the cap, or, without one, to
//! four times that rate, where the limit is dropped. Answers to texts that were sent before the
//! last cut teach nothing new and cut nothing.

use std::time::{Duration, Instant};

const FIRST_HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_secs(8);
const SECOND: Duration = Duration::from_secs(1);
/// Texts a second below which a bind is never slowed.
const FLOOR: f64 = 0.5;
const DECREASE: f64 = 0.9;
const INCREASE: f64 = 0.02;
/// Seconds after which the rate grows twice as fast as at first, and so on.
const IMPATIENCE: f64 = 5.0;
const FORGET: f64 = 4.0;
/// Seconds' worth of texts that may be sent at once after a pause.
const BURST: f64 = 0.1;

#[derive(Debug)]
pub(super) struct Pace {
    cap: Option<f64>,
    /// Texts a second; `None` leaves it to the window.
    rate: Option<f64>,
    credit: f64,
    refilled: Option<Instant>,
    held_until: Option<Instant>,
    next_hold: Duration,
    cut_at: Option<Instant>,
    accepted_since_cut: bool,
    raised_at: Option<Instant>,
    /// The rate that was being accepted at the last cut.
    knee: f64,
    /// Texts accepted in the second that began here, and in the whole second before it.
    second: Option<Instant>,
    accepted: u32,
    accepted_before: u32,
}

impl Pace {
    pub(super) fn new(cap: Option<f64>) -> Pace {
        let cap = cap
            .filter(|rate| rate.is_finite())
            .map(|rate| rate.max(0.01));
        Pace {
            cap,
            rate: cap,
            credit: 1.0,
            refilled: None,
            held_until: None,
            next_hold: FIRST_HOLD,
            cut_at: None,
            accepted_since_cut: true,
            raised_at: None,
            knee: 0.0,
            second: None,
            accepted: 0,
            accepted_before: 0,
        }
    }

    /// Texts a second allowed now; `None` is as many as the window lets through.
    pub(super) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Until when throttling keeps every text back.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// How many texts may go out at this moment.
    pub(super) fn allowance(&mut self, now: Instant) -> usize {
        if self.held_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.held_until = None;
        let Some(rate) = self.rate else {
            return usize::MAX;
        };
        let since = self.refilled.replace(now);
        let elapsed = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.credit = (self.credit + elapsed.as_secs_f64() * rate).min((rate * BURST).max(1.0));
        // The earliest moment that `next` promised must not fall short by a rounding.
        (self.credit + 1e-6) as usize
    }

    /// One text goes out.
    pub(super) fn spend(&mut self) {
        if self.rate.is_some() {
            self.credit = (self.credit - 1.0).max(0.0);
        }
    }

    /// When the next text may go out, if not now.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let held = self.held_until.filter(|until| now < *until);
        let credit = self.rate.and_then(|rate| {
            let missing = 1.0 - self.credit;
            let since = self.refilled?;
            let wait = Duration::try_from_secs_f64(missing.max(0.0) / rate).ok()?;
            Some(since + wait).filter(|at| now < *at)
        });
        held.max(credit)
    }

    /// The message centre took a text.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.turn_second(now);
        self.accepted += 1;
        self.accepted_since_cut = true;
        self.next_hold = FIRST_HOLD;
        let Some(rate) = self.rate else {
            return;
        };
        if self.knee == 0.0 {
            return;
        }
        let raised_at = *self.raised_at.get_or_insert(now);
        if now.saturating_duration_since(raised_at) < SECOND {
            return;
        }
        self.raised_at = Some(now);
        let calm = self
            .cut_at
            .map_or(Duration::ZERO, |cut| now.saturating_duration_since(cut));
        let step = self.knee * INCREASE * (1.0 + calm.as_secs_f64() / IMPATIENCE);
        let raised = rate + step.max(FLOOR / 4.0);
        self.rate = match self.cap {
            Some(cap) => Some(raised.min(cap)),
            None if raised > self.knee * FORGET => None,
            None => Some(raised),
        };
    }

    /// The message centre refused a text that was sent at `sent_at` for going too fast. Tells
    /// whether that slowed the bind further.
    pub(super) fn throttled(&mut self, now: Instant, sent_at: Instant) -> bool {
        if self.cut_at.is_some_and(|cut| sent_at <= cut) {
            return false;
        }
        self.turn_second(now);
        if std::mem::take(&mut self.accepted_since_cut) {
            let seen = f64::from(self.accepted.max(self.accepted_before)).max(FLOOR);
            self.knee = self.rate.map_or(seen, |rate| rate.min(seen));
            self.rate = Some((self.knee * DECREASE).max(FLOOR));
        }
        self.credit = 0.0;
        let until = now + self.next_hold;
        self.held_until = Some(until);
        self.refilled = Some(until);
        self.next_hold = (self.next_hold * 2).min(LONGEST_HOLD);
        self.cut_at = Some(now);
        self.raised_at = Some(until);
        true
    }

    fn turn_second(&mut self, now: Instant) {
        let began = *self.second.get_or_insert(now);
        let elapsed = now.saturating_duration_since(began);
        if elapsed < SECOND {
            return;
        }
        self.accepted_before = if elapsed < 2 * SECOND {
            self.accepted
        } else {
            0
        };
        self.accepted = 0;
        self.second = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_cap_is_kept_over_time() {
        let mut now = Instant::now();
        let mut pace = Pace::new(Some(50.0));
        let mut sent = 0;
        for _ in 0..10_000 {
            while pace.allowance(now) > 0 {
                pace.spend();
                sent += 1;
            }
            let next = pace
                .next(now)
                .expect("a capped bind always has a next moment");
            assert!(next > now && next - now <= 21 * MS);
            now += MS;
        }
        assert!((495..=507).contains(&sent), "{sent} texts in ten seconds");
    }

    #[test]
    fn what_next_promises_allowance_keeps() {
        let mut now = Instant::now();
        let mut pace = Pace::new(Some(7.3));
        for _ in 0..1000 {
            if pace.allowance(now) > 0 {
                pace.spend();
            } else {
                now = pace.next(now).unwrap();
                assert!(pace.allowance(now) > 0);
            }
        }
    }

    #[test]
    fn no_cap_is_no_limit() {
        let mut pace = Pace::new(None);
        let now = Instant::now();
        assert_eq!(pace.allowance(now), usize::MAX);
        assert_eq!(pace.next(now), None);
        assert_eq!(Pace::new(Some(f64::NAN)).rate(), None);
    }

    /// A centre that takes 40 texts a second and throttles the rest: the bind must find that rate,
    /// use most of it, and waste few texts on refusals.
    #[test]
    fn finds_the_rate_of_a_centre_that_throttles() {
        let start = Instant::now();
        let mut now = start;
        let mut pace = Pace::new(None);
        let (mut taken, mut refused, mut this_second) = (0, 0, 0);
        let mut late_taken = 0;
        for ms in 0..60_000u32 {
            if ms % 1000 == 0 {
                this_second = 0;
            }
            for _ in 0..pace.allowance(now).min(10) {
                pace.spend();
                if this_second < 40 {
                    this_second += 1;
                    taken += 1;
                    late_taken += u32::from(ms >= 20_000);
                    pace.accepted(now);
                } else {
                    refused += 1;
                    pace.throttled(now, now);
                }
            }
            now += MS;
        }
        assert!(taken > 60 * 40 * 7 / 10, "{taken} of 2400 used");
        assert!(
            late_taken > 40 * 40 * 7 / 10,
            "{late_taken} of 1600 used late"
        );
        assert!(refused < taken / 20, "{refused} refused of {taken}");
    }

    #[test]
    fn one_burst_cuts_once_and_silence_doubles_the_hold() {
        let start = Instant::now();
        let mut pace = Pace::new(None);
        for _ in 0..100 {
            pace.accepted(start);
        }
        assert!(pace.throttled(start + MS, start));
        assert!(!pace.throttled(start + MS, start));
        assert_eq!(pace.rate(), Some(90.0));
        assert_eq!(pace.allowance(start + 2 * MS), 0);
        let mut now = start + MS;
        let mut holds = Vec::new();
        for _ in 0..7 {
            let next = pace.next(now).unwrap();
            let began = pace.held_until.unwrap();
            holds.push((began - now).as_millis());
            now = next;
            assert!(pace.throttled(now, now));
        }
        assert_eq!(holds, [1000, 2000, 4000, 8000, 8000, 8000, 8000]);
        assert_eq!(pace.rate(), Some(90.0));
    }

    #[test]
    fn recovers_fully_once_the_centre_does() {
        let mut now = Instant::now();
        let mut pace = Pace::new(None);
        for _ in 0..20 {
            pace.accepted(now);
        }
        pace.throttled(now, now);
        let mut seconds = 0;
        while pace.rate().is_some() {
            now += SECOND;
            seconds += 1;
            pace.accepted(now);
            assert!(seconds < 60);
        }
        assert!(seconds > 10);
        let mut capped = Pace::new(Some(100.0));
        for _ in 0..50 {
            capped.accepted(now);
        }
        capped.throttled(now, now);
        assert_eq!(capped.rate(), Some(45.0));
        for _ in 0..30 {
            now += SECOND;
            capped.accepted(now);
        }
        assert_eq!(capped.rate(), Some(100.0));
    }
}
