//! One bind to a message centre, sans-IO: octets and instants in; octets, events and the next
//! deadline out.
//!
//! The owner connects and calls [`Session::connected`]; then, in any order and as often as it
//! likes: reads go to [`Session::handle_bytes`], [`Session::poll_transmit`] is written and the
//! count written told by [`Session::transmitted`], [`Session::poll_timeout`] says when to call
//! [`Session::handle_timeout`], and [`Session::poll_event`] is emptied after each call. Texts go
//! in by [`Session::submit`] while [`Session::room`] says so; the session keeps no copy of a text
//! and never sends one twice. After [`Event::Closed`] the same session may be connected again: it
//! keeps what it has learnt of the message centre's pace.

mod backoff;
mod config;
mod event;
mod incoming;
mod pace;
pub(in crate::smpp) mod window;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

pub use backoff::Backoff;
pub use config::Config;
pub use event::{
    Answer, Closed, Delivery, DeliveryHandle, Event, Lost, MessageId, NotSubmitted, Outcome, WhyNot,
};

use crate::smpp::pdu::{
    self, Body, Command, EncodeError, FrameError, Framer, Pdu, Sms, Status, Version,
};
use pace::Pace;
use window::{Sent, Window};

/// The highest sequence number; 1 follows it (SMPP 3.4 5.1.4).
const LAST_SEQUENCE: u32 = 0x7fff_ffff;
/// Octets waiting to be written above which no more texts are taken.
const TRANSMIT_SOFT: usize = 256 * 1024;
/// Octets waiting to be written above which the peer counts as not reading.
const TRANSMIT_HARD: usize = 1024 * 1024;
/// Sequence numbers remembered of texts whose answer may still come late.
const OVERDUE: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection.
    Idle,
    /// The bind is on its way.
    Binding { since: Instant, sequence: u32 },
    /// Texts may flow.
    Bound,
    /// No new texts; those on their way are waited for.
    Draining { why: Closed },
    /// The unbind is on its way.
    Unbinding {
        since: Instant,
        sequence: u32,
        why: Closed,
    },
}

/// An enquire_link on its way.
#[derive(Debug, Clone, Copy)]
struct Enquiry {
    sequence: u32,
    since: Instant,
    /// Anything heard since proves that the peer is there, even without the answer.
    heard: bool,
}

/// One bind. `T` is what each text is submitted with and handed back with its answer.
#[derive(Debug)]
pub struct Session<T> {
    config: Config,
    state: State,
    connection: u64,
    framer: Framer,
    out: Vec<u8>,
    /// Octets of `out` that have been written.
    out_done: usize,
    /// Octets written on this connection.
    written: u64,
    /// The place in the stream just behind the last text.
    text_end: u64,
    sequence: u32,
    window: Window<T>,
    pace: Pace,
    events: VecDeque<Event<T>>,
    last_heard: Instant,
    last_text: Instant,
    enquiry: Option<Enquiry>,
    deliveries: HashMap<u32, Command>,
    overdue: VecDeque<u32>,
    peer_version: Option<Version>,
}

impl<T> Session<T> {
    /// A session that waits for its connection.
    ///
    /// # Errors
    /// A field of the bind does not fit the wire.
    pub fn new(config: Config, now: Instant) -> Result<Session<T>, EncodeError> {
        let mut session = Session {
            state: State::Idle,
            connection: 0,
            framer: Framer::new(config.pdu_limit),
            out: Vec::new(),
            out_done: 0,
            written: 0,
            text_end: 0,
            sequence: 0,
            window: Window::new(config.window),
            pace: Pace::new(config.rate),
            events: VecDeque::new(),
            last_heard: now,
            last_text: now,
            enquiry: None,
            deliveries: HashMap::new(),
            overdue: VecDeque::new(),
            peer_version: None,
            config,
        };
        session.write_bind(0)?;
        session.out.clear();
        Ok(session)
    }

    /// What the session was configured with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The connection stands: the bind goes out. Sequence numbers begin at 1 again.
    pub fn connected(&mut self, now: Instant) {
        if self.state != State::Idle {
            self.close(now, Closed::Disconnected);
        }
        self.connection += 1;
        self.framer.reset();
        self.out.clear();
        self.out_done = 0;
        self.written = 0;
        self.text_end = 0;
        self.sequence = 0;
        self.last_heard = now;
        self.last_text = now;
        self.peer_version = None;
        let sequence = self.next_sequence();
        self.state = State::Binding {
            since: now,
            sequence,
        };
        if let Err(error) = self.write_bind(sequence) {
            self.close(now, Closed::Unsendable(error));
        }
    }

    /// The connection is gone.
    pub fn disconnected(&mut self, now: Instant) {
        let why = match self.state {
            State::Idle => return,
            // The peer may hang up instead of answering an unbind.
            State::Unbinding { why, .. } => why,
            _ => Closed::Disconnected,
        };
        self.close(now, why);
        self.out.clear();
        self.out_done = 0;
    }

    /// Ends the session in order: no more texts, the window drains, then unbind. Ends at once
    /// where nothing is bound. The response timer bounds each step.
    pub fn unbind(&mut self, now: Instant) {
        self.drain(now, Closed::Unbound);
    }

    /// Whether texts may flow.
    pub fn is_bound(&self) -> bool {
        self.state == State::Bound
    }

    /// Whether there is no connection.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Texts that wait for their answer.
    pub fn in_flight(&self) -> usize {
        self.window.len()
    }

    /// Deliveries that wait for [`Session::acknowledge`].
    pub fn unacknowledged(&self) -> usize {
        self.deliveries.len()
    }

    /// The version the message centre says it speaks. One that says nothing speaks at least
    /// SMPP 3.3 (SMPP 3.4 3.4.2).
    pub fn peer_version(&self) -> Option<Version> {
        self.peer_version
    }

    /// Texts a second that the bind may send now, by its cap and by what throttling has taught;
    /// `None` leaves it to the window.
    pub fn rate(&self) -> Option<f64> {
        self.pace.rate()
    }

    /// Until when throttling keeps every text back, if it does.
    pub fn held_until(&self) -> Option<Instant> {
        self.pace.held_until()
    }

    /// Whether it is the octets waiting to be written that keep texts back.
    pub fn is_congested(&self) -> bool {
        self.pending() > TRANSMIT_SOFT
    }

    /// How many texts [`Session::submit`] will take now.
    pub fn room(&mut self, now: Instant) -> usize {
        if self.state != State::Bound || !self.config.kind.sends() || self.is_congested() {
            return 0;
        }
        let room = self.window.room();
        if room == 0 {
            return 0;
        }
        room.min(self.pace.allowance(now))
    }

    /// When there will be room, where it is the pace that keeps texts back.
    pub fn next_room(&self, now: Instant) -> Option<Instant> {
        if self.state == State::Bound && self.window.room() > 0 {
            self.pace.next(now)
        } else {
            None
        }
    }

    /// Sends a text; the answer comes as [`Event::Answered`] with `tag`. Returns the text's
    /// sequence number on this connection.
    ///
    /// # Errors
    /// The text was not sent, and `tag` is handed back; see [`WhyNot`].
    pub fn submit(&mut self, now: Instant, tag: T, sms: &Sms<'_>) -> Result<u32, NotSubmitted<T>> {
        if self.room(now) == 0 {
            let why = if self.state != State::Bound || !self.config.kind.sends() {
                WhyNot::NotBound
            } else if self.window.room() == 0 || self.is_congested() {
                WhyNot::WindowFull
            } else {
                WhyNot::Paced
            };
            return Err(NotSubmitted { tag, why });
        }
        let sequence = self.next_sequence();
        let start = self.out.len();
        if let Err(error) = pdu::encode_submit(&mut self.out, sequence, sms) {
            let why = WhyNot::Unsendable(error);
            return Err(NotSubmitted { tag, why });
        }
        let end = self.written + self.pending() as u64;
        let sent = Sent {
            tag,
            sequence,
            sent_at: now,
            end,
        };
        if let Err(sent) = self.window.insert(sent) {
            self.out.truncate(start);
            let why = WhyNot::WindowFull;
            return Err(NotSubmitted { tag: sent.tag, why });
        }
        self.text_end = end;
        self.pace.spend();
        self.last_text = now;
        Ok(sequence)
    }

    /// Answers a delivery; the message centre sends it again later unless `status` is
    /// [`Status::OK`] (or says that it never should). Does nothing if its connection is gone.
    pub fn acknowledge(&mut self, handle: DeliveryHandle, status: Status) {
        if handle.connection != self.connection || self.state == State::Idle {
            return;
        }
        if let Some(command) = self.deliveries.remove(&handle.sequence) {
            self.answer_delivery(command, status, handle.sequence);
        }
    }

    /// Octets to be written, if any. What was written is told by [`Session::transmitted`].
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        self.out
            .get(self.out_done..)
            .filter(|octets| !octets.is_empty())
    }

    /// `count` octets of [`Session::poll_transmit`] were written.
    pub fn transmitted(&mut self, count: usize) {
        let count = count.min(self.pending());
        self.out_done += count;
        self.written += count as u64;
        if self.out_done == self.out.len() {
            self.out.clear();
            self.out_done = 0;
        } else if self.out_done > TRANSMIT_SOFT {
            self.out.drain(..self.out_done);
            self.out_done = 0;
        }
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event<T>> {
        self.events.pop_front()
    }

    /// When [`Session::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let config = &self.config;
        match self.state {
            State::Idle => None,
            State::Binding { since, .. } => Some(since + config.session_init),
            State::Unbinding { since, .. } => Some(since + config.response),
            State::Bound | State::Draining { .. } => {
                let answer = self
                    .window
                    .oldest()
                    .map(|sent| sent.sent_at + config.response);
                let link = match self.enquiry {
                    Some(enquiry) => enquiry.since + config.response,
                    None => self.last_heard + config.enquire_link,
                };
                let idle = match self.state {
                    State::Bound => config.inactivity.map(|limit| self.last_text + limit),
                    _ => None,
                };
                [answer, Some(link), idle].into_iter().flatten().min()
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Idle => return,
            State::Binding { since, .. } => {
                if now >= since + self.config.session_init {
                    self.close(now, Closed::InitTimeout);
                }
                return;
            }
            State::Unbinding { since, why, .. } => {
                if now >= since + self.config.response {
                    self.close(now, why);
                }
                return;
            }
            State::Bound | State::Draining { .. } => {}
        }
        self.expire(now);
        self.keep_link(now);
        if self.state == State::Bound
            && let Some(limit) = self.config.inactivity
            && now >= self.last_text + limit
        {
            self.drain(now, Closed::Inactive);
        }
        self.unbind_when_drained(now);
    }

    /// Octets were read.
    pub fn handle_bytes(&mut self, now: Instant, mut octets: &[u8]) {
        if self.state == State::Idle || octets.is_empty() {
            return;
        }
        self.last_heard = now;
        if let Some(enquiry) = &mut self.enquiry {
            enquiry.heard = true;
        }
        // Frames borrow from the framer while the rest of the session changes.
        let mut framer = std::mem::take(&mut self.framer);
        loop {
            match framer.next(&mut octets) {
                Ok(Some(frame)) => self.on_frame(now, frame),
                Ok(None) => break,
                Err(error) => {
                    self.break_off(now, error);
                    break;
                }
            }
            if self.state == State::Idle {
                break;
            }
        }
        self.framer = framer;
        if self.state != State::Idle {
            self.unbind_when_drained(now);
            if self.pending() > TRANSMIT_HARD {
                self.close(now, Closed::PeerNotReading);
            }
        }
    }

    fn pending(&self) -> usize {
        self.out.len() - self.out_done
    }

    fn next_sequence(&mut self) -> u32 {
        loop {
            self.sequence = if self.sequence >= LAST_SEQUENCE {
                1
            } else {
                self.sequence + 1
            };
            // After wrapping round, a request of long ago may still hold its number.
            if !self.window.contains(self.sequence) {
                return self.sequence;
            }
        }
    }

    fn write_bind(&mut self, sequence: u32) -> Result<(), EncodeError> {
        Pdu {
            status: Status::OK,
            sequence,
            body: Body::Bind(self.config.kind, self.config.bind()),
        }
        .encode(&mut self.out)
    }

    fn drain(&mut self, now: Instant, why: Closed) {
        match self.state {
            State::Idle | State::Draining { .. } | State::Unbinding { .. } => {}
            State::Binding { .. } => self.close(now, why),
            State::Bound => {
                self.state = State::Draining { why };
                self.unbind_when_drained(now);
            }
        }
    }

    fn unbind_when_drained(&mut self, now: Instant) {
        if let State::Draining { why } = self.state
            && self.window.is_empty()
        {
            let sequence = self.next_sequence();
            pdu::encode_bare(&mut self.out, Command::UNBIND, Status::OK, sequence);
            self.state = State::Unbinding {
                since: now,
                sequence,
                why,
            };
        }
    }

    /// Gives up on answers that are overdue, and asks whether the peer is still there.
    fn expire(&mut self, now: Instant) {
        let mut expired = false;
        while self
            .window
            .oldest()
            .is_some_and(|sent| now >= sent.sent_at + self.config.response)
        {
            let Some(sent) = self.window.pop_oldest() else {
                break;
            };
            expired = true;
            if self.overdue.len() == OVERDUE {
                self.overdue.pop_front();
            }
            self.overdue.push_back(sent.sequence);
            self.report(sent, now, Outcome::Unknown(Lost::NoAnswer));
        }
        if expired && self.enquiry.is_none() {
            self.enquire(now);
        }
    }

    fn keep_link(&mut self, now: Instant) {
        match self.enquiry {
            Some(enquiry) if enquiry.heard => self.enquiry = None,
            Some(enquiry) if now >= enquiry.since + self.config.response => {
                self.close(now, Closed::PeerSilent);
                return;
            }
            _ => {}
        }
        if self.enquiry.is_none() && now >= self.last_heard + self.config.enquire_link {
            self.enquire(now);
        }
    }

    fn enquire(&mut self, now: Instant) {
        let sequence = self.next_sequence();
        pdu::encode_bare(&mut self.out, Command::ENQUIRE_LINK, Status::OK, sequence);
        self.enquiry = Some(Enquiry {
            sequence,
            since: now,
            heard: false,
        });
    }

    fn report(&mut self, sent: Sent<T>, now: Instant, outcome: Outcome) {
        self.events.push_back(Event::Answered(Answer {
            tag: sent.tag,
            sequence: sent.sequence,
            outcome,
            waited: now.saturating_duration_since(sent.sent_at),
        }));
    }

    /// The stream cannot be followed any more.
    fn break_off(&mut self, now: Instant, error: FrameError) {
        let status = Status::INVALID_COMMAND_LENGTH;
        self.farewell(
            now,
            Closed::BrokenFraming(error),
            Command::GENERIC_NACK,
            status,
            0,
        );
    }

    /// Ends with a last PDU of ours, if that can be said without sending texts that will be
    /// reported as not sent.
    fn farewell(
        &mut self,
        now: Instant,
        why: Closed,
        command: Command,
        status: Status,
        sequence: u32,
    ) {
        if self.text_end <= self.written {
            self.bare(command, status, sequence);
        }
        self.close(now, why);
    }

    /// Ends the session and gives every text that waits its one answer. What has not been written
    /// stays unwritten if any of it is a text: that is what makes [`Outcome::NotSent`] true.
    fn close(&mut self, now: Instant, why: Closed) {
        while let Some(sent) = self.window.pop_oldest() {
            let outcome = if sent.end > self.written {
                Outcome::NotSent
            } else {
                Outcome::Unknown(Lost::ConnectionLost)
            };
            self.report(sent, now, outcome);
        }
        if self.text_end > self.written {
            self.out.clear();
            self.out_done = 0;
        }
        self.state = State::Idle;
        self.enquiry = None;
        self.deliveries.clear();
        self.overdue.clear();
        self.events.push_back(Event::Closed(why));
    }
}

impl<T> Session<T> {
    /// For a connection that takes over a bind which has already used many numbers.
    #[cfg(test)]
    fn skip_to_sequence(&mut self, sequence: u32) {
        self.sequence = sequence;
    }
}

#[cfg(test)]
mod tests;
