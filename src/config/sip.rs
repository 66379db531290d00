//! `[sip]`: where signalling goes in and out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::show::Shown;
use crate::document::Section;

/// Where signalling goes in and out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// The local UDP address and port.
    pub bind: SocketAddr,
    /// What Via and Contact say, where carriers reach us at another address than we bind, behind
    /// NAT. Without it the bound address, or the one towards the trunk if all are bound.
    pub advertise: Option<SocketAddr>,
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
    Sip {
        bind,
        advertise: advertise.map(|at| at.value),
    }
}

pub(super) fn show(sip: &Sip) -> Shown {
    Shown::new("sip")
        .with("bind", sip.bind.to_string())
        .with("advertise", sip.advertise.map(|a| a.to_string()))
}
