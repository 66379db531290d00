//! What a bind is configured with.

use std::sync::Arc;
use std::time::Duration;

use super::tls::Tls;
use super::wire::Tap;
use crate::smpp::receipt::IdForm;
use crate::smpp::session::{self, Backoff};
use crate::smpp::text::Style;

/// A way to a message centre: the same bind, once or several times.
#[derive(Debug, Clone)]
pub struct SmppLine {
    /// The bind.
    pub bind: BindConfig,
    /// How many of it, 1 at least.
    pub sessions: u16,
}

/// A bind, as configured.
#[derive(Debug, Clone)]
pub struct BindConfig {
    /// Its name in the configuration and in dialplans.
    pub name: Arc<str>,
    /// Host or address, and port, of the message centre.
    pub address: Arc<str>,
    /// How it is known, where TLS is spoken with it.
    pub tls: Option<Tls>,
    /// How it binds, its window, rate and timers.
    pub session: session::Config,
    /// How texts are written for this carrier.
    pub style: Style,
    /// The sender where an order names none: a name, a short code, or a number with its plus sign.
    pub sender: String,
    /// `service_type`, where the carrier asks for one; at most 5 characters.
    pub service_type: String,
    /// Whether receipts are asked for.
    pub receipts: bool,
    /// Whether the carrier is told until when a text is of use (`validity_period`).
    pub validity: bool,
    /// How the ids in receipts relate to those in answers.
    pub id_form: IdForm,
    /// Orders that may wait in the queue, 1 at least.
    pub queue: usize,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long orders wait for a bind that is down before they are handed back.
    pub hold: Duration,
    /// How often a message is submitted at most where the message centre asks for it to be tried
    /// again.
    pub attempts: u32,
    /// How long stopping may take.
    pub drain: Duration,
    /// The waits between connections.
    pub backoff: Backoff,
    /// Who watches its connections.
    pub tap: Tap,
}

impl BindConfig {
    /// A bind with the usual settings.
    pub fn new(
        name: impl Into<Arc<str>>,
        address: impl Into<Arc<str>>,
        session: session::Config,
    ) -> BindConfig {
        BindConfig {
            name: name.into(),
            address: address.into(),
            tls: None,
            session,
            style: Style::default(),
            sender: String::new(),
            service_type: String::new(),
            receipts: true,
            validity: true,
            id_form: IdForm::Same,
            queue: 1024,
            connect: Duration::from_secs(5),
            hold: Duration::from_secs(5),
            attempts: 5,
            drain: Duration::from_secs(15),
            backoff: Backoff::default(),
            tap: Tap::default(),
        }
    }
}
