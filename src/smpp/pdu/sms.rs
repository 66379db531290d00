//! The body that submit_sm, deliver_sm and data_sm share (SMPP 3.4 4.4.1, 4.6.1, 4.7.1).

use std::fmt;

use smallvec::SmallVec;

use super::reader::Reader;
use super::writer::Writer;
use super::{Address, AddressBuf, DecodeErrorKind, EncodeError, Tag, TlvBuf, Tlvs};

/// `esm_class`: what kind of message, and whether a user data header leads it (SMPP 3.4 5.2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EsmClass(pub u8);

impl EsmClass {
    /// An ordinary text in the message centre's default mode.
    pub const TEXT: EsmClass = EsmClass(0x00);
    /// A delivery receipt of the message centre.
    pub const RECEIPT: EsmClass = EsmClass(0x04);
    /// An intermediate delivery notification: the text is still on its way.
    pub const INTERMEDIATE: EsmClass = EsmClass(0x20);
    /// The flag for a user data header at the front of the message.
    pub const UDHI: u8 = 0x40;

    /// Whether it is a delivery receipt, or an intermediate notification in the same form.
    pub const fn is_receipt(self) -> bool {
        matches!(self.0 & 0x3c, 0x04 | 0x20)
    }

    /// Whether the phone itself acknowledges, by hand or of its own accord: told apart so that it
    /// is not taken for a text of the user's.
    pub const fn is_acknowledgement(self) -> bool {
        matches!(self.0 & 0x3c, 0x08 | 0x10)
    }

    /// Whether the message begins with a user data header (3GPP TS 23.040 9.2.3.24).
    pub const fn has_header(self) -> bool {
        self.0 & EsmClass::UDHI != 0
    }
}

/// A text on the wire, in either direction. `Debug` masks the addresses and leaves the text out.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Sms<'a> {
    /// `service_type`; empty is the message centre's default.
    pub service_type: &'a [u8],
    /// Who sends.
    pub source: Address<'a>,
    /// Who receives.
    pub destination: Address<'a>,
    /// What kind of message.
    pub esm_class: EsmClass,
    /// GSM `TP-PID`.
    pub protocol_id: u8,
    /// `priority_flag`, 0 to 3 (5.0: to 4).
    pub priority: u8,
    /// `schedule_delivery_time`; empty is at once.
    pub schedule: &'a [u8],
    /// `validity_period`; empty is the message centre's default.
    pub validity: &'a [u8],
    /// `registered_delivery`: which receipts are wanted (SMPP 3.4 5.2.17).
    pub registered_delivery: u8,
    /// `replace_if_present_flag`.
    pub replace_if_present: u8,
    /// `data_coding` (SMPP 3.4 5.2.19).
    pub data_coding: u8,
    /// `sm_default_msg_id`.
    pub default_message: u8,
    /// `short_message`, at most 254 octets (5.0: 255); empty where `message_payload` carries it.
    pub short_message: &'a [u8],
    /// The optional parameters.
    pub tlvs: Tlvs<'a>,
}

const SERVICE_TYPE_MOST: usize = 5;
/// 20 in submit_sm and deliver_sm, 64 in data_sm (SMPP 3.4 5.2.8, 5.2.9); read as 64 everywhere.
const ADDRESS_MOST_READ: usize = 64;
const ADDRESS_MOST: usize = 20;
const DATA_ADDRESS_MOST: usize = 64;
const TIME_MOST: usize = 16;
const SHORT_MESSAGE_MOST: usize = 254;

impl<'a> Sms<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Result<Sms<'a>, DecodeErrorKind> {
        let service_type = body.c_string(SERVICE_TYPE_MOST)?;
        let source = read_address(&mut body)?;
        let destination = read_address(&mut body)?;
        let esm_class = EsmClass(body.octet()?);
        let protocol_id = body.octet()?;
        let priority = body.octet()?;
        let schedule = body.c_string(TIME_MOST)?;
        let validity = body.c_string(TIME_MOST)?;
        let registered_delivery = body.octet()?;
        let replace_if_present = body.octet()?;
        let data_coding = body.octet()?;
        let default_message = body.octet()?;
        let length = usize::from(body.octet()?);
        let short_message = body
            .octets(length)
            .map_err(|_| DecodeErrorKind::MessageLength)?;
        Ok(Sms {
            service_type,
            source,
            destination,
            esm_class,
            protocol_id,
            priority,
            schedule,
            validity,
            registered_delivery,
            replace_if_present,
            data_coding,
            default_message,
            short_message,
            tlvs: body.tlvs()?,
        })
    }

    pub(super) fn read_data(mut body: Reader<'a>) -> Result<Sms<'a>, DecodeErrorKind> {
        let service_type = body.c_string(SERVICE_TYPE_MOST)?;
        let source = read_address(&mut body)?;
        let destination = read_address(&mut body)?;
        let esm_class = EsmClass(body.octet()?);
        let registered_delivery = body.octet()?;
        let data_coding = body.octet()?;
        Ok(Sms {
            service_type,
            source,
            destination,
            esm_class,
            registered_delivery,
            data_coding,
            tlvs: body.tlvs()?,
            ..Sms::default()
        })
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) -> Result<(), EncodeError> {
        let length = self.short_message.len();
        if length > SHORT_MESSAGE_MOST {
            return Err(EncodeError::MessageTooLong);
        }
        to.c_string("service_type", self.service_type, SERVICE_TYPE_MOST)?;
        write_address(to, "source_addr", &self.source, ADDRESS_MOST)?;
        write_address(to, "destination_addr", &self.destination, ADDRESS_MOST)?;
        to.octets(&[self.esm_class.0, self.protocol_id, self.priority]);
        to.c_string("schedule_delivery_time", self.schedule, TIME_MOST)?;
        to.c_string("validity_period", self.validity, TIME_MOST)?;
        to.octets(&[
            self.registered_delivery,
            self.replace_if_present,
            self.data_coding,
            self.default_message,
            length as u8,
        ]);
        to.octets(self.short_message);
        to.octets(self.tlvs.as_bytes());
        Ok(())
    }

    pub(super) fn write_data(&self, to: &mut Writer<'_>) -> Result<(), EncodeError> {
        to.c_string("service_type", self.service_type, SERVICE_TYPE_MOST)?;
        write_address(to, "source_addr", &self.source, DATA_ADDRESS_MOST)?;
        write_address(to, "destination_addr", &self.destination, DATA_ADDRESS_MOST)?;
        to.octets(&[self.esm_class.0, self.registered_delivery, self.data_coding]);
        to.octets(self.tlvs.as_bytes());
        Ok(())
    }

    /// Octets that the body takes in submit_sm and deliver_sm.
    pub(super) fn body_len(&self) -> usize {
        let strings = self.service_type.len()
            + self.source.digits.len()
            + self.destination.digits.len()
            + self.schedule.len()
            + self.validity.len();
        // Five NULs, two pairs of type and plan, and eight octets.
        strings + 5 + 2 * 2 + 8 + self.short_message.len() + self.tlvs.as_bytes().len()
    }

    /// The message: `short_message`, or `message_payload` where that is empty (SMPP 3.4 5.3.2.32).
    pub fn message(&self) -> &'a [u8] {
        if self.short_message.is_empty() {
            self.tlvs
                .get(Tag::MESSAGE_PAYLOAD)
                .map_or(&[], |tlv| tlv.value)
        } else {
            self.short_message
        }
    }

    /// A copy that owns everything.
    pub fn to_owned(&self) -> SmsBuf {
        SmsBuf {
            service_type: SmallVec::from_slice(self.service_type),
            source: self.source.to_owned(),
            destination: self.destination.to_owned(),
            esm_class: self.esm_class,
            protocol_id: self.protocol_id,
            priority: self.priority,
            schedule: SmallVec::from_slice(self.schedule),
            validity: SmallVec::from_slice(self.validity),
            registered_delivery: self.registered_delivery,
            replace_if_present: self.replace_if_present,
            data_coding: self.data_coding,
            default_message: self.default_message,
            short_message: self.short_message.to_vec(),
            tlvs: self.tlvs.into(),
        }
    }
}

fn read_address<'a>(body: &mut Reader<'a>) -> Result<Address<'a>, DecodeErrorKind> {
    Ok(Address {
        ton: body.octet()?,
        npi: body.octet()?,
        digits: body.c_string(ADDRESS_MOST_READ)?,
    })
}

fn write_address(
    to: &mut Writer<'_>,
    field: &'static str,
    address: &Address<'_>,
    most: usize,
) -> Result<(), EncodeError> {
    to.octets(&[address.ton, address.npi]);
    to.c_string(field, address.digits, most)
}

impl fmt::Debug for Sms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("esm_class", &self.esm_class.0)
            .field("data_coding", &self.data_coding)
            .field("registered_delivery", &self.registered_delivery)
            .field("octets", &self.short_message.len())
            .field("tlvs", &self.tlvs)
            .finish_non_exhaustive()
    }
}

/// An [`Sms`] that owns everything.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SmsBuf {
    /// `service_type`.
    pub service_type: SmallVec<[u8; 8]>,
    /// Who sends.
    pub source: AddressBuf,
    /// Who receives.
    pub destination: AddressBuf,
    /// What kind of message.
    pub esm_class: EsmClass,
    /// GSM `TP-PID`.
    pub protocol_id: u8,
    /// `priority_flag`.
    pub priority: u8,
    /// `schedule_delivery_time`.
    pub schedule: SmallVec<[u8; 16]>,
    /// `validity_period`.
    pub validity: SmallVec<[u8; 16]>,
    /// `registered_delivery`.
    pub registered_delivery: u8,
    /// `replace_if_present_flag`.
    pub replace_if_present: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// `sm_default_msg_id`.
    pub default_message: u8,
    /// `short_message`.
    pub short_message: Vec<u8>,
    /// The optional parameters.
    pub tlvs: TlvBuf,
}

impl SmsBuf {
    /// A view for reading and sending.
    pub fn as_sms(&self) -> Sms<'_> {
        Sms {
            service_type: &self.service_type,
            source: self.source.as_address(),
            destination: self.destination.as_address(),
            esm_class: self.esm_class,
            protocol_id: self.protocol_id,
            priority: self.priority,
            schedule: &self.schedule,
            validity: &self.validity,
            registered_delivery: self.registered_delivery,
            replace_if_present: self.replace_if_present,
            data_coding: self.data_coding,
            default_message: self.default_message,
            short_message: &self.short_message,
            tlvs: self.tlvs.as_tlvs(),
        }
    }
}

impl fmt::Debug for SmsBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_sms().fmt(f)
    }
}
