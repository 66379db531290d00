//! What a bind is configured with.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::smpp::pdu::{self, Bind, BindKind, Status, Verdict, Version};

/// How a session binds and behaves. `Debug` leaves the password out.
#[derive(Clone)]
pub struct Config {
    /// Transmitter, receiver or transceiver.
    pub kind: BindKind,
    /// The version announced.
    pub version: Version,
    /// Who binds.
    pub system_id: String,
    /// The secret that proves it.
    pub password: Zeroizing<String>,
    /// The kind of system, where the carrier asks for one.
    pub system_type: String,
    /// Type of number of the addresses served.
    pub addr_ton: u8,
    /// Numbering plan of the addresses served.
    pub addr_npi: u8,
    /// The addresses served, as the carrier wants them written; mostly empty.
    pub address_range: String,
    /// Texts that may wait for their answer at once, 1 to 65,535.
    pub window: u16,
    /// Texts a second at most; `None` leaves it to the window.
    pub rate: Option<f64>,
    /// From the connection to the bind's answer (`session_init_timer`, SMPP 3.4 7.2).
    pub session_init: Duration,
    /// How long a request may wait for its answer (`response_timer`).
    pub response: Duration,
    /// Silence after which the peer is asked whether it is there (`enquire_link_timer`).
    pub enquire_link: Duration,
    /// How long no text may pass in either direction before the session unbinds
    /// (`inactivity_timer`); `None` keeps it for ever.
    pub inactivity: Option<Duration>,
    /// Octets of the longest PDU accepted.
    pub pdu_limit: u32,
    /// Deliveries that may wait for [`Session::acknowledge`](super::Session::acknowledge) at once;
    /// the message centre is asked to keep those beyond.
    pub deliveries: usize,
    /// What this carrier's statuses mean where that differs from [`Status::verdict`].
    pub verdicts: Vec<(Status, Verdict)>,
}

impl Config {
    /// A transceiver of SMPP 3.4 with the usual timers and a window of 10.
    pub fn new(system_id: impl Into<String>, password: impl Into<String>) -> Config {
        Config {
            kind: BindKind::Transceiver,
            version: Version::V34,
            system_id: system_id.into(),
            password: Zeroizing::new(password.into()),
            system_type: String::new(),
            addr_ton: 0,
            addr_npi: 0,
            address_range: String::new(),
            window: 10,
            rate: None,
            session_init: Duration::from_secs(10),
            response: Duration::from_secs(10),
            enquire_link: Duration::from_secs(30),
            inactivity: None,
            pdu_limit: pdu::DEFAULT_LIMIT,
            deliveries: 256,
            verdicts: Vec::new(),
        }
    }

    pub(super) fn bind(&self) -> Bind<'_> {
        Bind {
            system_id: self.system_id.as_bytes(),
            password: self.password.as_bytes(),
            system_type: self.system_type.as_bytes(),
            interface_version: self.version.octet(),
            addr_ton: self.addr_ton,
            addr_npi: self.addr_npi,
            address_range: self.address_range.as_bytes(),
        }
    }

    /// What an answer asks for at this carrier. Only [`Status::OK`] is ever accepted.
    pub(super) fn verdict(&self, status: Status) -> Verdict {
        if status == Status::OK {
            return Verdict::Accepted;
        }
        self.verdicts
            .iter()
            .find(|(named, _)| *named == status)
            .map(|(_, verdict)| *verdict)
            .filter(|verdict| *verdict != Verdict::Accepted)
            .unwrap_or(status.verdict())
    }

    /// Whether an answer slows the bind: the standard's statuses, and those of the carrier's own
    /// (0x400 to 0x4ff) that are configured to be tried again.
    pub(super) fn slows(&self, status: Status) -> bool {
        status.slows_the_bind()
            || ((0x400..=0x4ff).contains(&status.0) && self.verdict(status) == Verdict::Retry)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("system_id", &self.system_id)
            .field("window", &self.window)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}
