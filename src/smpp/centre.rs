//! The message centre's side of one connection, sans-IO: what the sandbox and tests bind to.
//!
//! It takes binds, texts and enquiries, answers each through a [`Host`], and delivers texts and
//! receipts. The owner moves octets as with a [`Session`](super::session::Session).

use std::time::{Duration, Instant};

use super::pdu::{
    self, Bind, BindKind, BindResp, Body, Command, EncodeError, EsmClass, Framer, Header,
    MessageResp, Pdu, Sms, SmsBuf, Status, Tag, TlvBuf, Version,
};
use super::receipt::{Fate, Stamp};
use super::session::window::{Sent, Window};
use super::session::{Closed, Lost, MessageId};

/// How a message centre behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it calls itself.
    pub system_id: String,
    /// The version it says it speaks; `None` says nothing, as many do.
    pub version: Option<Version>,
    /// Deliveries that may wait for their answer at once.
    pub window: u16,
    /// From the connection to a bind.
    pub session_init: Duration,
    /// How long a request may wait for its answer.
    pub response: Duration,
    /// Silence after which the peer is asked whether it is there.
    pub enquire_link: Duration,
    /// Octets of the longest PDU accepted.
    pub pdu_limit: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            system_id: "ringtrue-sandbox".to_owned(),
            version: Some(Version::V34),
            window: 100,
            session_init: Duration::from_secs(10),
            response: Duration::from_secs(10),
            enquire_link: Duration::from_secs(60),
            pdu_limit: pdu::DEFAULT_LIMIT,
        }
    }
}

/// What is to become of a submitted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is taken under this name.
    Accept(MessageId),
    /// It is not taken.
    Refuse(Status),
    /// [`Centre::answer`] will say.
    Later,
}

/// Who decides for a message centre. `T` is what each delivery is made with.
pub trait Host<T> {
    /// Someone wants to bind.
    ///
    /// # Errors
    /// The status that the bind is refused with.
    fn bind(&mut self, kind: BindKind, bind: &Bind<'_>) -> Result<(), Status>;

    /// A text was submitted. `sequence` names it towards [`Centre::answer`].
    fn submit(&mut self, sequence: u32, sms: &Sms<'_>) -> Reply;

    /// A delivery was answered, or will not be.
    fn delivered(&mut self, tag: T, answer: Result<Status, Lost>);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open { since: Instant },
    Bound(BindKind),
    Unbinding { since: Instant },
    Closed(Closed),
}

/// One connection to a message centre, from its side.
#[derive(Debug)]
pub struct Centre<T> {
    config: Config,
    state: State,
    framer: Framer,
    out: Vec<u8>,
    out_done: usize,
    sequence: u32,
    window: Window<T>,
    last_heard: Instant,
    /// When it was sent, and whether anything was heard since.
    enquiry: Option<(Instant, bool)>,
}

impl<T> Centre<T> {
    /// A connection was accepted.
    pub fn new(config: Config, now: Instant) -> Centre<T> {
        Centre {
            state: State::Open { since: now },
            framer: Framer::new(config.pdu_limit),
            out: Vec::new(),
            out_done: 0,
            sequence: 0,
            window: Window::new(config.window),
            last_heard: now,
            enquiry: None,
            config,
        }
    }

    /// How the peer is bound, if it is.
    pub fn bound(&self) -> Option<BindKind> {
        match self.state {
            State::Bound(kind) => Some(kind),
            _ => None,
        }
    }

    /// Why the session ended, once it has: the connection is to be closed when
    /// [`Centre::poll_transmit`] has no more.
    pub fn closed(&self) -> Option<Closed> {
        match self.state {
            State::Closed(why) => Some(why),
            _ => None,
        }
    }

    /// Octets to be written, if any.
    pub fn poll_transmit(&self) -> Option<&[u8]> {
        self.out
            .get(self.out_done..)
            .filter(|octets| !octets.is_empty())
    }

    /// `count` octets of [`Centre::poll_transmit`] were written.
    pub fn transmitted(&mut self, count: usize) {
        self.out_done = (self.out_done + count).min(self.out.len());
        if self.out_done == self.out.len() {
            self.out.clear();
            self.out_done = 0;
        }
    }

    /// When [`Centre::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Closed(_) => None,
            State::Open { since } => Some(since + self.config.session_init),
            State::Unbinding { since } => Some(since + self.config.response),
            State::Bound(_) => {
                let link = match self.enquiry {
                    Some((since, _)) => since + self.config.response,
                    None => self.last_heard + self.config.enquire_link,
                };
                let answer = self
                    .window
                    .oldest()
                    .map(|s| s.sent_at + self.config.response);
                answer.into_iter().chain([link]).min()
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant, host: &mut impl Host<T>) {
        match self.state {
            State::Open { since } if now >= since + self.config.session_init => {
                self.close(Closed::InitTimeout, host);
            }
            State::Unbinding { since } if now >= since + self.config.response => {
                self.close(Closed::Unbound, host);
            }
            State::Bound(_) => {
                while let Some(sent) = self.window.oldest() {
                    if now < sent.sent_at + self.config.response {
                        break;
                    }
                    if let Some(sent) = self.window.pop_oldest() {
                        host.delivered(sent.tag, Err(Lost::NoAnswer));
                    }
                }
                match self.enquiry {
                    Some((_, true)) => self.enquiry = None,
                    Some((since, _)) if now >= since + self.config.response => {
                        self.close(Closed::PeerSilent, host);
                        return;
                    }
                    _ => {}
                }
                if self.enquiry.is_none() && now >= self.last_heard + self.config.enquire_link {
                    let sequence = self.next_sequence();
                    self.bare(Command::ENQUIRE_LINK, Status::OK, sequence);
                    self.enquiry = Some((now, false));
                }
            }
            _ => {}
        }
    }

    /// Octets were read.
    pub fn handle_bytes(&mut self, now: Instant, mut octets: &[u8], host: &mut impl Host<T>) {
        if self.closed().is_some() || octets.is_empty() {
            return;
        }
        self.last_heard = now;
        self.enquiry = self.enquiry.map(|(since, _)| (since, true));
        let mut framer = std::mem::take(&mut self.framer);
        while self.closed().is_none() {
            match framer.next(&mut octets) {
                Ok(Some(frame)) => self.on_frame(frame, host),
                Ok(None) => break,
                Err(error) => {
                    self.bare(Command::GENERIC_NACK, Status::INVALID_COMMAND_LENGTH, 0);
                    self.close(Closed::BrokenFraming(error), host);
                }
            }
        }
        self.framer = framer;
    }

    /// The connection is gone.
    pub fn disconnected(&mut self, host: &mut impl Host<T>) {
        if self.closed().is_none() {
            self.close(Closed::Disconnected, host);
        }
        self.out.clear();
        self.out_done = 0;
    }

    /// Answers a text that was to be answered [`Reply::Later`].
    pub fn answer(&mut self, sequence: u32, reply: &Reply) {
        if matches!(self.state, State::Bound(_) | State::Unbinding { .. }) {
            self.reply(Command::SUBMIT_SM_RESP, sequence, reply);
        }
    }

    /// Delivers a text or receipt.
    ///
    /// # Errors
    /// `tag` is handed back: the peer is not bound for receiving, the window is full, or the
    /// message does not fit the wire.
    pub fn deliver(&mut self, now: Instant, tag: T, sms: &Sms<'_>) -> Result<(), T> {
        if !self.bound().is_some_and(BindKind::receives) || self.window.room() == 0 {
            return Err(tag);
        }
        let sequence = self.next_sequence();
        let pdu = Pdu {
            status: Status::OK,
            sequence,
            body: Body::DeliverSm(*sms),
        };
        if pdu.encode(&mut self.out).is_err() {
            return Err(tag);
        }
        let sent = Sent {
            tag,
            sequence,
            sent_at: now,
            end: 0,
        };
        self.window.insert(sent).map_err(|sent| sent.tag)
    }

    /// Asks the peer to leave.
    pub fn unbind(&mut self, now: Instant) {
        if matches!(self.state, State::Bound(_)) {
            let sequence = self.next_sequence();
            self.bare(Command::UNBIND, Status::OK, sequence);
            self.state = State::Unbinding { since: now };
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = match self.sequence {
            0x7fff_ffff.. => 1,
            sequence => sequence + 1,
        };
        self.sequence
    }

    fn bare(&mut self, command: Command, status: Status, sequence: u32) {
        pdu::encode_bare(&mut self.out, command, status, sequence);
    }

    fn close(&mut self, why: Closed, host: &mut impl Host<T>) {
        while let Some(sent) = self.window.pop_oldest() {
            host.delivered(sent.tag, Err(Lost::ConnectionLost));
        }
        self.state = State::Closed(why);
    }

    fn on_frame(&mut self, frame: &[u8], host: &mut impl Host<T>) {
        let Some(header) = Header::decode(frame) else {
            return;
        };
        let (command, sequence) = (header.command, header.sequence);
        let pdu = match Pdu::decode(frame) {
            Ok(pdu) => pdu,
            Err(error) => {
                if !command.is_response() {
                    let answer = match command.name() {
                        Some(_) => command.response(),
                        None => Command::GENERIC_NACK,
                    };
                    self.bare(answer, error.kind.status(), sequence);
                }
                return;
            }
        };
        match &pdu.body {
            Body::SubmitSm(sms) | Body::DataSm(sms) => {
                let reply = match self.state {
                    State::Bound(kind) if kind.sends() => host.submit(sequence, sms),
                    _ => Reply::Refuse(Status::INVALID_BIND_STATE),
                };
                self.reply(command.response(), sequence, &reply);
            }
            Body::Bind(kind, bind) => self.on_bind(*kind, bind, sequence, host),
            Body::EnquireLink => self.bare(Command::ENQUIRE_LINK_RESP, Status::OK, sequence),
            Body::EnquireLinkResp => self.enquiry = None,
            Body::Unbind => {
                self.bare(Command::UNBIND_RESP, Status::OK, sequence);
                self.close(Closed::PeerUnbound, host);
            }
            Body::UnbindResp if matches!(self.state, State::Unbinding { .. }) => {
                self.close(Closed::Unbound, host);
            }
            Body::DeliverSmResp(_) | Body::DataSmResp(_) | Body::GenericNack => {
                if let Some(sent) = self.window.remove(sequence) {
                    host.delivered(sent.tag, Ok(pdu.status));
                }
            }
            _ if command.is_response() => {}
            // Known and not offered, or not known at all.
            _ => {
                let answer = match command.name() {
                    Some(_) if command != Command::OUTBIND => command.response(),
                    _ => Command::GENERIC_NACK,
                };
                self.bare(answer, Status::INVALID_COMMAND, sequence);
            }
        }
    }

    fn on_bind(&mut self, kind: BindKind, bind: &Bind<'_>, sequence: u32, host: &mut impl Host<T>) {
        let verdict = match self.state {
            State::Open { .. } => host.bind(kind, bind),
            _ => Err(Status::ALREADY_BOUND),
        };
        let mut tlvs = TlvBuf::new();
        if let Some(version) = self.config.version {
            tlvs.push_u8(Tag::SC_INTERFACE_VERSION, version.octet());
        }
        let resp = Pdu {
            status: verdict.err().unwrap_or(Status::OK),
            sequence,
            body: Body::BindResp(
                kind,
                BindResp {
                    system_id: self.config.system_id.as_bytes(),
                    tlvs: tlvs.as_tlvs(),
                },
            ),
        };
        if resp.encode(&mut self.out).is_err() {
            self.bare(kind.command().response(), Status::SYSTEM_ERROR, sequence);
        } else if verdict.is_ok() {
            self.state = State::Bound(kind);
        }
    }

    fn reply(&mut self, command: Command, sequence: u32, reply: &Reply) {
        let id = match reply {
            Reply::Accept(id) => id,
            Reply::Refuse(status) => return self.bare(command, *status, sequence),
            Reply::Later => return,
        };
        let resp = MessageResp {
            message_id: id.as_bytes(),
            ..MessageResp::default()
        };
        let resp = Pdu {
            status: Status::OK,
            sequence,
            body: match command {
                Command::DATA_SM_RESP => Body::DataSmResp(resp),
                _ => Body::SubmitSmResp(resp),
            },
        };
        if resp.encode(&mut self.out).is_err() {
            self.bare(command, Status::SYSTEM_ERROR, sequence);
        }
    }
}

/// A receipt for a text that was submitted: text form and optional parameters, as a message centre
/// that does both writes them. `error` is the carrier's three digits.
///
/// # Errors
/// The id is too long for a receipt.
pub fn receipt(
    sms: &Sms<'_>,
    id: &MessageId,
    fate: Fate,
    error: u16,
    submitted: Stamp,
    done: Stamp,
) -> Result<SmsBuf, EncodeError> {
    let date = |at: Stamp| {
        format!(
            "{:02}{:02}{:02}{:02}{:02}",
            at.year % 100,
            at.month,
            at.day,
            at.hour,
            at.minute
        )
    };
    let delivered = u8::from(fate == Fate::Delivered);
    let text = format!(
        "id:{id} sub:001 dlvrd:{delivered:03} submit date:{} done date:{} stat:{} err:{:03} text:",
        date(submitted),
        date(done),
        fate.word(),
        error.min(999),
    );
    if text.len() > 254 {
        return Err(EncodeError::MessageTooLong);
    }
    let mut tlvs = TlvBuf::new();
    let name: Vec<u8> = id.as_bytes().iter().copied().chain([0]).collect();
    tlvs.push(Tag::RECEIPTED_MESSAGE_ID, &name)?;
    if let Some(state) = fate.state() {
        tlvs.push_u8(Tag::MESSAGE_STATE, state);
    }
    Ok(SmsBuf {
        source: sms.destination.to_owned(),
        destination: sms.source.to_owned(),
        esm_class: EsmClass::RECEIPT,
        short_message: text.into_bytes(),
        tlvs,
        ..SmsBuf::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::receipt::Receipt;

    #[test]
    fn its_receipts_are_read_again() {
        let sms = Sms {
            source: pdu::Address::sender("Ringtrue"),
            destination: pdu::Address::international("+447700900123"),
            ..Sms::default()
        };
        let stamp = Stamp {
            year: 2024,
            month: 11,
            day: 24,
            hour: 22,
            minute: 30,
            second: 0,
        };
        for state in 0..10 {
            let fate = Fate::from_state(state);
            let built = receipt(&sms, &MessageId::new(b"00ff"), fate, 27, stamp, stamp).unwrap();
            let read = Receipt::read(&built.as_sms()).unwrap();
            assert_eq!(read.id.as_bytes(), b"00ff");
            assert_eq!((read.fate, read.done), (fate, Some(stamp)));
            assert_eq!(read.error.as_deref(), Some(&b"027"[..]));
            let mut text_alone = built.clone();
            text_alone.tlvs = TlvBuf::new();
            assert_eq!(Receipt::read(&text_alone.as_sms()).unwrap().fate, fate);
            assert_eq!(built.source.as_address(), sms.destination);
        }
        let long = MessageId::new(&[b'1'; 255]);
        assert!(receipt(&sms, &long, Fate::Delivered, 0, stamp, stamp).is_err());
    }
}
