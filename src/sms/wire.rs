//! What went over the binds' connections, for those who watch: the printed PDUs and the capture
//! file.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::mpsc;

/// Octets of one connection, sent or received, as they came; PDUs may be cut anywhere. It holds
/// numbers, words and the password of the bind in the clear, so it has no `Debug`.
#[derive(Clone)]
pub struct Segment {
    /// When they passed our socket.
    pub at: SystemTime,
    /// The bind whose connection it is.
    pub bind: Arc<str>,
    /// Our end.
    pub local: SocketAddr,
    /// The message centre's end.
    pub peer: SocketAddr,
    /// Whether we sent them.
    pub sent: bool,
    /// The octets, without TLS.
    pub octets: Bytes,
}

/// Where octets are copied to while somebody watches. What the watcher has no room for is dropped:
/// a slow watcher never slows a text.
#[derive(Clone, Default)]
pub struct Tap(Option<mpsc::Sender<Segment>>);

impl Tap {
    /// A tap whose other end holds up to `room` segments.
    pub fn open(room: usize) -> (Tap, mpsc::Receiver<Segment>) {
        let (sender, receiver) = mpsc::channel(room.max(1));
        (Tap(Some(sender)), receiver)
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "Tap(watched)"
        } else {
            "Tap"
        })
    }
}

/// A connection that may be watched.
pub(super) struct Watched {
    tap: mpsc::Sender<Segment>,
    bind: Arc<str>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Watched {
    /// `None` where nobody watches.
    pub(super) fn new(
        tap: &Tap,
        bind: &Arc<str>,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> Option<Watched> {
        Some(Watched {
            tap: tap.0.clone()?,
            bind: Arc::clone(bind),
            local,
            peer,
        })
    }

    pub(super) fn copy(&self, sent: bool, octets: &[u8]) {
        // A full tap is the watcher's loss; see above.
        let _ = self.tap.try_send(Segment {
            at: SystemTime::now(),
            bind: Arc::clone(&self.bind),
            local: self.local,
            peer: self.peer,
            sent,
            octets: Bytes::copy_from_slice(octets),
        });
    }
}
