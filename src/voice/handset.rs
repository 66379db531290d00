//! The sandbox phone: a SIP user agent on loopback that answers like a person would, so that
//! everything can be tried without a carrier.
//!
//! It speaks real SIP and RTP over real sockets. The last two digits of the number decide what
//! the person at it does; see [`Behaviour::of`].

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use super::carrier::Carrier;
use super::machine::Machine;
use super::media::{
    KeyWay, MediaConfig, MediaPlane, StreamCommand, StreamEvent, StreamId, StreamSpec,
};
use super::wire::Tap;
use crate::audio::Codec;
use crate::dtmf::Digit;
use crate::sdp::{Answer, Description, SessionId};
use crate::sip::call::{CallId, Event, IncomingInvite};
use crate::sip::endpoint::{Endpoint, EndpointConfig};
use crate::sip::message::Uri;

/// How long it rings before it is answered.
const RINGS: Duration = Duration::from_millis(800);
/// A key is held for this long.
const HELD: Duration = Duration::from_millis(160);
/// Between two presses of a person who is not listening.
const BETWEEN_PRESSES: Duration = Duration::from_millis(2500);

/// What the person at the sandbox phone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers, listens, presses a key.
    Presses(Digit, Way),
    /// Answers and says nothing.
    Silent,
    /// Answers and hangs up while the prompt plays.
    HangsUp,
    /// Lets it ring.
    DoesNotAnswer,
    /// A machine answers.
    Plays(Machine),
    /// The call is answered by this status instead.
    Status(u16),
}

/// How the sandbox phone sends a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As a telephone event.
    Rfc4733,
    /// As SIP INFO.
    Info,
    /// As tones in the audio.
    InBand,
}

impl Behaviour {
    /// What the number's last two digits ask for:
    ///
    /// | ends in | the person |
    /// |---|---|
    /// | 01 | is busy (486) |
    /// | 02 | does not answer |
    /// | 03 | declines (603) |
    /// | 04 | has no such number (404) |
    /// | 05 | presses only `*` |
    /// | 06 | answers and says nothing |
    /// | 07 | hangs up in the prompt |
    /// | 08 | presses `#`, sent as SIP INFO |
    /// | 09 | presses `#`, sent as tones |
    /// | 10 | presses `0`: "this was not me" |
    /// | 11 | has forwarded the phone (302) |
    /// | 12 | is behind a carrier in trouble (503) |
    /// | 13 | is a fax |
    /// | 14 | is a voicemail |
    /// | 15 | cannot be reached, says the network after an answer |
    /// | else | presses `#`, sent as RFC 4733 |
    pub fn of(number: &str) -> Behaviour {
        let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
        let last = digits.get(digits.len().saturating_sub(2)..).unwrap_or(&[]);
        match last {
            b"01" => Behaviour::Status(486),
            b"02" => Behaviour::DoesNotAnswer,
            b"03" => Behaviour::Status(603),
            b"04" => Behaviour::Status(404),
            b"05" => Behaviour::Presses(Digit::STAR, Way::Rfc4733),
            b"06" => Behaviour::Silent,
            b"07" => Behaviour::HangsUp,
            b"08" => Behaviour::Presses(Digit::HASH, Way::Info),
            b"09" => Behaviour::Presses(Digit::HASH, Way::InBand),
            b"10" => match Digit::from_char('0') {
                Some(zero) => Behaviour::Presses(zero, Way::Rfc4733),
                None => Behaviour::Silent,
            },
            b"11" => Behaviour::Status(302),
            b"12" => Behaviour::Status(503),
            b"13" => Behaviour::Plays(Machine::Fax),
            b"14" => Behaviour::Plays(Machine::Voicemail),
            b"15" => Behaviour::Plays(Machine::Announcement),
            _ => Behaviour::Presses(Digit::HASH, Way::Rfc4733),
        }
    }
}

/// When the person acts, from the answer on.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Until a key is pressed: long enough to have heard the invitation.
    pub press_after: Duration,
    /// Until the person hangs up, if that is what they do.
    pub hang_up_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        // The longest greeting and the beginning of the invitation, in any of the locales.
        Timing {
            press_after: Duration::from_secs(9),
            hang_up_after: Duration::from_secs(2),
        }
    }
}

struct Answering {
    behaviour: Behaviour,
    offer: Box<[u8]>,
    state: State,
    next: Option<Instant>,
}

enum State {
    Ringing,
    InCall { stream: StreamId },
    Over,
}

/// The sandbox phone.
pub struct Handset {
    carrier: Carrier,
    endpoint: Endpoint,
    media: MediaPlane,
    streams: mpsc::Receiver<StreamEvent>,
    calls: HashMap<CallId, Answering>,
    timing: Timing,
    session: u64,
}

impl Handset {
    /// A phone on a loopback port of its own choosing.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(
        timing: Timing,
        ports: std::ops::RangeInclusive<u16>,
    ) -> io::Result<Handset> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let carrier = Carrier::bind(SocketAddr::new(loopback, 0), Tap::default()).await?;
        let (events, streams) = mpsc::channel(1024);
        let media = MediaPlane::start(
            MediaConfig {
                bind: loopback,
                advertise: None,
                ports,
                shards: 1,
                tap: Tap::default(),
            },
            events,
        )?;
        let config = EndpointConfig {
            takes_calls: true,
            ..EndpointConfig::new(carrier.local())
        };
        let endpoint = Endpoint::new(config, rand::random());
        Ok(Handset {
            carrier,
            endpoint,
            media,
            streams,
            calls: HashMap::new(),
            timing,
            session: 0,
        })
    }

    /// Where it listens for SIP.
    pub fn address(&self) -> SocketAddr {
        self.carrier.local()
    }

    /// Answers calls until it is told to stop.
    ///
    /// # Errors
    /// When its socket fails for good.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        loop {
            let now = Instant::now();
            self.endpoint.handle_timeout(now);
            self.act(now);
            loop {
                while let Some(event) = self.endpoint.poll_event() {
                    self.on_sip(Instant::now(), event);
                }
                if !self.carrier.send(&mut self.endpoint).await {
                    break;
                }
            }
            let next = self.calls.values().filter_map(|call| call.next).min();
            let wake = [self.endpoint.poll_timeout(), next]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(now + Duration::from_secs(3600));
            tokio::select! {
                ready = self.carrier.readable() => {
                    ready?;
                    self.carrier.receive(&mut self.endpoint);
                }
                event = self.streams.recv() => {
                    if let Some(event) = event {
                        debug!(?event, "sandbox phone");
                    }
                }
                changed = stop.changed() => {
                    if changed.is_err() || *stop.borrow() {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    fn on_sip(&mut self, now: Instant, event: Event) {
        match event {
            Event::Incoming { call, invite } => self.incoming(now, call, &invite),
            Event::Acknowledged { call, .. } => {
                if let Some(answering) = self.calls.get_mut(&call) {
                    answering.next = match answering.behaviour {
                        Behaviour::Presses(..) => Some(now + self.timing.press_after),
                        Behaviour::HangsUp => Some(now + self.timing.hang_up_after),
                        _ => None,
                    };
                }
            }
            Event::Ended { call, .. } | Event::Failed { call, .. } | Event::Released { call } => {
                if let Some(answering) = self.calls.remove(&call)
                    && let State::InCall { stream } = answering.state
                {
                    self.tell(stream, StreamCommand::Close);
                }
            }
            _ => {}
        }
    }

    fn incoming(&mut self, now: Instant, call: CallId, invite: &IncomingInvite) {
        let uri = Uri::parse(&invite.request_uri).ok();
        let behaviour = Behaviour::of(uri.and_then(|uri| uri.user()).unwrap_or(""));
        let result = match behaviour {
            Behaviour::Status(code) => self.endpoint.reject(now, call, code, None),
            _ => self.endpoint.ring(now, call),
        };
        if let Err(error) = result {
            debug!(%error, "sandbox phone");
            return;
        }
        if matches!(behaviour, Behaviour::Status(_)) {
            return;
        }
        let answers = behaviour != Behaviour::DoesNotAnswer;
        self.calls.insert(
            call,
            Answering {
                behaviour,
                offer: invite.sdp.clone(),
                state: State::Ringing,
                next: answers.then(|| now + RINGS),
            },
        );
    }

    /// Does what is due.
    fn act(&mut self, now: Instant) {
        let due: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, call)| call.next.is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(call) = self.calls.get_mut(&id) else {
                continue;
            };
            call.next = None;
            match (&call.state, call.behaviour) {
                (State::Ringing, _) => self.pick_up(now, id),
                (State::InCall { stream }, Behaviour::Presses(digit, way)) => {
                    let stream = *stream;
                    if digit == Digit::STAR {
                        call.next = Some(now + BETWEEN_PRESSES);
                    }
                    self.press(now, id, stream, digit, way);
                }
                (State::InCall { .. }, Behaviour::HangsUp) => {
                    call.state = State::Over;
                    let _ = self.endpoint.hang_up(now, id);
                }
                _ => {}
            }
        }
    }

    fn pick_up(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let opened = Description::parse(&call.offer)
            .map_err(|error| error.to_string())
            .and_then(|offer| {
                let reservation = self.media.reserve().map_err(|error| error.to_string())?;
                self.session += 1;
                let session = SessionId::new(self.session);
                let codecs = [Codec::Pcmu, Codec::Pcma];
                let answer = Answer::new(&offer, reservation.addr(), &codecs, true, session)
                    .map_err(|error| error.to_string())?;
                let spec = StreamSpec::agreed(answer.remote(), false, Duration::from_secs(60));
                let sdp = answer.as_str().to_owned();
                let stream = self
                    .media
                    .open(reservation, spec)
                    .map_err(|error| error.to_string())?;
                Ok((stream, sdp))
            });
        let result = match opened {
            Ok((stream, sdp)) => {
                call.state = State::InCall { stream };
                if let Behaviour::Plays(machine) = call.behaviour {
                    let prompts = machine.sounds();
                    self.tell(stream, StreamCommand::Play { prompts, tag: 0 });
                }
                self.endpoint.answer(now, id, sdp.as_bytes())
            }
            Err(error) => {
                warn!(%error, "the sandbox phone cannot answer");
                self.endpoint.reject(now, id, 488, None)
            }
        };
        if let Err(error) = result {
            debug!(%error, "sandbox phone");
        }
    }

    fn press(&mut self, now: Instant, id: CallId, stream: StreamId, digit: Digit, way: Way) {
        let way = match way {
            Way::Rfc4733 => KeyWay::Rfc4733,
            Way::InBand => KeyWay::InBand,
            Way::Info => {
                let body = format!("Signal={digit}\r\nDuration={}\r\n", HELD.as_millis());
                let sent =
                    self.endpoint
                        .send_info(now, id, "application/dtmf-relay", body.as_bytes());
                if let Err(error) = sent {
                    debug!(%error, "sandbox phone");
                }
                return;
            }
        };
        self.tell(
            stream,
            StreamCommand::SendKey {
                digit,
                way,
                held: HELD,
            },
        );
    }

    fn tell(&self, stream: StreamId, command: StreamCommand) {
        if let Err(error) = self.media.command(stream, command) {
            warn!(%error, "sandbox phone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_digits_decide() {
        assert_eq!(Behaviour::of("+447400123401"), Behaviour::Status(486));
        assert_eq!(Behaviour::of("447400123407"), Behaviour::HangsUp);
        assert_eq!(Behaviour::of("+44 7400 1234 06"), Behaviour::Silent);
        let hash = Behaviour::Presses(Digit::HASH, Way::Rfc4733);
        assert_eq!(Behaviour::of("+447400123456"), hash);
        assert_eq!(Behaviour::of(""), hash);
    }
}
