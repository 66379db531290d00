//! The calls in progress: where the signalling plane, the media plane and the script of each
//! call meet. Owned by one task; it sends nothing itself but through the endpoint's transmits
//! and the media plane's commands.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tracing::{debug, info, warn};

use super::evidence::Keeper;
use super::keypad::InfoKey;
use super::media::{
    KeyPress, MediaPlane, Reservation, StreamCommand, StreamEvent, StreamId, StreamNews, StreamSpec,
};
use super::order::{CallOrder, CallRef, KeySource, News, Report};
use super::policy::CallPolicy;
use super::script::{KeyFate, Script, Step};
use super::trunk::Trunk;
use super::verdict::{reason_for, reason_of_end};
use crate::answer::AnsweredBy;
use crate::audio::{PromptLibrary, PromptSet};
use crate::challenge::Reason;
use crate::dtmf::Digit;
use crate::sdp::{Offer, SessionId};
use crate::sip::call::{CallId, Event, Invitation};
use crate::sip::endpoint::Endpoint;

/// The payload type we offer for telephone events; trunks answer with it or their own.
const EVENT_PAYLOAD: u8 = 101;

/// Where the proxy of a trunk is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// Its address.
    pub target: SocketAddr,
    /// Our own address as it sees us.
    pub local: SocketAddr,
}

/// A trunk and its next hop.
pub struct TrunkLine {
    /// As configured.
    pub trunk: Trunk,
    /// `None` while the proxy's name does not resolve, or no way leads there.
    pub hop: Option<NextHop>,
    open: usize,
}

impl TrunkLine {
    /// A line without calls.
    pub fn new(trunk: Trunk, hop: Option<NextHop>) -> TrunkLine {
        TrunkLine {
            trunk,
            hop,
            open: 0,
        }
    }
}

struct Call {
    order: CallOrder,
    script: Script,
    prompts: Arc<PromptSet>,
    sip: CallId,
    audio: Audio,
    answered: bool,
    /// Whether a key heard in the audio has approved, and its sound is still to come.
    wants_sound: bool,
    /// The last word on who or what has answered.
    answered_by: Option<AnsweredBy>,
    deadline: Option<Instant>,
}

enum Audio {
    Reserved(Reservation, Offer),
    Open(StreamId),
    Closed,
}

/// Every call in progress.
pub struct Calls {
    policy: CallPolicy,
    trunks: HashMap<Arc<str>, TrunkLine>,
    prompts: Arc<PromptLibrary>,
    media: MediaPlane,
    calls: HashMap<CallRef, Call>,
    by_sip: HashMap<CallId, CallRef>,
    by_stream: HashMap<StreamId, CallRef>,
    deadlines: BTreeSet<(Instant, CallRef)>,
    reports: VecDeque<Report>,
    keeper: Option<Keeper>,
}

impl Calls {
    /// No calls yet, over these trunks.
    pub fn new(
        policy: CallPolicy,
        trunks: impl IntoIterator<Item = TrunkLine>,
        prompts: Arc<PromptLibrary>,
        media: MediaPlane,
    ) -> Calls {
        Calls {
            policy,
            trunks: trunks
                .into_iter()
                .map(|line| (line.trunk.name.clone(), line))
                .collect(),
            prompts,
            media,
            calls: HashMap::new(),
            by_sip: HashMap::new(),
            by_stream: HashMap::new(),
            deadlines: BTreeSet::new(),
            reports: VecDeque::new(),
            keeper: None,
        }
    }

    /// Keeps the sound of approving keys.
    pub fn keeping(mut self, keeper: Option<Keeper>) -> Calls {
        self.keeper = keeper;
        self
    }

    /// How many calls are in progress.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call is in progress.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The next report for the engine.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// The next instant at which [`Calls::on_deadline`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A trunk's proxy resolved anew.
    pub fn resolved(&mut self, endpoint: &mut Endpoint, trunk: &str, hop: NextHop) {
        // While no trunk had been found, there was no address to be told, nor a call to tell it.
        if endpoint.advertised().ip().is_unspecified() {
            endpoint.advertise(hop.local);
        }
        if let Some(line) = self.trunks.get_mut(trunk) {
            line.hop = Some(hop);
        }
    }

    /// Places a call; whatever stands in its way is reported as its end.
    pub fn place(&mut self, endpoint: &mut Endpoint, now: Instant, order: CallOrder) {
        let call = order.call;
        if let Err(reason) = self.dial(endpoint, now, order) {
            self.report(call, News::Ended(reason));
        }
    }

    fn dial(
        &mut self,
        endpoint: &mut Endpoint,
        now: Instant,
        order: CallOrder,
    ) -> Result<(), Reason> {
        let call = order.call;
        if self.calls.contains_key(&call) {
            warn!(call = %call.0, "a second order for a call in progress was set aside");
            return Ok(());
        }
        let line = self
            .trunks
            .get_mut(&order.trunk)
            .ok_or(Reason::TrunkUnavailable)?;
        let NextHop { target, local } = line.hop.ok_or(Reason::TrunkUnavailable)?;
        if line.open >= line.trunk.max_calls {
            return Err(Reason::Overloaded);
        }
        let reservation = self.media.reserve().map_err(|error| {
            warn!(%error, "no media port for a call");
            Reason::Overloaded
        })?;
        let bound = reservation.addr();
        let ip = self.media.advertised(bound.ip(), local.ip());
        let local = SocketAddr::new(ip, bound.port());
        let trunk = &line.trunk;
        let user = order.to.e164();
        let user = if trunk.plus {
            user
        } else {
            user.trim_start_matches('+')
        };
        let caller = order.caller_id.as_ref().or(trunk.caller_id.as_ref());
        let from = match caller {
            Some(caller) => format!("sip:{caller}@{}", trunk.domain),
            // RFC 3323 4.1.1.3: a caller without a number to show.
            None => String::from("sip:anonymous@anonymous.invalid"),
        };
        let uri = format!("sip:{user}@{}", trunk.domain);
        // Half of the random part of the call's own name: unique, and positive as some read it.
        let session = SessionId::new(call.0.as_u128() as u64 >> 2);
        let offer =
            Offer::new(local, &trunk.codecs, Some(EVENT_PAYLOAD), session).map_err(|error| {
                warn!(%error, "no offer for a call");
                Reason::MediaIncompatible
            })?;
        let sip = endpoint
            .invite(
                now,
                Invitation {
                    credentials: trunk.credentials.clone(),
                    ring_time: self.policy.ring_time,
                    ..Invitation::new(target, uri.clone(), from, uri, offer.to_string())
                },
            )
            .map_err(|error| {
                warn!(%error, "the endpoint refused a call");
                Reason::Overloaded
            })?;
        line.open += 1;
        let expires = now + order.time_left;
        let script = Script::new(self.policy.clone(), expires);
        let prompts = self.prompts.find(&order.locale).clone();
        info!(call = %call.0, to = %order.to.masked(), trunk = %order.trunk, "dialling");
        self.by_sip.insert(sip, call);
        self.calls.insert(
            call,
            Call {
                order,
                script,
                prompts,
                sip,
                audio: Audio::Reserved(reservation, offer),
                answered: false,
                answered_by: None,
                wants_sound: false,
                deadline: None,
            },
        );
        self.report(call, News::Dialling);
        self.schedule(call);
        Ok(())
    }

    /// The engine takes a call back.
    pub fn cancel(&mut self, endpoint: &mut Endpoint, now: Instant, call: CallRef) {
        self.end(endpoint, now, call, Reason::CancelledByCaller);
    }

    /// Ends every call: the process stops.
    pub fn interrupt(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let all: Vec<CallRef> = self.calls.keys().copied().collect();
        for call in all {
            self.end(endpoint, now, call, Reason::Interrupted);
        }
    }

    /// The endpoint has news of a call.
    pub fn on_sip(&mut self, endpoint: &mut Endpoint, now: Instant, event: Event) {
        let Some(call) = self.by_sip.get(&event.call()).copied() else {
            return;
        };
        match event {
            Event::Ringing { .. } | Event::Progress { .. } if self.is_decided(call) => {}
            Event::Ringing { .. } | Event::Progress { .. } => self.report(call, News::Ringing),
            Event::Forwarded { how, .. } => {
                info!(call = %call.0, ?how, "the call was forwarded");
                if self.policy.refuse_forwarded {
                    self.end(endpoint, now, call, Reason::Forwarded);
                }
            }
            Event::Answered { sdp, .. } => self.answered(endpoint, now, call, &sdp),
            Event::Info { content, body, .. } => {
                let Some(key) = InfoKey::read(content.as_str(), &body) else {
                    return;
                };
                let began = now.checked_sub(key.held.unwrap_or_default()).unwrap_or(now);
                let stream = self.calls.get(&call).and_then(Call::stream);
                match stream {
                    // One press may come as INFO and in the media: the stream's keypad merges them.
                    Some(stream) => {
                        let command = StreamCommand::Info {
                            digit: key.digit,
                            held: key.held,
                            at: now,
                        };
                        self.tell(stream, command);
                    }
                    None => self.key(endpoint, now, call, key.digit, KeySource::SipInfo, began),
                }
            }
            // Where a forwarded call is not refused, it fails as any other.
            Event::Failed { failure, .. } => self.end(endpoint, now, call, reason_for(failure)),
            Event::Ended { how, .. } => self.end(endpoint, now, call, reason_of_end(how)),
            Event::Released { .. } => self.forget(call),
            _ => {}
        }
    }

    fn answered(&mut self, endpoint: &mut Endpoint, now: Instant, call: CallRef, body: &[u8]) {
        let Some(state) = self.calls.get_mut(&call) else {
            return;
        };
        if state.answered || state.script.decided() {
            return;
        }
        state.answered = true;
        let opened = state.open_stream(&self.media, &self.trunks, &self.policy, body);
        self.report(call, News::Answered);
        match opened {
            Ok(stream) => {
                self.by_stream.insert(stream, call);
                if self.keeper.is_some() {
                    self.tell(stream, StreamCommand::Remember);
                }
                self.steps(endpoint, now, call, Script::on_answered);
            }
            Err(reason) => self.end(endpoint, now, call, reason),
        }
    }

    /// The media plane has news of a stream.
    pub fn on_stream(&mut self, endpoint: &mut Endpoint, now: Instant, event: StreamEvent) {
        let Some(call) = self.by_stream.get(&event.stream).copied() else {
            return;
        };
        match event.news {
            StreamNews::Key(KeyPress {
                digit,
                source,
                began,
                ..
            }) => {
                self.key(endpoint, now, call, digit, source, began);
            }
            StreamNews::Finished { tag } => {
                self.steps(endpoint, now, call, |script, now| {
                    script.on_finished(tag, now)
                });
            }
            StreamNews::Sound(sound) => {
                let state = self.calls.get_mut(&call);
                if let (Some(keeper), Some(state)) = (&self.keeper, state)
                    && state.wants_sound
                    && sound.digit == self.policy.confirm
                {
                    state.wants_sound = false;
                    keeper.keep(call, SystemTime::now(), sound);
                }
            }
            StreamNews::AnsweredBy(by) => {
                info!(call = %call.0, by = by.name(), "told by its sounds who has answered");
                if let Some(state) = self.calls.get_mut(&call) {
                    state.answered_by = Some(by);
                }
                self.steps(endpoint, now, call, |script, _| script.on_answered_by(by));
            }
            StreamNews::NoMedia => self.end(endpoint, now, call, Reason::MediaLost),
            StreamNews::WrongSource { from } => {
                warn!(call = %call.0, %from, "packets from a stranger are not heard");
            }
            StreamNews::Latched { to } => {
                debug!(call = %call.0, %to, "the stream has latched onto its peer");
            }
            StreamNews::Started { tag } => {
                if let Some(state) = self.calls.get_mut(&call) {
                    state.script.on_started(tag, event.at);
                }
            }
            StreamNews::Stopped { .. } => {}
            StreamNews::Closed(report) => {
                debug!(call = %call.0, ?report, "stream closed");
                self.by_stream.remove(&event.stream);
            }
        }
    }

    fn key(
        &mut self,
        endpoint: &mut Endpoint,
        now: Instant,
        call: CallRef,
        digit: Digit,
        source: KeySource,
        began: Instant,
    ) {
        let state = self.calls.get_mut(&call);
        let Some(state) = state.filter(|state| !state.script.decided()) else {
            return;
        };
        let (fate, steps) = state.script.on_key(digit, began, now);
        let counted = fate == KeyFate::Counted;
        // The sound of a key comes 200 ms after it began, which is behind the key itself.
        state.wants_sound |=
            source == KeySource::InBand && steps.contains(&Step::Conclude(Reason::KeyPressed));
        // Said before the conclusion it may bring, so that the log of a challenge reads in order.
        self.report(
            call,
            News::Key {
                digit,
                source,
                counted,
            },
        );
        self.apply(endpoint, now, call, steps);
    }

    /// A deadline has come.
    pub fn on_deadline(&mut self, endpoint: &mut Endpoint, now: Instant) {
        while let Some((at, call)) = self.deadlines.first().copied() {
            if at > now {
                break;
            }
            self.deadlines.pop_first();
            if let Some(state) = self.calls.get_mut(&call) {
                state.deadline = None;
            }
            self.steps(endpoint, now, call, Script::on_deadline);
        }
    }

    fn end(&mut self, endpoint: &mut Endpoint, now: Instant, call: CallRef, reason: Reason) {
        self.steps(endpoint, now, call, |script, _| script.ended_by(reason));
    }

    fn steps(
        &mut self,
        endpoint: &mut Endpoint,
        now: Instant,
        call: CallRef,
        ask: impl FnOnce(&mut Script, Instant) -> Vec<Step>,
    ) {
        let Some(state) = self.calls.get_mut(&call) else {
            return;
        };
        let steps = ask(&mut state.script, now);
        self.apply(endpoint, now, call, steps);
    }

    fn apply(&mut self, endpoint: &mut Endpoint, now: Instant, call: CallRef, steps: Vec<Step>) {
        for step in steps {
            let Some(state) = self.calls.get_mut(&call) else {
                return;
            };
            match step {
                Step::Play { prompts, tag } => {
                    if let Some(stream) = state.stream() {
                        let prompts = prompts
                            .iter()
                            .map(|name| state.prompts.get(*name).clone())
                            .collect();
                        // What is not heard invites nobody, nor does it ever end.
                        if !self.tell(stream, StreamCommand::Play { prompts, tag }) {
                            return self.end(endpoint, now, call, Reason::MediaLost);
                        }
                    }
                }
                Step::Conclude(reason) => {
                    info!(call = %call.0, ?reason, "call concluded");
                    if let Some(by) = state.answered_by {
                        self.report(call, News::AnsweredBy(by));
                    }
                    self.report(call, News::Ended(reason));
                }
                Step::HangUp => {
                    if let Err(error) = endpoint.hang_up(now, state.sip) {
                        debug!(call = %call.0, %error, "nothing to hang up");
                    }
                    state.close_audio(&self.media);
                }
            }
        }
        self.schedule(call);
    }

    fn schedule(&mut self, call: CallRef) {
        let Some(state) = self.calls.get_mut(&call) else {
            return;
        };
        let wanted = state.script.deadline();
        if wanted != state.deadline {
            if let Some(old) = state.deadline.take() {
                self.deadlines.remove(&(old, call));
            }
            if let Some(at) = wanted {
                self.deadlines.insert((at, call));
                state.deadline = Some(at);
            }
        }
    }

    /// The endpoint holds nothing of the call any more.
    fn forget(&mut self, call: CallRef) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        // No call leaves without an end: what the endpoint released undecided has failed.
        for step in state.script.ended_by(Reason::CallFailed) {
            if let Step::Conclude(reason) = step {
                if let Some(by) = state.answered_by {
                    self.report(call, News::AnsweredBy(by));
                }
                self.report(call, News::Ended(reason));
            }
        }
        state.close_audio(&self.media);
        if let Some(at) = state.deadline {
            self.deadlines.remove(&(at, call));
        }
        self.by_sip.remove(&state.sip);
        if let Some(line) = self.trunks.get_mut(&state.order.trunk) {
            line.open = line.open.saturating_sub(1);
        }
    }

    fn is_decided(&self, call: CallRef) -> bool {
        self.calls
            .get(&call)
            .is_none_or(|call| call.script.decided())
    }

    /// Whether the stream will know of it.
    fn tell(&self, stream: StreamId, command: StreamCommand) -> bool {
        let told = self.media.command(stream, command);
        if let Err(error) = &told {
            warn!(%error, "a stream cannot be told");
        }
        told.is_ok()
    }

    fn report(&mut self, call: CallRef, news: News) {
        self.reports.push_back(Report { call, news });
    }
}

impl Call {
    fn stream(&self) -> Option<StreamId> {
        match self.audio {
            Audio::Open(stream) => Some(stream),
            Audio::Reserved(..) | Audio::Closed => None,
        }
    }

    fn open_stream(
        &mut self,
        media: &MediaPlane,
        trunks: &HashMap<Arc<str>, TrunkLine>,
        policy: &CallPolicy,
        body: &[u8],
    ) -> Result<StreamId, Reason> {
        let line = trunks
            .get(&self.order.trunk)
            .ok_or(Reason::TrunkUnavailable)?;
        let Audio::Reserved(reservation, offer) = std::mem::replace(&mut self.audio, Audio::Closed)
        else {
            return Err(Reason::CallFailed);
        };
        let remote = offer.read_answer(body).map_err(|error| {
            info!(call = %self.order.call.0, %error, "the answer cannot be used");
            Reason::MediaIncompatible
        })?;
        if !remote.listens() {
            info!(call = %self.order.call.0, "the answer holds the call");
            return Err(Reason::MediaIncompatible);
        }
        let stream = media
            .open(
                reservation,
                StreamSpec::agreed(&remote, line.trunk.latch, policy.media_timeout),
            )
            .map_err(|error| {
                warn!(call = %self.order.call.0, %error, "the stream did not open");
                Reason::MediaLost
            })?;
        self.audio = Audio::Open(stream);
        Ok(stream)
    }

    fn close_audio(&mut self, media: &MediaPlane) {
        if let Audio::Open(stream) = std::mem::replace(&mut self.audio, Audio::Closed)
            && let Err(error) = media.command(stream, StreamCommand::Close)
        {
            warn!(%error, "closing a stream");
        }
    }
}

#[cfg(test)]
mod tests;
