//! Protocol data units of SMPP 3.4 and 5.0: borrowed views over one frame, and writers.
//!
//! Decoding copies nothing and allocates nothing. A PDU whose body cannot be read still has a
//! header, so that it can be answered: [`DecodeError`] carries it and names the status to answer
//! with. Only a length field that lies ([`FrameError`]) ends the session.

mod address;
mod bind;
mod command;
mod frame;
mod reader;
mod sms;
mod status;
pub mod time;
mod tlv;
mod writer;

use thiserror::Error;

pub use address::{
    Address, AddressBuf, NPI_ISDN, TON_ALPHANUMERIC, TON_INTERNATIONAL, TON_NETWORK_SPECIFIC,
};
pub use bind::{Bind, BindKind, BindResp, Outbind, Version};
pub use command::Command;
pub use frame::{DEFAULT_LIMIT, FrameError, Framer};
pub use sms::{EsmClass, Sms, SmsBuf};
pub use status::{Status, Verdict};
pub use tlv::{Tag, Tlv, TlvBuf, Tlvs};

use reader::Reader;
use writer::Writer;

/// Octets of the header that every PDU begins with (SMPP 3.4 3.2).
pub const HEADER_LEN: usize = 16;

/// Octets of a message id at most: 64 in the standard (SMPP 3.4 5.2.23); longer ones are met.
const MESSAGE_ID_MOST: usize = 255;
/// The longest message id that is sent.
const MESSAGE_ID_MOST_SENT: usize = 64;
const ALERT_ADDRESS_MOST: usize = 64;

/// The header of a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `command_length`: octets of the whole PDU, these 16 included.
    pub length: u32,
    /// Which operation.
    pub command: Command,
    /// How a request went; 0 in requests.
    pub status: Status,
    /// Joins a response to its request.
    pub sequence: u32,
}

impl Header {
    /// Reads the first 16 octets; `None` if there are fewer.
    pub fn decode(octets: &[u8]) -> Option<Header> {
        let word = |at: usize| -> Option<u32> {
            let four = octets.get(at..at + 4)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*four))
        };
        Some(Header {
            length: word(0)?,
            command: Command(word(4)?),
            status: Status(word(8)?),
            sequence: word(12)?,
        })
    }
}

/// A whole PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// How a request went; [`Status::OK`] in requests.
    pub status: Status,
    /// Joins a response to its request.
    pub sequence: u32,
    /// The operation and what it carries.
    pub body: Body<'a>,
}

/// What a PDU is and carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// A bind request.
    Bind(BindKind, Bind<'a>),
    /// The answer to a bind request.
    BindResp(BindKind, BindResp<'a>),
    /// A message centre asks to be bound to.
    Outbind(Outbind<'a>),
    /// The session is to end.
    Unbind,
    /// It ends.
    UnbindResp,
    /// Are you there?
    EnquireLink,
    /// I am.
    EnquireLinkResp,
    /// A PDU could not be made out.
    GenericNack,
    /// A text to be sent.
    SubmitSm(Sms<'a>),
    /// How that went.
    SubmitSmResp(MessageResp<'a>),
    /// A text or receipt delivered to us.
    DeliverSm(Sms<'a>),
    /// How that went.
    DeliverSmResp(MessageResp<'a>),
    /// A text in either direction, its message in `message_payload`.
    DataSm(Sms<'a>),
    /// How that went.
    DataSmResp(MessageResp<'a>),
    /// A phone that was out of reach is back.
    AlertNotification(Alert<'a>),
    /// A PDU that this side has no use for, its body as it came.
    Other(Command, &'a [u8]),
}

impl Body<'_> {
    /// The operation's number.
    pub const fn command(&self) -> Command {
        match self {
            Body::Bind(kind, _) => kind.command(),
            Body::BindResp(kind, _) => kind.command().response(),
            Body::Outbind(_) => Command::OUTBIND,
            Body::Unbind => Command::UNBIND,
            Body::UnbindResp => Command::UNBIND_RESP,
            Body::EnquireLink => Command::ENQUIRE_LINK,
            Body::EnquireLinkResp => Command::ENQUIRE_LINK_RESP,
            Body::GenericNack => Command::GENERIC_NACK,
            Body::SubmitSm(_) => Command::SUBMIT_SM,
            Body::SubmitSmResp(_) => Command::SUBMIT_SM_RESP,
            Body::DeliverSm(_) => Command::DELIVER_SM,
            Body::DeliverSmResp(_) => Command::DELIVER_SM_RESP,
            Body::DataSm(_) => Command::DATA_SM,
            Body::DataSmResp(_) => Command::DATA_SM_RESP,
            Body::AlertNotification(_) => Command::ALERT_NOTIFICATION,
            Body::Other(command, _) => *command,
        }
    }
}

/// The body of a response to submit_sm, deliver_sm or data_sm; empty where it was refused, and
/// from some message centres where it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageResp<'a> {
    /// The name the message centre gave the text.
    pub message_id: &'a [u8],
    /// The optional parameters.
    pub tlvs: Tlvs<'a>,
}

impl<'a> MessageResp<'a> {
    /// Reads what stands behind the header of such a response.
    ///
    /// # Errors
    /// The message id is longer than 255 octets.
    pub fn decode(body: &'a [u8]) -> Result<MessageResp<'a>, DecodeErrorKind> {
        read_message_resp(Reader::new(body))
    }
}

/// The body of an alert_notification (SMPP 3.4 4.12.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert<'a> {
    /// The phone that is back.
    pub source: Address<'a>,
    /// Who asked to be told.
    pub esme: Address<'a>,
    /// `ms_availability_status` may say more.
    pub tlvs: Tlvs<'a>,
}

/// A PDU whose header could be read and whose body could not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{command} (sequence {sequence}): {kind}")]
pub struct DecodeError {
    /// Which operation.
    pub command: Command,
    /// The status it came with.
    pub status: Status,
    /// Its sequence number.
    pub sequence: u32,
    /// What is wrong.
    pub kind: DecodeErrorKind,
}

/// What is wrong with a PDU's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeErrorKind {
    /// It ends before its last field does.
    #[error("the body ends too early")]
    CutOff,
    /// A C-octet string without its NUL.
    #[error("a string has no end")]
    Unterminated,
    /// A C-octet string longer than its field allows.
    #[error("a string is longer than its field")]
    StringTooLong,
    /// `sm_length` beyond the PDU.
    #[error("the message is longer than its PDU")]
    MessageLength,
    /// An optional parameter beyond the PDU.
    #[error("an optional parameter is longer than its PDU")]
    TlvStream,
}

impl DecodeErrorKind {
    /// The status that answers such a PDU.
    pub const fn status(self) -> Status {
        match self {
            DecodeErrorKind::CutOff
            | DecodeErrorKind::Unterminated
            | DecodeErrorKind::StringTooLong => Status::INVALID_COMMAND_LENGTH,
            DecodeErrorKind::MessageLength => Status::INVALID_MESSAGE_LENGTH,
            DecodeErrorKind::TlvStream => Status::INVALID_TLV_STREAM,
        }
    }
}

/// Why a PDU cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A C-octet string longer than its field allows.
    #[error("{field} is longer than {most} octets")]
    StringTooLong {
        /// The field.
        field: &'static str,
        /// Octets it allows.
        most: usize,
    },
    /// A C-octet string with a NUL inside.
    #[error("{field} has a NUL octet inside")]
    NulInString {
        /// The field.
        field: &'static str,
    },
    /// `short_message` above 254 octets.
    #[error("the message is longer than 254 octets: it belongs in message_payload")]
    MessageTooLong,
    /// An optional parameter above 65,535 octets.
    #[error("{0} is longer than 65535 octets")]
    TlvTooLong(Tag),
    /// More than a length field can say.
    #[error("the PDU is too long")]
    PduTooLong,
}

impl<'a> Pdu<'a> {
    /// Reads one frame as [`Framer::next`] hands it out. Octets beyond `command_length` are left
    /// alone.
    ///
    /// # Errors
    /// The body does not hold what its operation needs; see [`DecodeError`]. A frame without a
    /// whole header or shorter than it says is [`DecodeErrorKind::CutOff`].
    pub fn decode(frame: &'a [u8]) -> Result<Pdu<'a>, DecodeError> {
        let header = Header::decode(frame).ok_or(DecodeError {
            command: Command(0),
            status: Status::OK,
            sequence: 0,
            kind: DecodeErrorKind::CutOff,
        })?;
        let body = frame
            .get(HEADER_LEN..header.length as usize)
            .ok_or(DecodeErrorKind::CutOff)
            .and_then(|body| read_body(&header, body))
            .map_err(|kind| DecodeError {
                command: header.command,
                status: header.status,
                sequence: header.sequence,
                kind,
            })?;
        Ok(Pdu {
            status: header.status,
            sequence: header.sequence,
            body,
        })
    }

    /// Writes it at the end of `out`; where that fails, `out` is as it was.
    ///
    /// # Errors
    /// A field does not fit the wire; see [`EncodeError`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let written = self.write(out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let begin =
            |out, room| Writer::begin(out, self.body.command(), self.status, self.sequence, room);
        let mut to = match &self.body {
            Body::SubmitSm(sms) | Body::DeliverSm(sms) => {
                let mut to = begin(out, sms.body_len());
                sms.write(&mut to)?;
                return to.finish();
            }
            Body::DataSm(sms) => {
                let mut to = begin(out, sms.body_len());
                sms.write_data(&mut to)?;
                return to.finish();
            }
            _ => begin(out, 32),
        };
        match &self.body {
            Body::Bind(_, bind) => bind.write(&mut to)?,
            // A refused request is answered with a header alone (SMPP 3.4 4.1.2, 4.4.2).
            Body::BindResp(..) | Body::SubmitSmResp(_) | Body::DataSmResp(_)
                if self.status != Status::OK => {}
            Body::BindResp(_, resp) => resp.write(&mut to)?,
            Body::Outbind(outbind) => outbind.write(&mut to)?,
            Body::SubmitSmResp(resp) | Body::DeliverSmResp(resp) | Body::DataSmResp(resp) => {
                to.c_string("message_id", resp.message_id, MESSAGE_ID_MOST_SENT)?;
                to.octets(resp.tlvs.as_bytes());
            }
            Body::AlertNotification(alert) => {
                for (field, address) in [("source_addr", &alert.source), ("esme_addr", &alert.esme)]
                {
                    to.octets(&[address.ton, address.npi]);
                    to.c_string(field, address.digits, ALERT_ADDRESS_MOST)?;
                }
                to.octets(alert.tlvs.as_bytes());
            }
            Body::Other(_, octets) => to.octets(octets),
            Body::Unbind
            | Body::UnbindResp
            | Body::EnquireLink
            | Body::EnquireLinkResp
            | Body::GenericNack
            | Body::SubmitSm(_)
            | Body::DeliverSm(_)
            | Body::DataSm(_) => {}
        }
        to.finish()
    }
}

/// Writes a submit_sm at the end of `out`: what [`Pdu::encode`] does, without the copies.
pub(crate) fn encode_submit(
    out: &mut Vec<u8>,
    sequence: u32,
    sms: &Sms<'_>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let mut to = Writer::begin(
        out,
        Command::SUBMIT_SM,
        Status::OK,
        sequence,
        sms.body_len(),
    );
    let written = sms.write(&mut to).and_then(|()| to.finish());
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Writes a PDU that is a header alone at the end of `out`.
pub(crate) fn encode_bare(out: &mut Vec<u8>, command: Command, status: Status, sequence: u32) {
    let mut header = [0; HEADER_LEN];
    header[3] = HEADER_LEN as u8;
    header[4..8].copy_from_slice(&command.0.to_be_bytes());
    header[8..12].copy_from_slice(&status.0.to_be_bytes());
    header[12..].copy_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&header);
}

fn read_body<'a>(header: &Header, octets: &'a [u8]) -> Result<Body<'a>, DecodeErrorKind> {
    let body = Reader::new(octets);
    Ok(match header.command {
        Command::SUBMIT_SM_RESP => Body::SubmitSmResp(read_message_resp(body)?),
        Command::SUBMIT_SM => Body::SubmitSm(Sms::read(body)?),
        Command::DELIVER_SM => Body::DeliverSm(Sms::read(body)?),
        Command::DELIVER_SM_RESP => Body::DeliverSmResp(read_message_resp(body)?),
        Command::DATA_SM => Body::DataSm(Sms::read_data(body)?),
        Command::DATA_SM_RESP => Body::DataSmResp(read_message_resp(body)?),
        Command::ENQUIRE_LINK => Body::EnquireLink,
        Command::ENQUIRE_LINK_RESP => Body::EnquireLinkResp,
        Command::GENERIC_NACK => Body::GenericNack,
        Command::UNBIND => Body::Unbind,
        Command::UNBIND_RESP => Body::UnbindResp,
        Command::BIND_TRANSMITTER => Body::Bind(BindKind::Transmitter, Bind::read(body)?),
        Command::BIND_RECEIVER => Body::Bind(BindKind::Receiver, Bind::read(body)?),
        Command::BIND_TRANSCEIVER => Body::Bind(BindKind::Transceiver, Bind::read(body)?),
        Command::BIND_TRANSMITTER_RESP => {
            Body::BindResp(BindKind::Transmitter, BindResp::read(body)?)
        }
        Command::BIND_RECEIVER_RESP => Body::BindResp(BindKind::Receiver, BindResp::read(body)?),
        Command::BIND_TRANSCEIVER_RESP => {
            Body::BindResp(BindKind::Transceiver, BindResp::read(body)?)
        }
        Command::OUTBIND => Body::Outbind(Outbind::read(body)?),
        Command::ALERT_NOTIFICATION => Body::AlertNotification(read_alert(body)?),
        other => Body::Other(other, octets),
    })
}

fn read_message_resp(mut body: Reader<'_>) -> Result<MessageResp<'_>, DecodeErrorKind> {
    if body.is_empty() {
        return Ok(MessageResp::default());
    }
    Ok(MessageResp {
        message_id: body.last_c_string(MESSAGE_ID_MOST)?,
        tlvs: body.leading_tlvs(),
    })
}

fn read_alert(mut body: Reader<'_>) -> Result<Alert<'_>, DecodeErrorKind> {
    let mut address = || -> Result<_, DecodeErrorKind> {
        Ok(Address {
            ton: body.octet()?,
            npi: body.octet()?,
            digits: body.c_string(ALERT_ADDRESS_MOST)?,
        })
    };
    Ok(Alert {
        source: address()?,
        esme: address()?,
        tlvs: body.tlvs()?,
    })
}

#[cfg(test)]
mod tests;
