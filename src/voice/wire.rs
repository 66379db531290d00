//! What went over the wire, for those who watch: the ladder and the capture file.

use std::net::SocketAddr;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::mpsc;

/// Which plane a datagram belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// SIP.
    Signalling,
    /// RTP.
    Media,
}

/// One datagram, sent or received. It holds numbers in the clear, so it has no `Debug`.
#[derive(Clone)]
pub struct Datagram {
    /// When it passed our socket.
    pub at: SystemTime,
    /// Its sender.
    pub from: SocketAddr,
    /// Its receiver.
    pub to: SocketAddr,
    /// Whether we sent it.
    pub sent: bool,
    /// Signalling or media.
    pub plane: Plane,
    /// Its payload.
    pub bytes: Bytes,
}

/// Where datagrams are copied to while somebody watches. What the watcher has no room for is
/// dropped: a slow watcher never slows a call.
#[derive(Clone, Default)]
pub struct Tap(Option<mpsc::Sender<Datagram>>);

impl Tap {
    /// A tap whose other end holds up to `room` datagrams.
    pub fn open(room: usize) -> (Tap, mpsc::Receiver<Datagram>) {
        let (sender, receiver) = mpsc::channel(room.max(1));
        (Tap(Some(sender)), receiver)
    }

    /// Whether anybody watches; lets callers skip the copy.
    pub fn watched(&self) -> bool {
        self.0.is_some()
    }

    /// Copies one datagram to the watcher.
    pub fn copy(&self, plane: Plane, sent: bool, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if let Some(sender) = &self.0 {
            // A full tap is the watcher's loss; see above.
            let _ = sender.try_send(Datagram {
                at: SystemTime::now(),
                from,
                to,
                sent,
                plane,
                bytes: Bytes::copy_from_slice(bytes),
            });
        }
    }
}
