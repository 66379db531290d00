//! A UDP socket that carries an endpoint's datagrams.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracing::{debug, warn};

use super::wire::{Plane, Tap};
use crate::sip::endpoint::Endpoint;

/// Datagrams taken from the socket at once, before anything else has its turn.
const BATCH: usize = 16;
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
            buffer: vec![0; LARGEST * BATCH].into_boxed_slice(),
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

    /// Hands what has come to the endpoint, a batch at most, read by one system call.
    pub fn receive(&mut self, endpoint: &mut Endpoint) {
        let Carrier {
            socket,
            local,
            tap,
            buffer,
        } = self;
        let fd = socket.as_raw_fd();
        let taken = socket.try_io(Interest::READABLE, || {
            let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
            let mut places = buffer.chunks_mut(LARGEST);
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
                std::array::from_fn(|_| [IoSliceMut::new(places.next().unwrap_or_default())]);
            let flags = MsgFlags::MSG_DONTWAIT;
            let taken = recvmmsg(fd, &mut headers, slices.iter_mut(), flags, None)?;
            let mut count = 0;
            let now = Instant::now();
            for datagram in taken {
                count += 1;
                let Some(from) = datagram.address.as_ref().and_then(as_std) else {
                    continue;
                };
                for data in datagram.iovs() {
                    tap.copy(Plane::Signalling, false, from, *local, data);
                    endpoint.handle_datagram(now, from, data);
                }
            }
            if count < BATCH {
                // The socket is empty. Said so here, it need not be asked again: what comes from
                // now on makes it readable anew.
                return Err(Errno::EAGAIN.into());
            }
            Ok(())
        });
        match taken {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A port unreachable that came back: the transaction's timer tells.
            Err(error) => debug!(%error, "receiving"),
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

/// An address as the system gives it.
fn as_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let four = address.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4));
    let six = || address.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6));
    four.map(SocketAddr::V4)
        .or_else(|| six().map(SocketAddr::V6))
}
