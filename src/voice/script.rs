//! The script of a verification call: what is said, what is listened for, when it is over.
//!
//! Pure: the gateway tells it what happened and when; it answers with [`Step`]s and the next
//! deadline. Every rule that keeps a wrong key from approving stands here:
//!
//! - no key counts before the final 200, so early media never approves;
//! - no key counts whose press *began* before the invitation had been heard for
//!   [`CallPolicy::listen_first`], however late it was reported; what was ordered to be played and
//!   has not begun was not heard;
//! - no key counts at or after the challenge's own deadline, in the goodbye, or after the end.

use std::time::{Duration, Instant};

use super::policy::{CallPolicy, OnMachine};
use crate::answer::AnsweredBy;
use crate::audio::PromptName;
use crate::challenge::Reason;
use crate::dtmf::Digit;

/// What the script wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Play these recordings back to back, in place of whatever plays; report their end with `tag`.
    Play {
        /// What to play.
        prompts: &'static [PromptName],
        /// Repeated in [`Script::on_finished`].
        tag: u32,
    },
    /// The challenge is decided; said once, and before the goodbye.
    Conclude(Reason),
    /// End the call now.
    HangUp,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFate {
    /// The script acted on it.
    Counted,
    /// The safety rules set it aside.
    SetAside,
}

/// Where the call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not answered yet.
    Unanswered,
    /// The greeting plays; keys do not count.
    Greeting,
    /// An invitation plays, since `began` at the first one.
    Inviting,
    /// The pause after a play; keys still count, until the instant.
    Listening { until: Instant },
    /// Decided; the goodbye plays.
    Goodbye { until: Instant },
    /// Nothing more is wanted.
    Over,
}

/// The script of one call.
#[derive(Debug)]
pub struct Script {
    policy: CallPolicy,
    state: State,
    /// The challenge's own deadline: from here on nothing approves.
    expires: Instant,
    /// The operator's limit on an answered call.
    limit: Option<Instant>,
    /// When the first frame of the first invitation was sent.
    invited: Option<Instant>,
    plays: u32,
    wrong: u32,
    tag: u32,
}

/// A goodbye that never reports its end must not hold the line.
const LONGEST_GOODBYE: Duration = Duration::from_secs(8);

impl Script {
    /// A script for a call that must be decided before `expires`.
    pub fn new(policy: CallPolicy, expires: Instant) -> Script {
        Script {
            policy,
            state: State::Unanswered,
            expires,
            limit: None,
            invited: None,
            plays: 0,
            wrong: 0,
            tag: 0,
        }
    }

    /// Whether the challenge is decided.
    pub fn decided(&self) -> bool {
        matches!(self.state, State::Goodbye { .. } | State::Over)
    }

    /// The final 200 has come and the stream is open.
    pub fn on_answered(&mut self, now: Instant) -> Vec<Step> {
        if self.state != State::Unanswered {
            return Vec::new();
        }
        if now >= self.expires {
            return self.end(Reason::TimedOut);
        }
        self.limit = now.checked_add(self.policy.longest_call);
        self.state = State::Greeting;
        vec![self.play(&[PromptName::Greeting])]
    }

    /// A key was pressed; `began` is when the press began, not when it was reported.
    pub fn on_key(&mut self, digit: Digit, began: Instant, now: Instant) -> (KeyFate, Vec<Step>) {
        let listening = matches!(self.state, State::Inviting | State::Listening { .. });
        let heard_enough = self
            .invited
            .and_then(|at| at.checked_add(self.policy.listen_first))
            .is_some_and(|from| began >= from);
        let in_time = now < self.expires && self.limit.is_none_or(|limit| now < limit);
        if !(listening && heard_enough && in_time) {
            return (KeyFate::SetAside, Vec::new());
        }
        let steps = if digit == self.policy.confirm {
            self.conclude(Reason::KeyPressed, &[PromptName::GoodbyeApproved], now)
        } else if Some(digit) == self.policy.refuse {
            self.conclude(Reason::Refused, &[PromptName::GoodbyeRefused], now)
        } else {
            self.wrong = self.wrong.saturating_add(1);
            if self.wrong >= self.policy.wrong_keys {
                self.conclude(Reason::WrongKeys, &[PromptName::GoodbyeFailed], now)
            } else {
                self.state = State::Inviting;
                vec![self.play(&[PromptName::WrongKey, PromptName::PressHashAgain])]
            }
        };
        (KeyFate::Counted, steps)
    }

    /// Its sounds tell who or what has answered. Only ends calls: no sound but a key approves.
    pub fn on_answered_by(&mut self, by: AnsweredBy) -> Vec<Step> {
        let reason = match by {
            AnsweredBy::Fax => Reason::AnsweredByFax,
            AnsweredBy::Announcement => Reason::Announcement,
            AnsweredBy::Voicemail | AnsweredBy::Recording
                if self.policy.machine == OnMachine::HangUp =>
            {
                Reason::AnsweredByMachine
            }
            // A person who keeps silent, and a line that rings on, have the length of the prompts.
            AnsweredBy::Voicemail
            | AnsweredBy::Recording
            | AnsweredBy::Person
            | AnsweredBy::Ringback
            | AnsweredBy::Silence => return Vec::new(),
        };
        if self.decided() || self.state == State::Unanswered {
            return Vec::new();
        }
        self.end(reason)
    }

    /// The first frame of the recordings of `tag` was sent, at this instant.
    pub fn on_started(&mut self, tag: u32, at: Instant) {
        if tag == self.tag && self.state == State::Inviting {
            self.invited.get_or_insert(at);
        }
    }

    /// The recordings of `tag` have been played to their end.
    pub fn on_finished(&mut self, tag: u32, now: Instant) -> Vec<Step> {
        if tag != self.tag {
            return Vec::new();
        }
        match self.state {
            State::Greeting => {
                self.state = State::Inviting;
                self.plays = 1;
                vec![self.play(&[PromptName::PressHash])]
            }
            State::Inviting => {
                let until = now + self.policy.pause_between_plays;
                self.state = State::Listening { until };
                Vec::new()
            }
            State::Goodbye { .. } => self.over(),
            State::Unanswered | State::Listening { .. } | State::Over => Vec::new(),
        }
    }

    /// The next instant at which [`Script::on_deadline`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let own = match self.state {
            State::Over => return None,
            State::Goodbye { until } => Some(until),
            State::Listening { until } => Some(until.min(self.expires)),
            State::Unanswered | State::Greeting | State::Inviting => Some(self.expires),
        };
        match (own, self.limit) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// A deadline may have passed.
    pub fn on_deadline(&mut self, now: Instant) -> Vec<Step> {
        match self.state {
            State::Over => return Vec::new(),
            State::Goodbye { until } => {
                let limit = self.limit.unwrap_or(until);
                return if now >= until.min(limit) {
                    self.over()
                } else {
                    Vec::new()
                };
            }
            _ => {}
        }
        if now >= self.expires {
            return self.end(Reason::TimedOut);
        }
        if self.limit.is_some_and(|limit| now >= limit) {
            return self.end(Reason::CallTooLong);
        }
        match self.state {
            State::Listening { until } if now >= until => {
                if self.plays < self.policy.prompt_plays {
                    self.plays += 1;
                    self.state = State::Inviting;
                    vec![self.play(&[PromptName::PressHashAgain])]
                } else {
                    let reason = if self.wrong > 0 {
                        Reason::WrongKeys
                    } else {
                        Reason::NoKeys
                    };
                    self.conclude(reason, &[PromptName::GoodbyeFailed], now)
                }
            }
            _ => Vec::new(),
        }
    }

    /// The other side hung up.
    pub fn on_hung_up(&mut self) -> Vec<Step> {
        self.ended_by(Reason::HungUp)
    }

    /// The call is over for a reason outside the script: it was never answered, its media broke
    /// off, or the API took the challenge back. Hangs up without a goodbye.
    pub fn ended_by(&mut self, reason: Reason) -> Vec<Step> {
        match self.state {
            State::Over => Vec::new(),
            State::Goodbye { .. } => self.over(),
            _ => self.end(reason),
        }
    }

    fn play(&mut self, prompts: &'static [PromptName]) -> Step {
        self.tag = self.tag.wrapping_add(1);
        Step::Play {
            prompts,
            tag: self.tag,
        }
    }

    fn conclude(
        &mut self,
        reason: Reason,
        goodbye: &'static [PromptName],
        now: Instant,
    ) -> Vec<Step> {
        self.state = State::Goodbye {
            until: now + LONGEST_GOODBYE,
        };
        vec![Step::Conclude(reason), self.play(goodbye)]
    }

    fn end(&mut self, reason: Reason) -> Vec<Step> {
        self.state = State::Over;
        vec![Step::Conclude(reason), Step::HangUp]
    }

    fn over(&mut self) -> Vec<Step> {
        self.state = State::Over;
        vec![Step::HangUp]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;
    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn answered() -> (Script, Instant) {
        let now = Instant::now();
        let mut script = Script::new(CallPolicy::default(), now + S(120));
        assert_eq!(
            script.on_answered(now),
            [Step::Play {
                prompts: &[PromptName::Greeting],
                tag: 1
            }]
        );
        (script, now)
    }

    /// A script whose invitation began at the returned instant.
    fn invited() -> (Script, Instant) {
        let (mut script, now) = answered();
        let now = now + S(2);
        assert_eq!(
            script.on_finished(1, now),
            [Step::Play {
                prompts: &[PromptName::PressHash],
                tag: 2
            }]
        );
        script.on_started(2, now);
        (script, now)
    }

    fn concluded(steps: &[Step]) -> Option<Reason> {
        steps.iter().find_map(|s| match s {
            Step::Conclude(reason) => Some(*reason),
            _ => None,
        })
    }

    #[test]
    fn the_hash_key_approves_and_says_goodbye() {
        let (mut script, now) = invited();
        let at = now + S(1);
        let (fate, steps) = script.on_key(Digit::HASH, at, at);
        assert_eq!(fate, KeyFate::Counted);
        assert_eq!(
            steps,
            [
                Step::Conclude(Reason::KeyPressed),
                Step::Play {
                    prompts: &[PromptName::GoodbyeApproved],
                    tag: 3
                }
            ]
        );
        assert_eq!(script.on_finished(3, at + S(2)), [Step::HangUp]);
        assert_eq!(script.deadline(), None);
    }

    #[test]
    fn a_key_before_the_answer_is_set_aside() {
        let now = Instant::now();
        let mut script = Script::new(CallPolicy::default(), now + S(120));
        assert_eq!(
            script.on_key(Digit::HASH, now, now),
            (KeyFate::SetAside, vec![])
        );
        assert!(!script.decided());
    }

    #[test]
    fn a_key_in_the_greeting_is_set_aside() {
        let (mut script, now) = answered();
        let at = now + S(1);
        assert_eq!(
            script.on_key(Digit::HASH, at, at),
            (KeyFate::SetAside, vec![])
        );
    }

    #[test]
    fn a_press_that_began_too_soon_is_set_aside_however_late_it_is_reported() {
        let (mut script, now) = invited();
        let began = now + MS(499);
        assert_eq!(
            script.on_key(Digit::HASH, began, began + S(3)),
            (KeyFate::SetAside, vec![])
        );
        let began = now + MS(500);
        assert_eq!(script.on_key(Digit::HASH, began, began).0, KeyFate::Counted);
    }

    #[test]
    fn a_key_at_the_deadline_is_too_late() {
        let (mut script, now) = answered();
        let expires = now + S(120);
        script.on_finished(1, now + S(2));
        script.on_started(2, now + S(2));
        assert_eq!(
            script.on_key(Digit::HASH, expires, expires).0,
            KeyFate::SetAside
        );
        // The call's own limit (90 s) has passed as well; the challenge's deadline is said first.
        assert_eq!(
            concluded(&script.on_deadline(expires)),
            Some(Reason::TimedOut)
        );
    }

    #[test]
    fn a_key_before_the_first_frame_of_the_invitation_is_set_aside() {
        let (mut script, now) = answered();
        script.on_started(1, now + MS(20));
        script.on_finished(1, now + S(2));
        // The greeting has begun and ended; the invitation waits for its turn, for long.
        let early = now + S(5);
        let (fate, steps) = script.on_key(Digit::HASH, early, early);
        assert_eq!((fate, steps), (KeyFate::SetAside, vec![]));
        script.on_started(1, now + S(5));
        script.on_started(2, now + S(6));
        // Nor does a second beginning, of a repetition say, move the first.
        script.on_started(2, now + S(9));
        let early = now + S(6) + MS(499);
        assert_eq!(
            script.on_key(Digit::HASH, early, early).0,
            KeyFate::SetAside
        );
        let heard = now + S(6) + MS(500);
        let (_, steps) = script.on_key(Digit::HASH, heard, heard);
        assert_eq!(concluded(&steps), Some(Reason::KeyPressed));
    }

    #[test]
    fn a_key_past_the_limit_of_the_call_is_set_aside() {
        let (mut script, now) = answered();
        script.on_finished(1, now + S(2));
        script.on_started(2, now + S(2));
        let at = now + S(90);
        assert_eq!(script.on_key(Digit::HASH, at, at).0, KeyFate::SetAside);
        assert_eq!(
            script.on_deadline(at),
            [Step::Conclude(Reason::CallTooLong), Step::HangUp]
        );
    }

    #[test]
    fn silence_ends_after_all_plays() {
        let (mut script, mut now) = invited();
        let mut plays = 1;
        let mut tag = 2;
        loop {
            now += S(4);
            assert!(script.on_finished(tag, now).is_empty());
            let Some(at) = script.deadline() else {
                panic!("no deadline while listening")
            };
            now = at;
            let steps = script.on_deadline(now);
            if let Some(reason) = concluded(&steps) {
                assert_eq!(reason, Reason::NoKeys);
                break;
            }
            plays += 1;
            tag += 1;
            assert_eq!(
                steps,
                [Step::Play {
                    prompts: &[PromptName::PressHashAgain],
                    tag
                }]
            );
        }
        assert_eq!(plays, 3);
        assert_eq!(script.on_key(Digit::HASH, now, now).0, KeyFate::SetAside);
    }

    #[test]
    fn three_wrong_keys_deny_and_two_do_not() {
        let (mut script, now) = invited();
        for n in 1..=2 {
            let at = now + S(n);
            let (fate, steps) = script.on_key(Digit::STAR, at, at);
            assert_eq!(fate, KeyFate::Counted);
            assert!(matches!(
                steps[..],
                [Step::Play {
                    prompts: [PromptName::WrongKey, PromptName::PressHashAgain],
                    ..
                }]
            ));
        }
        let at = now + S(3);
        let (_, steps) = script.on_key(Digit::STAR, at, at);
        assert_eq!(concluded(&steps), Some(Reason::WrongKeys));
    }

    #[test]
    fn the_hash_key_still_counts_after_a_wrong_one() {
        let (mut script, now) = invited();
        let at = now + S(1);
        script.on_key(Digit::STAR, at, at);
        let at = now + S(2);
        let (_, steps) = script.on_key(Digit::HASH, at, at);
        assert_eq!(concluded(&steps), Some(Reason::KeyPressed));
    }

    #[test]
    fn the_refusing_key_is_final() {
        let (mut script, now) = invited();
        let at = now + S(1);
        let zero = Digit::from_char('0').expect("a digit");
        let (_, steps) = script.on_key(zero, at, at);
        assert_eq!(concluded(&steps), Some(Reason::Refused));
        assert_eq!(
            script.on_key(Digit::HASH, at + S(1), at + S(1)).0,
            KeyFate::SetAside
        );
    }

    #[test]
    fn a_fax_and_an_announcement_end_the_call_and_a_machine_if_the_policy_says_so() {
        for (by, machine, expected) in [
            (
                AnsweredBy::Fax,
                OnMachine::Continue,
                Some(Reason::AnsweredByFax),
            ),
            (
                AnsweredBy::Announcement,
                OnMachine::Continue,
                Some(Reason::Announcement),
            ),
            (AnsweredBy::Voicemail, OnMachine::Continue, None),
            (AnsweredBy::Recording, OnMachine::Continue, None),
            (
                AnsweredBy::Voicemail,
                OnMachine::HangUp,
                Some(Reason::AnsweredByMachine),
            ),
            (
                AnsweredBy::Recording,
                OnMachine::HangUp,
                Some(Reason::AnsweredByMachine),
            ),
            (AnsweredBy::Person, OnMachine::HangUp, None),
            (AnsweredBy::Ringback, OnMachine::HangUp, None),
            (AnsweredBy::Silence, OnMachine::HangUp, None),
        ] {
            let policy = CallPolicy {
                machine,
                ..CallPolicy::default()
            };
            let now = Instant::now();
            let mut script = Script::new(policy, now + S(120));
            assert_eq!(script.on_answered_by(by), [], "not answered yet: {by:?}");
            script.on_answered(now);
            let steps = script.on_answered_by(by);
            assert_eq!(concluded(&steps), expected, "{by:?} {machine:?}");
            assert_eq!(steps.contains(&Step::HangUp), expected.is_some());
        }
    }

    #[test]
    fn what_is_decided_stays_decided_whatever_answers() {
        let (mut script, now) = invited();
        let at = now + S(1);
        script.on_key(Digit::HASH, at, at);
        for by in AnsweredBy::ALL {
            assert_eq!(script.on_answered_by(by), [], "{by:?}");
        }
    }

    #[test]
    fn hanging_up_mid_prompt_denies_and_in_the_goodbye_changes_nothing() {
        let (mut script, _) = invited();
        assert_eq!(concluded(&script.on_hung_up()), Some(Reason::HungUp));

        let (mut script, now) = invited();
        let at = now + S(1);
        script.on_key(Digit::HASH, at, at);
        assert_eq!(script.on_hung_up(), [Step::HangUp]);
    }

    #[test]
    fn a_goodbye_that_never_ends_is_cut_off() {
        let (mut script, now) = invited();
        let at = now + S(1);
        script.on_key(Digit::HASH, at, at);
        let until = script.deadline().expect("a deadline in the goodbye");
        assert_eq!(script.on_deadline(until), [Step::HangUp]);
    }

    #[derive(Debug, Clone)]
    enum Happening {
        Answered,
        Key(u8, u64),
        Started(u32),
        Finished(u32),
        Deadline,
        HungUp,
        MediaLost,
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            Just(Happening::Answered),
            (0u8..16, 0u64..4000).prop_map(|(k, ago)| Happening::Key(k, ago)),
            (0u32..8).prop_map(Happening::Started),
            (0u32..8).prop_map(Happening::Finished),
            Just(Happening::Deadline),
            Just(Happening::HungUp),
            Just(Happening::MediaLost),
        ]
    }

    proptest! {
        /// However events fall: at most one conclusion, and an approval only by a counted `#`
        /// that began after the invitation had been heard and before the deadline.
        #[test]
        fn no_sequence_approves_wrongly(events in prop::collection::vec((happening(), 0u64..5000), 1..60)) {
            let start = Instant::now();
            let mut now = start + S(10);
            let expires = now + S(60);
            let mut script = Script::new(CallPolicy::default(), expires);
            let mut conclusions = 0;
            let mut playing = None;
            let mut invited: Option<Instant> = None;
            for (event, wait) in events {
                now += MS(wait);
                let steps = match event {
                    Happening::Answered => script.on_answered(now),
                    Happening::Key(key, ago) => {
                        let digit = Digit::from_event(key).expect("below 16");
                        let began = now - MS(ago);
                        let (fate, steps) = script.on_key(digit, began, now);
                        if concluded(&steps) == Some(Reason::KeyPressed) {
                            prop_assert_eq!(digit, Digit::HASH);
                            prop_assert_eq!(fate, KeyFate::Counted);
                            prop_assert!(now < expires);
                            prop_assert!(invited.is_some_and(|at| began >= at + MS(500)));
                        }
                        steps
                    }
                    Happening::Started(started) => {
                        script.on_started(started, now);
                        if playing == Some(started) {
                            invited.get_or_insert(now);
                        }
                        Vec::new()
                    }
                    Happening::Finished(tag) => script.on_finished(tag, now),
                    Happening::Deadline => script.on_deadline(now),
                    Happening::HungUp => script.on_hung_up(),
                    Happening::MediaLost => script.ended_by(Reason::MediaLost),
                };
                for step in &steps {
                    match step {
                        Step::Conclude(reason) => {
                            conclusions += 1;
                            if *reason == Reason::KeyPressed {
                                let by_key = matches!(event, Happening::Key(..));
                                prop_assert!(by_key);
                            }
                        }
                        Step::Play { prompts, tag } => {
                            let invites = [PromptName::PressHash, PromptName::PressHashAgain];
                            let invites = invites.iter().any(|name| prompts.contains(name));
                            playing = invites.then_some(*tag);
                        }
                        Step::HangUp => {}
                    }
                }
            }
            prop_assert!(conclusions <= 1);
            prop_assert_eq!(conclusions == 1, script.decided());
        }
    }
}
