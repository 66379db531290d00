//! Opening a session: bind, its response, and outbind (SMPP 3.4 4.1).

use std::fmt;

use super::reader::Reader;
use super::writer::Writer;
use super::{Command, DecodeErrorKind, EncodeError, Tag, Tlvs};

/// What a bind may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindKind {
    /// Sends texts.
    Transmitter,
    /// Receives receipts and texts.
    Receiver,
    /// Both.
    Transceiver,
}

impl BindKind {
    /// The request that opens such a bind.
    pub const fn command(self) -> Command {
        match self {
            BindKind::Transmitter => Command::BIND_TRANSMITTER,
            BindKind::Receiver => Command::BIND_RECEIVER,
            BindKind::Transceiver => Command::BIND_TRANSCEIVER,
        }
    }

    /// Whether it may submit.
    pub const fn sends(self) -> bool {
        !matches!(self, BindKind::Receiver)
    }

    /// Whether the message centre may deliver to it.
    pub const fn receives(self) -> bool {
        !matches!(self, BindKind::Transmitter)
    }
}

/// The protocol version a side speaks (`interface_version`, SMPP 3.4 5.2.4, SMPP 5.0 4.7.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// SMPP 3.3 and before: no optional parameters.
    V33,
    /// SMPP 3.4.
    V34,
    /// SMPP 5.0.
    V50,
}

impl Version {
    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        match self {
            Version::V33 => 0x33,
            Version::V34 => 0x34,
            Version::V50 => 0x50,
        }
    }

    /// From the octet on the wire: 0x00 to 0x33 are 3.3 and before, and what lies between two
    /// versions is the lower of them.
    pub const fn from_octet(octet: u8) -> Version {
        match octet {
            0..=0x33 => Version::V33,
            0x34..=0x4f => Version::V34,
            0x50.. => Version::V50,
        }
    }
}

/// The body of a bind request. `Debug` leaves the password out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Who binds.
    pub system_id: &'a [u8],
    /// The secret that proves it.
    pub password: &'a [u8],
    /// The kind of system, where the carrier asks for one.
    pub system_type: &'a [u8],
    /// `interface_version` as it came.
    pub interface_version: u8,
    /// Type of number of the addresses served.
    pub addr_ton: u8,
    /// Numbering plan of the addresses served.
    pub addr_npi: u8,
    /// The addresses served, as the carrier wants them written; mostly empty.
    pub address_range: &'a [u8],
}

/// The standard allows 15 octets of system id and 8 of password (SMPP 3.4 5.2.1, 5.2.2); carriers
/// hand out longer ones and take them, so both directions do.
const SYSTEM_ID_MOST: usize = 64;
const PASSWORD_MOST: usize = 64;
const SYSTEM_TYPE_MOST: usize = 12;
const ADDRESS_RANGE_MOST: usize = 40;

impl<'a> Bind<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Result<Bind<'a>, DecodeErrorKind> {
        Ok(Bind {
            system_id: body.c_string(SYSTEM_ID_MOST)?,
            password: body.c_string(PASSWORD_MOST)?,
            system_type: body.c_string(SYSTEM_TYPE_MOST)?,
            interface_version: body.octet()?,
            addr_ton: body.octet()?,
            addr_npi: body.octet()?,
            address_range: body.c_string(ADDRESS_RANGE_MOST)?,
        })
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) -> Result<(), EncodeError> {
        to.c_string("system_id", self.system_id, SYSTEM_ID_MOST)?;
        to.c_string("password", self.password, PASSWORD_MOST)?;
        to.c_string("system_type", self.system_type, SYSTEM_TYPE_MOST)?;
        to.octets(&[self.interface_version, self.addr_ton, self.addr_npi]);
        to.c_string("address_range", self.address_range, ADDRESS_RANGE_MOST)
    }
}

impl fmt::Debug for Bind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bind")
            .field("system_id", &self.system_id.escape_ascii().to_string())
            .field("interface_version", &self.interface_version)
            .finish_non_exhaustive()
    }
}

/// The body of a bind response; empty where the bind was refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BindResp<'a> {
    /// Who answers.
    pub system_id: &'a [u8],
    /// `sc_interface_version` may say which version is spoken.
    pub tlvs: Tlvs<'a>,
}

impl<'a> BindResp<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Result<BindResp<'a>, DecodeErrorKind> {
        Ok(BindResp {
            system_id: body.last_c_string(SYSTEM_ID_MOST)?,
            tlvs: body.leading_tlvs(),
        })
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) -> Result<(), EncodeError> {
        to.c_string("system_id", self.system_id, SYSTEM_ID_MOST)?;
        to.octets(self.tlvs.as_bytes());
        Ok(())
    }

    /// The version the message centre speaks, if it says.
    pub fn version(&self) -> Option<Version> {
        let tlv = self.tlvs.get(Tag::SC_INTERFACE_VERSION)?;
        Some(Version::from_octet(tlv.integer()?.to_be_bytes()[3]))
    }
}

impl fmt::Debug for BindResp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindResp")
            .field("system_id", &self.system_id.escape_ascii().to_string())
            .field("tlvs", &self.tlvs)
            .finish()
    }
}

/// The body of an outbind: a message centre asks a receiver to bind (SMPP 3.4 4.1.7). `Debug`
/// leaves the password out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Outbind<'a> {
    /// Who asks.
    pub system_id: &'a [u8],
    /// The secret that proves it.
    pub password: &'a [u8],
}

impl<'a> Outbind<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Result<Outbind<'a>, DecodeErrorKind> {
        Ok(Outbind {
            system_id: body.c_string(SYSTEM_ID_MOST)?,
            password: body.c_string(PASSWORD_MOST)?,
        })
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) -> Result<(), EncodeError> {
        to.c_string("system_id", self.system_id, SYSTEM_ID_MOST)?;
        to.c_string("password", self.password, PASSWORD_MOST)
    }
}

impl fmt::Debug for Outbind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbind")
            .field("system_id", &self.system_id.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_between_two_are_the_lower() {
        assert_eq!(Version::from_octet(0), Version::V33);
        assert_eq!(Version::from_octet(0x34), Version::V34);
        assert_eq!(Version::from_octet(0x40), Version::V34);
        assert_eq!(Version::from_octet(0x50), Version::V50);
        assert_eq!(Version::from_octet(0xff), Version::V50);
        for version in [Version::V33, Version::V34, Version::V50] {
            assert_eq!(Version::from_octet(version.octet()), version);
        }
    }

    #[test]
    fn no_password_is_ever_shown() {
        let bind = Bind {
            system_id: b"ringtrue",
            password: b"hunter2",
            system_type: b"",
            interface_version: 0x34,
            addr_ton: 0,
            addr_npi: 0,
            address_range: b"",
        };
        let outbind = Outbind {
            system_id: b"centre",
            password: b"hunter2",
        };
        let shown = format!("{bind:?} {outbind:?}");
        assert!(shown.contains("ringtrue") && shown.contains("centre"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
