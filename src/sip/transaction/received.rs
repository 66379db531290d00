//! A message that came in, sound and read once.

use super::transport::Flow;
use crate::sip::message::{Essentials, Message};

/// A sound message, what every such message has, and where it came from.
pub(crate) struct Received<'a> {
    pub(crate) from: Flow,
    pub(crate) message: &'a Message<'a>,
    pub(crate) essentials: Essentials<'a>,
}

impl<'a> Received<'a> {
    /// The peer's tag in a response, ours in a request: that of To, empty where there is none.
    pub(crate) fn to_tag(&self) -> &'a str {
        self.essentials.to_tag.unwrap_or_default()
    }
}
