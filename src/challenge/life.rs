//! The life of a challenge: stages while it is open, one end, and the log of both.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Outcome, Reason};
use crate::dtmf::Digit;

/// Lines of a log after which no more keys are noted: a phone that goes on pressing fills no disk.
pub const LONG_LOG: u32 = 64;

/// How far an open challenge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Accepted and durable; nothing has gone out yet.
    Queued,
    /// The phone is being called.
    Dialling,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 4] = [
        Stage::Queued,
        Stage::Dialling,
        Stage::Ringing,
        Stage::Answered,
    ];
}

/// Open at a stage, or ended for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Still waiting for its outcome.
    Open(Stage),
    /// Ended; nothing changes it any more.
    Ended(Reason),
}

impl State {
    /// The state in one word, as the API tells it.
    pub const fn status(self) -> Status {
        match self {
            State::Open(Stage::Queued) => Status::Queued,
            State::Open(Stage::Dialling) => Status::Dialling,
            State::Open(Stage::Ringing) => Status::Ringing,
            State::Open(Stage::Answered) => Status::Answered,
            State::Ended(reason) => match reason.outcome() {
                Outcome::Approved => Status::Approved,
                Outcome::Denied => Status::Denied,
                Outcome::Expired => Status::Expired,
                Outcome::Failed => Status::Failed,
                Outcome::Cancelled => Status::Cancelled,
            },
        }
    }

    /// Why it ended, if it has.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            State::Open(_) => None,
            State::Ended(reason) => Some(reason),
        }
    }
}

/// A state in one word: the stages of an open challenge and the outcomes of an ended one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted and durable; nothing has gone out yet.
    Queued,
    /// The phone is being called.
    Dialling,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
    /// The person confirmed on the phone.
    Approved,
    /// The person was reached and did not confirm, or refused.
    Denied,
    /// Time ran out before an answer.
    Expired,
    /// It could not be carried out; the reason says why.
    Failed,
    /// The caller of the API took it back.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 9] = [
        Status::Queued,
        Status::Dialling,
        Status::Ringing,
        Status::Answered,
        Status::Approved,
        Status::Denied,
        Status::Expired,
        Status::Failed,
        Status::Cancelled,
    ];

    /// Its name in the API and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Dialling => "dialling",
            Status::Ringing => "ringing",
            Status::Answered => "answered",
            Status::Approved => "approved",
            Status::Denied => "denied",
            Status::Expired => "expired",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}

/// What can happen to a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The call went out.
    Dialling,
    /// The phone rings.
    Ringing,
    /// The call was answered.
    Answered,
    /// A key was pressed. Noted, never acted on: what a key means is the call script's to say.
    Key(Key),
    /// The gateway says that it is over, and why.
    Ended(Reason),
    /// The challenge's time is thought to have run out; it ends only if it has.
    Expire,
    /// The caller of the API takes it back.
    Cancel,
    /// The process stops.
    Interrupt,
}

/// A key press as the log keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which key.
    pub digit: Digit,
    /// How it was heard.
    pub source: KeySource,
    /// Whether the call script acted on it.
    pub counted: bool,
}

/// How a key was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// An RFC 4733 telephone-event.
    Rfc4733,
    /// A SIP INFO request.
    SipInfo,
    /// Tones in the audio.
    InBand,
}

/// One line of a challenge's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its number within the challenge: 1, 2, 3...
    pub seq: u32,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
}

/// What a line of the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A stage was reached.
    Stage(Stage),
    /// A key was pressed.
    Key(Key),
    /// It ended; always the last line.
    Ended(Reason),
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an entry that is not written is lost"]
pub enum Step {
    /// The challenge moved on or a key was noted: this line is to be written.
    Noted(Entry),
    /// Nothing changed: the event came late, came twice, or meant nothing here.
    Ignored,
}

/// The part of a challenge that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    state: State,
    ended: Option<Timestamp>,
    seq: u32,
}

impl Life {
    /// A life that begins, queued, with its first line.
    pub fn begin(at: Timestamp) -> (Life, Entry) {
        let life = Life {
            state: State::Open(Stage::Queued),
            ended: None,
            seq: 1,
        };
        let entry = Entry {
            seq: 1,
            at,
            what: What::Stage(Stage::Queued),
        };
        (life, entry)
    }

    /// A life as the store kept it: its state, when it ended, and the lines of its log. An ended
    /// one without a time, or an open one with, cannot be: `None`.
    pub fn restore(state: State, ended: Option<Timestamp>, seq: u32) -> Option<Life> {
        let fits = matches!(state, State::Ended(_)) == ended.is_some();
        fits.then_some(Life { state, ended, seq })
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

    /// Applies an event. See [`super::Challenge::apply`].
    pub fn apply(&mut self, event: Event, now: Timestamp, expires: Timestamp) -> Step {
        let State::Open(stage) = self.state else {
            return Step::Ignored;
        };
        let what = if now >= expires {
            // Whatever the event is, it came too late: expiry was first.
            What::Ended(Reason::TimedOut)
        } else {
            match event {
                Event::Dialling if stage < Stage::Dialling => What::Stage(Stage::Dialling),
                Event::Ringing if stage < Stage::Ringing => What::Stage(Stage::Ringing),
                Event::Answered if stage < Stage::Answered => What::Stage(Stage::Answered),
                Event::Key(key) if self.seq < LONG_LOG => What::Key(key),
                // No key can have been pressed on a call that nobody answered: whatever produced
                // this report is wrong about the call, so the call is not believed.
                Event::Ended(Reason::KeyPressed) if stage != Stage::Answered => {
                    What::Ended(Reason::CallFailed)
                }
                Event::Ended(reason) => What::Ended(reason),
                Event::Cancel => What::Ended(Reason::CancelledByCaller),
                Event::Interrupt => What::Ended(Reason::Interrupted),
                Event::Dialling
                | Event::Ringing
                | Event::Answered
                | Event::Key(_)
                | Event::Expire => return Step::Ignored,
            }
        };
        match what {
            What::Stage(stage) => self.state = State::Open(stage),
            What::Key(_) => {}
            What::Ended(reason) => {
                self.state = State::Ended(reason);
                self.ended = Some(now);
            }
        }
        self.seq += 1;
        Step::Noted(Entry {
            seq: self.seq,
            at: now,
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGAN: i64 = 1_000_000;
    const LIFE_MS: i64 = 1_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(BEGAN + ms).expect("a time within range")
    }

    fn key() -> Key {
        Key {
            digit: Digit::HASH,
            source: KeySource::Rfc4733,
            counted: true,
        }
    }

    fn every_event() -> Vec<Event> {
        let mut events = vec![
            Event::Dialling,
            Event::Ringing,
            Event::Answered,
            Event::Key(key()),
            Event::Expire,
            Event::Cancel,
            Event::Interrupt,
        ];
        events.extend(Reason::ALL.map(Event::Ended));
        events
    }

    fn every_state() -> Vec<State> {
        let mut states: Vec<State> = Stage::ALL.map(State::Open).to_vec();
        states.extend(Reason::ALL.map(State::Ended));
        states
    }

    /// Every state, every event, before, at and after expiry: the whole table.
    #[test]
    fn the_whole_transition_table() {
        for state in every_state() {
            for event in every_event() {
                for ms in [1, LIFE_MS - 1, LIFE_MS, LIFE_MS + 1] {
                    let mut life = Life {
                        state,
                        ended: state.reason().map(|_| at(0)),
                        seq: 3,
                    };
                    let before = life;
                    let step = life.apply(event, at(ms), at(LIFE_MS));
                    let label = format!("{state:?} {event:?} at {ms}");
                    let State::Open(stage) = state else {
                        assert_eq!((life, step), (before, Step::Ignored), "{label}");
                        continue;
                    };
                    let expected = if ms >= LIFE_MS {
                        State::Ended(Reason::TimedOut)
                    } else {
                        match event {
                            Event::Dialling => State::Open(stage.max(Stage::Dialling)),
                            Event::Ringing => State::Open(stage.max(Stage::Ringing)),
                            Event::Answered => State::Open(Stage::Answered),
                            Event::Key(_) | Event::Expire => state,
                            Event::Cancel => State::Ended(Reason::CancelledByCaller),
                            Event::Interrupt => State::Ended(Reason::Interrupted),
                            Event::Ended(Reason::KeyPressed) if stage < Stage::Answered => {
                                State::Ended(Reason::CallFailed)
                            }
                            Event::Ended(reason) => State::Ended(reason),
                        }
                    };
                    assert_eq!(life.state, expected, "{label}");
                    assert_eq!(life.ended.is_some(), expected.reason().is_some(), "{label}");
                    match step {
                        Step::Noted(entry) => {
                            assert_eq!((entry.seq, life.seq, entry.at), (4, 4, at(ms)), "{label}")
                        }
                        Step::Ignored => assert_eq!(life, before, "{label}"),
                    }
                }
            }
        }
    }

    #[test]
    fn a_phone_that_keeps_pressing_fills_no_log() {
        let (mut life, _) = Life::begin(at(0));
        let mut noted = 0;
        for _ in 0..1000 {
            if let Step::Noted(_) = life.apply(Event::Key(key()), at(1), at(LIFE_MS)) {
                noted += 1;
            }
        }
        assert_eq!((noted, life.seq()), (LONG_LOG - 1, LONG_LOG));
        let _ = life.apply(Event::Answered, at(2), at(LIFE_MS));
        let _ = life.apply(Event::Ended(Reason::KeyPressed), at(3), at(LIFE_MS));
        assert_eq!(life.state().status(), Status::Approved);
    }

    #[test]
    fn a_life_that_cannot_be_is_not_restored() {
        let ended = State::Ended(Reason::Busy);
        assert_eq!(Life::restore(ended, None, 2), None);
        assert_eq!(
            Life::restore(State::Open(Stage::Queued), Some(at(1)), 2),
            None
        );
        let life = Life::restore(ended, Some(at(1)), 2).map(|l| (l.state(), l.ended(), l.seq()));
        assert_eq!(life, Some((ended, Some(at(1)), 2)));
    }

    #[test]
    fn names_are_those_of_the_api() {
        for status in Status::ALL {
            assert_eq!(serde_json::json!(status), serde_json::json!(status.name()));
        }
    }

    fn any_event() -> impl Strategy<Value = Event> {
        // Weighted so that long lives, and approvals, are common enough to be worth asking about.
        prop_oneof![
            2 => Just(Event::Dialling),
            2 => Just(Event::Ringing),
            4 => Just(Event::Answered),
            3 => Just(Event::Key(key())),
            3 => Just(Event::Ended(Reason::KeyPressed)),
            1 => proptest::sample::select(Reason::ALL.to_vec()).prop_map(Event::Ended),
            1 => Just(Event::Expire),
            1 => Just(Event::Cancel),
            1 => Just(Event::Interrupt),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn only_a_key_in_time_on_an_answered_call_approves(
            steps in proptest::collection::vec((any_event(), 0i64..400), 0..14)
        ) {
            let expires = at(LIFE_MS);
            let (mut life, first) = Life::begin(at(0));
            let mut log = vec![first];
            let mut now = 0;
            let mut answered = false;
            let mut outcome: Option<(State, Option<Timestamp>)> = None;
            for (event, wait) in steps {
                now += wait;
                let step = life.apply(event, at(now), expires);
                if let Some(outcome) = outcome {
                    prop_assert_eq!((life.state(), life.ended()), outcome);
                    prop_assert_eq!(step, Step::Ignored);
                } else if life.state().status() == Status::Approved {
                    prop_assert_eq!(event, Event::Ended(Reason::KeyPressed));
                    prop_assert!(answered);
                    prop_assert!(at(now) < expires);
                }
                answered |= event == Event::Answered && now < LIFE_MS;
                if let Step::Noted(entry) = step {
                    log.push(entry);
                }
                if matches!(life.state(), State::Ended(_)) {
                    outcome.get_or_insert((life.state(), life.ended()));
                }
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
