//! `[sip]`: where signalling goes in and out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::show::Shown;
use crate::document::{Fault, Section};

/// Where signalling goes in and out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// The local UDP address and port.
    pub bind: SocketAddr,
    /// What Via and Contact say, where carriers reach us at another address than we bind: behind
    /// NAT, or bound to all addresses.
    pub advertise: Option<SocketAddr>,
}

impl Sip {
    /// The address that Via and Contact carry.
    pub fn advertised(&self) -> SocketAddr {
        self.advertise.unwrap_or(self.bind)
    }
}

impl Default for Sip {
    fn default() -> Self {
        Sip {
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060),
            advertise: None,
        }
    }
}

pub(super) fn read(section: &Section<'_>) -> Sip {
    let default = Sip::default();
    let bind: SocketAddr = section
        .read(
            "bind",
            "address and port in quotes, as in \"192.0.2.1:5060\"",
            |text| text.parse().ok(),
        )
        .map_or(default.bind, |at| at.value);
    // The port that we bind is the one that is reached, unless it says otherwise.
    let advertise = section.read(
        "advertise",
        "the address that carriers reach, in quotes, as in \"203.0.113.7\" or \"203.0.113.7:5060\"",
        |text| {
            let address = text.parse().map(|ip| SocketAddr::new(ip, bind.port()));
            address.or_else(|_| text.parse::<SocketAddr>()).ok()
        },
    );
    let missing = advertise.is_none() && section.place_of("advertise") == section.place();
    if bind.ip().is_unspecified() && missing {
        section.fault(needs_advertise(section));
    }
    Sip {
        bind,
        advertise: advertise.map(|at| at.value),
    }
}

/// Bound to all addresses, there is none to tell the other side.
pub(super) fn needs_advertise(section: &Section<'_>) -> Fault {
    Fault::new(
        section.place_of("bind"),
        "`bind` is every address of this machine, and none that others could be told",
    )
    .help("add `advertise` with the address that carriers reach, or bind that address")
}

pub(super) fn show(sip: &Sip) -> Shown {
    Shown::new("sip")
        .with("bind", sip.bind.to_string())
        .with("advertise", sip.advertise.map(|a| a.to_string()))
}
