//! What a session makes of the PDUs that arrive.

use std::time::Instant;

use super::window::Sent;
use super::{Closed, Delivery, DeliveryHandle, Event, MessageId, Outcome, Session, State};
use crate::smpp::pdu::{
    self, Body, Command, HEADER_LEN, Header, MessageResp, Pdu, Sms, Status, Tag,
};

/// `congestion_state` from which the bind is slowed (SMPP 5.0 4.8.4.18: 90 to 99 is congestion
/// close to its maximum, 100 and above not defined).
const CONGESTED: u32 = 90;

impl<T> Session<T> {
    pub(super) fn on_frame(&mut self, now: Instant, frame: &[u8]) {
        let Some(header) = Header::decode(frame) else {
            return;
        };
        // The one PDU that comes as often as texts go out.
        if header.command == Command::SUBMIT_SM_RESP {
            self.on_submit_resp(now, &header, frame.get(HEADER_LEN..).unwrap_or_default());
            return;
        }
        match Pdu::decode(frame) {
            Ok(pdu) => self.on_pdu(now, &header, &pdu),
            Err(error) if header.command.is_response() => {
                // Its status is known even so.
                if !self.on_response(now, &header, None) {
                    self.odd(&header);
                }
                debug_assert_eq!(error.sequence, header.sequence);
            }
            Err(error) => {
                let command = match header.command {
                    Command::DELIVER_SM | Command::DATA_SM => header.command.response(),
                    _ => Command::GENERIC_NACK,
                };
                self.answer_delivery(command, error.kind.status(), header.sequence);
                self.odd(&header);
            }
        }
    }

    fn on_pdu(&mut self, now: Instant, header: &Header, pdu: &Pdu<'_>) {
        let sequence = header.sequence;
        match &pdu.body {
            Body::EnquireLink => self.bare(Command::ENQUIRE_LINK_RESP, Status::OK, sequence),
            Body::Unbind => {
                let why = match self.state {
                    State::Draining { why } | State::Unbinding { why, .. } => why,
                    _ => Closed::PeerUnbound,
                };
                self.farewell(now, why, Command::UNBIND_RESP, Status::OK, sequence);
            }
            Body::DeliverSm(sms) | Body::DataSm(sms) => self.on_delivery(now, header, sms),
            Body::AlertNotification(alert) => {
                self.events.push_back(Event::Alert(alert.source.to_owned()));
            }
            Body::Outbind(outbind) => self.events.push_back(Event::Outbind {
                system_id: String::from_utf8_lossy(outbind.system_id).into_owned(),
            }),
            _ if header.command.is_response() => {
                if !self.on_response(now, header, Some(pdu)) {
                    self.odd(header);
                }
            }
            _ => {
                self.bare(Command::GENERIC_NACK, Status::INVALID_COMMAND, sequence);
                self.odd(header);
            }
        }
    }

    fn on_submit_resp(&mut self, now: Instant, header: &Header, body: &[u8]) {
        let Some(sent) = self.window.remove(header.sequence) else {
            self.on_stray_answer(header, body);
            return;
        };
        self.last_text = now;
        // An accepted text whose name cannot be read is accepted all the same.
        let resp = MessageResp::decode(body).unwrap_or_default();
        if header.status == Status::OK {
            self.pace.accepted(now);
            let congestion = || resp.tlvs.get(Tag::CONGESTION_STATE)?.integer();
            if !resp.tlvs.is_empty() && congestion().is_some_and(|state| state >= CONGESTED) {
                self.slow(now, sent.sent_at, Status::OK);
            }
            let outcome = Outcome::Accepted(MessageId::new(resp.message_id));
            self.report(sent, now, outcome);
        } else {
            self.refuse(now, sent, header.status);
        }
    }

    fn refuse(&mut self, now: Instant, sent: Sent<T>, status: Status) {
        if self.config.slows(status) {
            self.slow(now, sent.sent_at, status);
        }
        let outcome = Outcome::Refused {
            status,
            verdict: self.config.verdict(status),
        };
        self.report(sent, now, outcome);
    }

    fn slow(&mut self, now: Instant, sent_at: Instant, status: Status) {
        if self.pace.throttled(now, sent_at)
            && let Some(rate) = self.pace.rate()
        {
            self.events.push_back(Event::Slowed { status, rate });
        }
    }

    /// A submit_sm_resp for a text that is not waited for.
    fn on_stray_answer(&mut self, header: &Header, body: &[u8]) {
        let Some(at) = self.overdue.iter().position(|s| *s == header.sequence) else {
            self.odd(header);
            return;
        };
        self.overdue.remove(at);
        let resp = MessageResp::decode(body).unwrap_or_default();
        self.events.push_back(Event::LateAnswer {
            sequence: header.sequence,
            status: header.status,
            id: MessageId::new(resp.message_id),
        });
    }

    /// Responses other than submit_sm_resp; `pdu` is `None` where the body could not be read.
    /// Tells whether the response was waited for.
    fn on_response(&mut self, now: Instant, header: &Header, pdu: Option<&Pdu<'_>>) -> bool {
        let nack = header.command == Command::GENERIC_NACK;
        let status = match header.status {
            // A refusal that names no reason is a refusal.
            Status::OK if nack => Status::UNKNOWN_ERROR,
            status => status,
        };
        if let State::Binding { sequence, .. } = self.state {
            let expected = self.config.kind.command().response();
            if header.sequence != sequence || !(nack || header.command == expected) {
                return false;
            }
            match pdu.map(|pdu| &pdu.body) {
                Some(Body::BindResp(_, resp)) if status == Status::OK => {
                    self.state = State::Bound;
                    self.last_text = now;
                    self.peer_version = resp.version();
                    self.events.push_back(Event::Bound {
                        system_id: String::from_utf8_lossy(resp.system_id).into_owned(),
                        version: self.peer_version,
                    });
                }
                _ if status == Status::OK => self.close(now, Closed::Refused(Status::BIND_FAILED)),
                _ => self.close(now, Closed::Refused(status)),
            }
            return true;
        }
        if let State::Unbinding { sequence, why, .. } = self.state
            && header.sequence == sequence
            && (nack || header.command == Command::UNBIND_RESP)
        {
            self.close(now, why);
            return true;
        }
        if let Some(enquiry) = self.enquiry
            && header.sequence == enquiry.sequence
            && (nack || header.command == Command::ENQUIRE_LINK_RESP)
        {
            self.enquiry = None;
            return true;
        }
        // An answer to an earlier enquiry, which something else heard has made needless.
        if header.command == Command::ENQUIRE_LINK_RESP {
            return true;
        }
        if !nack {
            return false;
        }
        if let Some(sent) = self.window.remove(header.sequence) {
            self.refuse(now, sent, status);
            return true;
        }
        if status == Status::INVALID_COMMAND_LENGTH {
            self.close(now, Closed::PeerLostTrack);
            return true;
        }
        false
    }

    fn on_delivery(&mut self, now: Instant, header: &Header, sms: &Sms<'_>) {
        let sequence = header.sequence;
        let response = header.command.response();
        let bound = matches!(
            self.state,
            State::Bound | State::Draining { .. } | State::Unbinding { .. }
        );
        let refusal = if !bound {
            Some(Status::INVALID_BIND_STATE)
        } else if self.deliveries.len() >= self.config.deliveries {
            Some(Status::QUEUE_FULL)
        } else if self.deliveries.contains_key(&sequence) {
            Some(Status::TEMPORARY_APPLICATION_ERROR)
        } else {
            None
        };
        if let Some(status) = refusal {
            self.answer_delivery(response, status, sequence);
            return;
        }
        self.last_text = now;
        self.deliveries.insert(sequence, response);
        self.events.push_back(Event::Delivered(Box::new(Delivery {
            handle: DeliveryHandle {
                connection: self.connection,
                sequence,
            },
            sms: sms.to_owned(),
        })));
    }

    pub(super) fn answer_delivery(&mut self, command: Command, status: Status, sequence: u32) {
        if command == Command::DELIVER_SM_RESP {
            // Its message_id is unused and NULL, but there (SMPP 3.4 4.6.2).
            let resp = Pdu {
                status,
                sequence,
                body: Body::DeliverSmResp(MessageResp::default()),
            };
            if resp.encode(&mut self.out).is_ok() {
                return;
            }
        }
        if command == Command::DATA_SM_RESP && status == Status::OK {
            let resp = Pdu {
                status,
                sequence,
                body: Body::DataSmResp(MessageResp::default()),
            };
            if resp.encode(&mut self.out).is_ok() {
                return;
            }
        }
        self.bare(command, status, sequence);
    }

    pub(super) fn bare(&mut self, command: Command, status: Status, sequence: u32) {
        pdu::encode_bare(&mut self.out, command, status, sequence);
    }

    fn odd(&mut self, header: &Header) {
        self.events.push_back(Event::Odd {
            command: header.command,
            status: header.status,
            sequence: header.sequence,
        });
    }
}
