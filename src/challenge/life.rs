//! The life of a challenge: the one function by which it moves.

use jiff::Timestamp;

use super::{
    Channel, Details, Entry, Event, Match, Outcome, Reason, Stage, State, Step, Text, TextNews,
    TextState, What,
};
use crate::answer::AnsweredBy;

/// Lines of a log after which no more keys or receipts are noted: a phone that goes on pressing
/// fills no disk.
pub const LONG_LOG: u32 = 64;

/// The part of a challenge that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    state: State,
    ended: Option<Timestamp>,
    seq: u32,
    wrong: u8,
    text: Option<Text>,
    answered_by: Option<AnsweredBy>,
}

/// A life as a store keeps it, to be [restored](Life::restore).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptLife {
    /// Open at a stage, or ended for a reason.
    pub state: State,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Lines of its log.
    pub seq: u32,
    /// Wrong codes that were entered.
    pub wrong: u8,
    /// What is known of its last text.
    pub text: Option<Text>,
    /// Who or what answered the call, if its sounds told.
    pub answered_by: Option<AnsweredBy>,
}

impl Life {
    /// A life that begins, queued, with its first line.
    pub fn begin(details: &Details) -> (Life, Entry) {
        let life = Life {
            state: State::Open(Stage::Queued),
            ended: None,
            seq: 1,
            wrong: 0,
            text: (details.channel == Channel::Sms).then(|| Text::queued(1)),
            answered_by: None,
        };
        let entry = Entry {
            seq: 1,
            at: details.created,
            what: What::Stage(Stage::Queued),
        };
        (life, entry)
    }

    /// A life as the store kept it. One that cannot be, such as an end without a time, a stage of
    /// another channel, or an approval by another channel's reason, is `None`.
    pub fn restore(kept: KeptLife, details: &Details) -> Option<Life> {
        let KeptLife {
            state,
            ended,
            seq,
            wrong,
            text,
            answered_by,
        } = kept;
        let channel = details.channel;
        let fits = match state {
            State::Open(stage) => ended.is_none() && stage.is_of(channel),
            State::Ended(Reason::KeyPressed) => ended.is_some() && channel == Channel::Voice,
            State::Ended(Reason::CodeMatched) => ended.is_some() && channel == Channel::Sms,
            State::Ended(_) => ended.is_some(),
        };
        let open_attempts = matches!(state, State::Ended(_)) || wrong < details.attempts.get();
        let texted = text.is_some() == (channel == Channel::Sms);
        let called = answered_by.is_none() || channel == Channel::Voice;
        (fits && open_attempts && texted && called).then_some(Life {
            state,
            ended,
            seq,
            wrong,
            text,
            answered_by,
        })
    }

    /// Open at a stage, or ended for a reason.
    pub fn state(&self) -> State {
        self.state
    }

    /// When it ended.
    pub fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    /// Lines written to its log so far, which is also the number of the last.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Wrong codes that were entered.
    pub fn wrong(&self) -> u8 {
        self.wrong
    }

    /// What is known of its last text; `None` for a call.
    pub fn text(&self) -> Option<&Text> {
        self.text.as_ref()
    }

    /// Who or what answered the call, if its sounds told.
    pub fn answered_by(&self) -> Option<AnsweredBy> {
        self.answered_by
    }

    /// Applies an event. See [`super::Challenge::apply`].
    pub fn apply(&mut self, event: Event, now: Timestamp, details: &Details) -> Step {
        let State::Open(stage) = self.state else {
            return Step::Ignored;
        };
        let what = match event {
            // Whatever the event is, it came too late: expiry was first.
            _ if now >= details.expires => Some(What::Ended(Reason::TimedOut)),
            Event::Expire => None,
            Event::Cancel => Some(What::Ended(Reason::CancelledByCaller)),
            Event::Ended(reason) if reason.outcome() != Outcome::Approved => {
                Some(What::Ended(reason))
            }
            event => match details.channel {
                Channel::Voice => self.called(event, stage),
                Channel::Sms => self.texted(event, stage, now, details),
            },
        };
        let Some(what) = what else {
            return Step::Ignored;
        };
        match what {
            What::Stage(stage) => self.state = State::Open(stage),
            What::Ended(reason) => {
                self.state = State::Ended(reason);
                self.ended = Some(now);
            }
            What::Key(_)
            | What::AnsweredBy(_)
            | What::Text { .. }
            | What::Resent { .. }
            | What::WrongCode { .. } => {}
        }
        self.seq += 1;
        Step::Noted(Entry {
            seq: self.seq,
            at: now,
            what,
        })
    }

    /// Takes in what a carrier says of a text after the challenge has ended, which changes nothing
    /// but what is known of the text. Whether that says anything new.
    pub fn hear_late(&mut self, sending: u8, news: TextNews, now: Timestamp) -> bool {
        let (State::Ended(_), Some(text)) = (self.state, self.text.as_mut()) else {
            return false;
        };
        text.sending == sending && text.learn(news, now)
    }

    /// What an event means to a challenge by phone call. No code approves it.
    fn called(&mut self, event: Event, stage: Stage) -> Option<What> {
        Some(match event {
            Event::Dialling if stage < Stage::Dialling => What::Stage(Stage::Dialling),
            Event::Ringing if stage < Stage::Ringing => What::Stage(Stage::Ringing),
            Event::Answered if stage < Stage::Answered => What::Stage(Stage::Answered),
            Event::Key(key) if self.seq < LONG_LOG => What::Key(key),
            Event::AnsweredBy(by) if stage == Stage::Answered && self.answered_by.is_none() => {
                self.answered_by = Some(by);
                What::AnsweredBy(by)
            }
            Event::Ended(Reason::KeyPressed) if stage == Stage::Answered => {
                What::Ended(Reason::KeyPressed)
            }
            // No key can have been pressed on a call that nobody answered, and no code entered:
            // whatever produced this report is wrong about the call, so the call is not believed.
            Event::Ended(_) => What::Ended(Reason::CallFailed),
            Event::Interrupt => What::Ended(Reason::Interrupted),
            _ => return None,
        })
    }

    /// What an event means to a challenge by text. No key approves it, nor any gateway's word: the
    /// right code alone does.
    fn texted(
        &mut self,
        event: Event,
        stage: Stage,
        now: Timestamp,
        details: &Details,
    ) -> Option<What> {
        Some(match event {
            Event::Code(Match::Right) => What::Ended(Reason::CodeMatched),
            Event::Code(Match::Wrong) => {
                self.wrong = self.wrong.saturating_add(1);
                match details.attempts.get().saturating_sub(self.wrong) {
                    0 => What::Ended(Reason::TooManyAttempts),
                    left => What::WrongCode { left },
                }
            }
            Event::Text { sending, news } => self.heard(sending, news, stage, now)?,
            Event::Resend if stage != Stage::Queued => {
                let sending = self.text?.sending.checked_add(1)?;
                self.text = Some(Text::queued(sending));
                What::Resent { sending }
            }
            // Once a text has left, the next process can check the code.
            Event::Interrupt if stage == Stage::Queued => What::Ended(Reason::Interrupted),
            // Nor will anybody hear what becomes of one that was sent again and is on its way.
            Event::Interrupt => {
                let on_its_way = self.text.filter(|text| text.state == TextState::Queued)?;
                self.heard(on_its_way.sending, TextNews::Unsure, stage, now)?
            }
            _ => return None,
        })
    }

    /// Takes in what happened to one of its texts. The stage tells the best that is known of any of
    /// them, the text what is known of the last.
    fn heard(&mut self, sending: u8, news: TextNews, stage: Stage, now: Timestamp) -> Option<What> {
        let text = self.text.as_mut()?;
        let is_last = text.sending == sending;
        let is_new = match is_last {
            true => text.learn(news, now),
            false => (1..text.sending).contains(&sending) && self.seq < LONG_LOG,
        };
        if !is_new {
            return None;
        }
        if let TextNews::Failed { why, .. } = news
            && stage == Stage::Queued
        {
            // Nothing has left, so nobody can have the code.
            return Some(What::Ended(why.reason()));
        }
        let is_delivered = matches!(news, TextNews::Delivered { .. }) || stage == Stage::Delivered;
        let stage = match text.state {
            _ if is_delivered => Stage::Delivered,
            _ if !is_last => stage,
            TextState::Sent | TextState::Unsure | TextState::Accepted | TextState::Unknown => {
                Stage::Sent
            }
            TextState::Undeliverable => Stage::Undeliverable,
            TextState::Queued | TextState::Delivered | TextState::Failed => stage,
        };
        self.state = State::Open(stage);
        Some(What::Text { sending, news })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::challenge::{
        Attempts, CarrierWord, Key, KeySource, Purpose, Status, Tenant, Unsent,
    };
    use crate::dtmf::Digit;

    const BEGAN: i64 = 1_000_000;
    const LIFE_MS: i64 = 1_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(BEGAN + ms).expect("a time within range")
    }

    fn details(channel: Channel, attempts: u64) -> Details {
        Details {
            id: Uuid::nil(),
            tenant: Tenant::default(),
            subject: None,
            purpose: Purpose::SignIn,
            channel,
            to: None,
            locale: "en-GB".into(),
            created: at(0),
            expires: at(LIFE_MS),
            attempts: Attempts::new(attempts).expect("a number of attempts"),
        }
    }

    fn key() -> Key {
        Key {
            digit: Digit::HASH,
            source: KeySource::Rfc4733,
            counted: true,
        }
    }

    fn every_news() -> Vec<TextNews> {
        let mut news = vec![
            TextNews::Sent { messages: 1 },
            TextNews::Unsure,
            TextNews::Accepted { took_ms: 5 },
            TextNews::Unknown { took_ms: 5 },
            TextNews::Delivered { took_ms: 5 },
            TextNews::Undeliverable {
                took_ms: 5,
                error: CarrierWord::new("UNDELIV"),
            },
        ];
        news.extend(Unsent::ALL.map(|why| TextNews::Failed { why, error: None }));
        news
    }

    fn every_event() -> Vec<Event> {
        let mut events = vec![
            Event::Dialling,
            Event::Ringing,
            Event::Answered,
            Event::Key(key()),
            Event::AnsweredBy(AnsweredBy::Person),
            Event::Resend,
            Event::Code(Match::Right),
            Event::Code(Match::Wrong),
            Event::Expire,
            Event::Cancel,
            Event::Interrupt,
        ];
        events.extend(Reason::ALL.map(Event::Ended));
        for sending in 0..3 {
            let text = |news| Event::Text { sending, news };
            events.extend(every_news().into_iter().map(text));
        }
        events
    }

    fn every_state(channel: Channel) -> Vec<State> {
        let stages = Stage::ALL.into_iter().filter(|s| s.is_of(channel));
        let mut states: Vec<State> = stages.map(State::Open).collect();
        states.extend(Reason::ALL.map(State::Ended));
        states
    }

    fn text_at(state: State) -> Text {
        Text {
            state: match state {
                State::Open(Stage::Sent) => TextState::Sent,
                State::Open(Stage::Undeliverable) => TextState::Undeliverable,
                State::Open(Stage::Delivered) => TextState::Delivered,
                _ => TextState::Queued,
            },
            ..Text::queued(1)
        }
    }

    /// What an event leads to before expiry; `None` if the state stays as it is.
    fn called(stage: Stage, event: Event) -> Option<State> {
        Some(match event {
            Event::Dialling => State::Open(stage.max(Stage::Dialling)),
            Event::Ringing => State::Open(stage.max(Stage::Ringing)),
            Event::Answered => State::Open(Stage::Answered),
            Event::Ended(Reason::KeyPressed) if stage == Stage::Answered => {
                State::Ended(Reason::KeyPressed)
            }
            Event::Ended(Reason::KeyPressed | Reason::CodeMatched) => {
                State::Ended(Reason::CallFailed)
            }
            Event::Ended(reason) => State::Ended(reason),
            Event::Cancel => State::Ended(Reason::CancelledByCaller),
            Event::Interrupt => State::Ended(Reason::Interrupted),
            _ => return None,
        })
    }

    fn texted(stage: Stage, event: Event) -> Option<State> {
        Some(match event {
            Event::Code(Match::Right) => State::Ended(Reason::CodeMatched),
            Event::Ended(Reason::KeyPressed | Reason::CodeMatched) => return None,
            Event::Ended(reason) => State::Ended(reason),
            Event::Cancel => State::Ended(Reason::CancelledByCaller),
            Event::Interrupt if stage == Stage::Queued => State::Ended(Reason::Interrupted),
            Event::Text { sending: 1, news } => match (news, stage) {
                (TextNews::Failed { why, .. }, Stage::Queued) => State::Ended(why.reason()),
                (TextNews::Sent { .. } | TextNews::Unsure, Stage::Queued) => {
                    State::Open(Stage::Sent)
                }
                (TextNews::Accepted { .. } | TextNews::Unknown { .. }, Stage::Queued) => {
                    State::Open(Stage::Sent)
                }
                (TextNews::Undeliverable { .. }, Stage::Queued | Stage::Sent) => {
                    State::Open(Stage::Undeliverable)
                }
                (TextNews::Delivered { .. }, _) => State::Open(Stage::Delivered),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Every state, every event, before, at and after expiry, for both channels: the whole table.
    #[test]
    fn the_whole_transition_table() {
        for channel in Channel::ALL {
            let details = details(channel, 5);
            for state in every_state(channel) {
                for event in every_event() {
                    for ms in [1, LIFE_MS - 1, LIFE_MS, LIFE_MS + 1] {
                        let mut life = Life {
                            state,
                            ended: state.reason().map(|_| at(0)),
                            seq: 3,
                            wrong: 0,
                            text: (channel == Channel::Sms).then(|| text_at(state)),
                            answered_by: None,
                        };
                        let before = life;
                        let step = life.apply(event, at(ms), &details);
                        let label = format!("{channel:?} {state:?} {event:?} at {ms}");
                        let State::Open(stage) = state else {
                            assert_eq!((life, step), (before, Step::Ignored), "{label}");
                            continue;
                        };
                        let led = match channel {
                            Channel::Voice => called(stage, event),
                            Channel::Sms => texted(stage, event),
                        };
                        let expected = match ms >= LIFE_MS {
                            true => State::Ended(Reason::TimedOut),
                            false => led.unwrap_or(state),
                        };
                        assert_eq!(life.state, expected, "{label}");
                        assert_eq!(life.ended.is_some(), expected.reason().is_some(), "{label}");
                        match step {
                            Step::Noted(entry) => {
                                let told = (entry.seq, life.seq, entry.at);
                                assert_eq!(told, (4, 4, at(ms)), "{label}");
                            }
                            Step::Ignored => assert_eq!(life, before, "{label}"),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_phone_that_keeps_pressing_fills_no_log() {
        let details = details(Channel::Voice, 5);
        let (mut life, _) = Life::begin(&details);
        let mut noted = 0;
        for _ in 0..1000 {
            if let Step::Noted(_) = life.apply(Event::Key(key()), at(1), &details) {
                noted += 1;
            }
        }
        assert_eq!((noted, life.seq()), (LONG_LOG - 1, LONG_LOG));
        let _ = life.apply(Event::Answered, at(2), &details);
        let _ = life.apply(Event::Ended(Reason::KeyPressed), at(3), &details);
        assert_eq!(life.state().status(), Status::Approved);
    }

    #[test]
    fn the_last_wrong_code_ends_it_and_no_code_after_it_counts() {
        for attempts in 1..=10 {
            let details = details(Channel::Sms, attempts);
            let (mut life, _) = Life::begin(&details);
            for n in 1..=attempts {
                assert_eq!(life.state(), State::Open(Stage::Queued));
                let step = life.apply(Event::Code(Match::Wrong), at(1), &details);
                let Step::Noted(entry) = step else {
                    panic!("not noted");
                };
                let expected = match attempts - n {
                    0 => What::Ended(Reason::TooManyAttempts),
                    left => What::WrongCode { left: left as u8 },
                };
                assert_eq!(entry.what, expected);
            }
            let after = life.apply(Event::Code(Match::Right), at(2), &details);
            assert_eq!(after, Step::Ignored);
            assert_eq!(life.state().status(), Status::Denied);
            assert_eq!(u64::from(life.wrong()), attempts);
        }
    }

    #[test]
    fn a_resend_is_a_text_of_its_own_and_the_first_may_still_arrive() {
        let details = details(Channel::Sms, 5);
        let (mut life, _) = Life::begin(&details);
        let mut tell = |sending, news| {
            let event = Event::Text { sending, news };
            let step = life.apply(event, at(1), &details);
            (matches!(step, Step::Noted(_)), life)
        };
        tell(1, TextNews::Sent { messages: 1 });
        let undeliverable = TextNews::Undeliverable {
            took_ms: 1,
            error: CarrierWord::new("UNDELIV"),
        };
        let (_, mut life) = tell(1, undeliverable);
        assert_eq!(life.state(), State::Open(Stage::Undeliverable));
        let step = life.apply(Event::Resend, at(2), &details);
        assert!(matches!(step, Step::Noted(e) if e.what == What::Resent { sending: 2 }));
        assert_eq!(life.text(), Some(&Text::queued(2)));
        // A resend that fails does not end what was sent before.
        let failed = TextNews::Failed {
            why: Unsent::Overloaded,
            error: None,
        };
        let event = |sending, news| Event::Text { sending, news };
        let _ = life.apply(event(2, failed), at(3), &details);
        assert_eq!(life.state(), State::Open(Stage::Undeliverable));
        assert_eq!(life.text().map(|t| t.state), Some(TextState::Failed));
        let _ = life.apply(
            event(1, TextNews::Delivered { took_ms: 9 }),
            at(4),
            &details,
        );
        assert_eq!(life.state(), State::Open(Stage::Delivered));
        assert_eq!(life.text().map(|t| t.state), Some(TextState::Failed));
        let unknown = life.apply(event(3, TextNews::Unsure), at(5), &details);
        assert_eq!(unknown, Step::Ignored, "there is no third text");
    }

    #[test]
    fn a_late_receipt_changes_the_text_and_not_the_outcome() {
        let details = details(Channel::Sms, 5);
        let (mut life, _) = Life::begin(&details);
        let news = TextNews::Delivered { took_ms: 5 };
        assert!(!life.hear_late(1, news, at(1)), "it is open");
        let sent = TextNews::Sent { messages: 1 };
        let event = Event::Text {
            sending: 1,
            news: sent,
        };
        let _ = life.apply(event, at(1), &details);
        let _ = life.apply(Event::Code(Match::Right), at(2), &details);
        let before = life;
        assert!(!life.hear_late(2, news, at(3)), "there is no second text");
        assert!(life.hear_late(1, news, at(3)));
        assert!(!life.hear_late(1, news, at(4)));
        assert_eq!(life.text().map(|t| t.state), Some(TextState::Delivered));
        let others = |life: &Life| (life.state(), life.ended(), life.seq(), life.wrong());
        assert_eq!(others(&life), others(&before));
    }

    #[test]
    fn receipts_without_end_fill_no_log() {
        let details = details(Channel::Sms, 5);
        let (mut life, _) = Life::begin(&details);
        let sent = TextNews::Sent { messages: 1 };
        let _ = life.apply(
            Event::Text {
                sending: 1,
                news: sent,
            },
            at(1),
            &details,
        );
        let _ = life.apply(Event::Resend, at(1), &details);
        for _ in 0..1000 {
            for news in every_news() {
                for sending in [1, 2] {
                    let _ = life.apply(Event::Text { sending, news }, at(2), &details);
                }
            }
        }
        assert!(life.seq() <= LONG_LOG, "{}", life.seq());
        let _ = life.apply(Event::Code(Match::Right), at(3), &details);
        assert_eq!(life.state(), State::Ended(Reason::CodeMatched));
    }

    #[test]
    fn a_life_that_cannot_be_is_not_restored() {
        let kept = |state, ended: Option<i64>, wrong, text: bool| KeptLife {
            state,
            ended: ended.map(at),
            seq: 2,
            wrong,
            text: text.then(|| Text::queued(1)),
            answered_by: None,
        };
        let voice = details(Channel::Voice, 5);
        let sms = details(Channel::Sms, 5);
        let ended = State::Ended(Reason::Busy);
        let open = State::Open(Stage::Queued);
        for (cannot_be, details) in [
            (kept(ended, None, 0, false), &voice),
            (kept(open, Some(1), 0, false), &voice),
            (kept(State::Open(Stage::Sent), None, 0, false), &voice),
            (kept(State::Open(Stage::Answered), None, 0, true), &sms),
            (
                kept(State::Ended(Reason::CodeMatched), Some(1), 0, false),
                &voice,
            ),
            (
                kept(State::Ended(Reason::KeyPressed), Some(1), 0, true),
                &sms,
            ),
            (kept(open, None, 5, true), &sms),
            (kept(open, None, 0, false), &sms),
            (kept(open, None, 0, true), &voice),
        ] {
            assert_eq!(Life::restore(cannot_be, details), None, "{cannot_be:?}");
        }
        let life = Life::restore(kept(ended, Some(1), 0, false), &voice);
        let life = life.map(|l| (l.state(), l.ended(), l.seq()));
        assert_eq!(life, Some((ended, Some(at(1)), 2)));
        let life = Life::restore(kept(State::Open(Stage::Sent), None, 4, true), &sms);
        assert_eq!(life.map(|l| l.wrong()), Some(4));
    }

    fn any_event() -> impl Strategy<Value = Event> {
        // Weighted so that long lives, and approvals, are common enough to be worth asking about.
        let text = (1u8..4, proptest::sample::select(every_news()));
        prop_oneof![
            2 => Just(Event::Dialling),
            2 => Just(Event::Ringing),
            4 => Just(Event::Answered),
            3 => Just(Event::Key(key())),
            3 => Just(Event::Ended(Reason::KeyPressed)),
            1 => proptest::sample::select(Reason::ALL.to_vec()).prop_map(Event::Ended),
            3 => Just(Event::Text { sending: 1, news: TextNews::Sent { messages: 1 } }),
            4 => text.prop_map(|(sending, news)| Event::Text { sending, news }),
            2 => Just(Event::Resend),
            6 => Just(Event::Code(Match::Wrong)),
            2 => Just(Event::Code(Match::Right)),
            1 => Just(Event::Expire),
            1 => Just(Event::Cancel),
            1 => Just(Event::Interrupt),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn each_channel_has_one_way_to_approval(
            channel in proptest::sample::select(Channel::ALL.to_vec()),
            attempts in 1u64..=10,
            steps in proptest::collection::vec((any_event(), 0i64..300), 0..24)
        ) {
            let details = details(channel, attempts);
            let (mut life, first) = Life::begin(&details);
            let mut log = vec![first];
            let mut now = 0;
            let mut answered = false;
            let mut wrong = 0;
            let mut outcome: Option<(State, Option<Timestamp>)> = None;
            for (event, wait) in steps {
                now += wait;
                let step = life.apply(event, at(now), &details);
                if let Some(outcome) = outcome {
                    prop_assert_eq!((life.state(), life.ended()), outcome);
                    prop_assert_eq!(step, Step::Ignored);
                } else {
                    if life.state().status() == Status::Approved {
                        prop_assert!(at(now) < details.expires);
                        match channel {
                            Channel::Voice => {
                                prop_assert_eq!(event, Event::Ended(Reason::KeyPressed));
                                prop_assert!(answered);
                            }
                            Channel::Sms => {
                                prop_assert_eq!(event, Event::Code(Match::Right));
                                prop_assert!(wrong < attempts);
                            }
                        }
                    }
                    if event == Event::Code(Match::Wrong) && now < LIFE_MS && channel == Channel::Sms {
                        wrong += 1;
                        prop_assert!(matches!(step, Step::Noted(_)), "an attempt that is not noted");
                        let spent = life.state() == State::Ended(Reason::TooManyAttempts);
                        prop_assert_eq!(spent, wrong == attempts);
                    }
                }
                prop_assert_eq!(u64::from(life.wrong()), wrong);
                answered |= event == Event::Answered && now < LIFE_MS;
                if let Step::Noted(entry) = step {
                    log.push(entry);
                }
                if matches!(life.state(), State::Ended(_)) {
                    outcome.get_or_insert((life.state(), life.ended()));
                }
                // What is kept is what was.
                let kept = KeptLife {
                    state: life.state,
                    ended: life.ended,
                    seq: life.seq,
                    wrong: life.wrong,
                    text: life.text,
                    answered_by: life.answered_by,
                };
                prop_assert_eq!(Life::restore(kept, &details), Some(life));
            }
            prop_assert_eq!(log.last().map(|e| e.seq), Some(life.seq()));
            prop_assert!(log.iter().zip(1..).all(|(e, n)| e.seq == n));
            prop_assert!(log.is_sorted_by_key(|e| e.at));
            let ends = log.iter().filter(|e| matches!(e.what, What::Ended(_))).count();
            prop_assert_eq!(ends, usize::from(outcome.is_some()));
            if let (Some(Entry { what: What::Ended(reason), .. }), Some((state, _))) = (log.last(), outcome) {
                prop_assert_eq!(State::Ended(*reason), state);
            } else {
                prop_assert!(outcome.is_none());
            }
        }
    }
}
