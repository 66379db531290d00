//! The name of a dialog.

use std::fmt;
use std::sync::Arc;

/// What names a dialog (RFC 3261 12): Call-ID and the tag of either side. `Debug` leaves the tags
/// out: who knows them can speak in the dialog.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: Arc<str>,
    /// The tag we gave.
    pub local_tag: Box<str>,
    /// The peer's tag; empty for a peer that has none (RFC 2543).
    pub remote_tag: Box<str>,
}

impl fmt::Debug for DialogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialogId")
            .field("call_id", &self.call_id)
            .finish_non_exhaustive()
    }
}
