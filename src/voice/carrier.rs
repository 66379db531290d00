//! A UDP socket that carries an endpoint's datagrams.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::net::UdpSocket;
use tracing::{debug, warn};

use super::wire::{Plane, Tap};
use crate::sip::endpoint::Endpoint;

/// Datagrams taken from the socket before anything else has its turn.
const BATCH: usize = 64;
/// The largest UDP datagram.
const LARGEST: usize = 65_535;

/// Carries datagrams between a socket and an endpoint, and copies them to a tap.
pub struct Carrier {
    socket: UdpSocket,
    local: SocketAddr,
    tap: Tap,
    buffer: Box<[u8]>,
}

impl Carrier {
    /// Binds `address`.
    ///
    /// # Errors
    /// When the address is taken, or not ours.
    pub async fn bind(address: SocketAddr, tap: Tap) -> io::Result<Carrier> {
        let socket = UdpSocket::bind(address).await?;
        let local = socket.local_addr()?;
        Ok(Carrier {
            socket,
            local,
            tap,
            buffer: vec![0; LARGEST].into_boxed_slice(),
        })
    }

    /// The bound address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits until a datagram can be read.
    ///
    /// # Errors
    /// When the socket fails for good.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Hands what has come to the endpoint, a batch at most.
    pub fn receive(&mut self, endpoint: &mut Endpoint) {
        for _ in 0..BATCH {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, from)) => {
                    let data = self.buffer.get(..length).unwrap_or(&[]);
                    self.tap
                        .copy(Plane::Signalling, false, from, self.local, data);
                    endpoint.handle_datagram(Instant::now(), from, data);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A port unreachable that came back: the transaction's timer tells.
                Err(error) => {
                    debug!(%error, "receiving");
                    return;
                }
            }
        }
    }

    /// Sends all that the endpoint wants sent; whether there was anything.
    pub async fn send(&mut self, endpoint: &mut Endpoint) -> bool {
        let mut any = false;
        while let Some(transmit) = endpoint.poll_transmit() {
            any = true;
            self.tap.copy(
                Plane::Signalling,
                true,
                self.local,
                transmit.to,
                &transmit.bytes,
            );
            let result = match self.socket.try_send_to(&transmit.bytes, transmit.to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.send_to(&transmit.bytes, transmit.to).await
                }
                result => result,
            };
            // What is lost here is lost like any datagram: timers A and E send it again.
            if let Err(error) = result {
                warn!(%error, "sending");
            }
            endpoint.recycle(transmit.bytes);
        }
        any
    }
}
