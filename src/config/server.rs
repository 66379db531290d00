//! `[server]`: where the HTTP API listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::show::{self, Shown};
use crate::document::Section;

/// Where the HTTP API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Most connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// How long requests and open challenges may take to end when the process is asked to stop.
    pub stop_time: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            max_connections: 4096,
            stop_time: Duration::from_secs(10),
        }
    }
}

pub(super) fn read(section: &Section<'_>) -> Server {
    let default = Server::default();
    let wanted = "address and port in quotes, as in \"127.0.0.1:8080\" or \"[::1]:8080\"";
    let stop_times = Duration::ZERO..=Duration::from_secs(600);
    Server {
        listen: section
            .read("listen", wanted, |text| text.parse().ok())
            .map_or(default.listen, |at| at.value),
        max_connections: section
            .integer("max_connections", 1..=1_000_000)
            .map_or(default.max_connections, |at| at.value as usize),
        stop_time: section
            .duration("stop_time", stop_times)
            .map_or(default.stop_time, |at| at.value),
    }
}

pub(super) fn show(server: &Server) -> Shown {
    Shown::new("server")
        .with("listen", server.listen.to_string())
        .with("max_connections", server.max_connections)
        .with("stop_time", show::duration(server.stop_time))
}
