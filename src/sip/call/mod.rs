//! One call: an INVITE usage (RFC 3261 13 to 15) from the first request to the last response.
//!
//! [`Call`] is the user of the transactions below it. Its states and what moves it between them
//! are spread by who acts: `outgoing.rs` (the INVITE we send), `incoming.rs` (the INVITE we got),
//! `in_dialog.rs` (requests of the peer within the call), `leaving.rs` (our BYE and INFO), and
//! `stray.rs` (forks that answer and are not wanted).

mod authentication;
mod event;
mod failure;
mod forwarding;
mod in_dialog;
mod incoming;
mod invitation;
mod leaving;
mod outgoing;
mod stray;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

pub use event::{CallId, Ending, Event, IncomingInvite, InfoContent, Party};
pub use failure::{CallFailure, Cause};
pub use forwarding::Forwarding;
pub use invitation::{Invitation, InviteError};

pub(crate) use authentication::Authenticator;
pub(crate) use in_dialog::{Asked, unsupported};
pub(crate) use stray::{end_stray, retry_stray};

use incoming::{Alerting, Unacknowledged};
use outgoing::{Cancelling, Inviting};

use crate::sip::dialog::Dialog;
use crate::sip::message::Message;
use crate::sip::transaction::{Cookie, Flow, Handle, Layer, Sources, TimerId};

/// What we understand, as told in Allow. UPDATE is answered but not asked for.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO";
/// The bodies we understand.
pub(crate) const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf";
/// The bodies we understand in INFO.
pub(crate) const ACCEPT_INFO: &str = "application/dtmf-relay, application/dtmf";

/// What a call acts upon: the time, the transactions, and whoever listens.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) layer: &'a mut Layer,
    pub(crate) events: &'a mut VecDeque<Event>,
}

/// The app asked for what the call's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such call, or not any more.
    #[error("there is no such call")]
    NoSuchCall,
    /// It is not in a state for that: answered already, not answered yet, or over.
    #[error("the call is not in a state for that")]
    WrongState,
    /// A value has a line break in it, or a status is out of range.
    #[error("a value that cannot be written")]
    Unwritable,
    /// No room for another transaction.
    #[error("too many SIP transactions at once")]
    TooManyTransactions,
}

/// Where a call stands.
enum State {
    /// Our INVITE has no final response.
    Inviting(Box<Inviting>),
    /// Nor will one matter: we gave up.
    Cancelling(Cancelling),
    /// The peer's INVITE has no final response.
    Alerting(Box<Alerting>),
    /// We answered, and no ACK came yet.
    Unacknowledged(Box<Unacknowledged>),
    /// Both sides agree that it is up.
    Confirmed(Box<Dialog>),
    /// Our BYE is under way.
    Leaving { bye: Handle, dialog: Box<Dialog> },
    /// Nothing more is to be signalled.
    Over,
}

/// One call.
pub(crate) struct Call {
    id: CallId,
    /// Our tag.
    tag: Cookie,
    call_id: Arc<str>,
    sources: Sources,
    auth: Authenticator,
    state: State,
    timer: TimerId,
    /// Whether anybody knows of it.
    is_announced: bool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inviting(_) => "inviting",
            State::Cancelling(_) => "cancelling",
            State::Alerting(_) => "alerting",
            State::Unacknowledged(_) => "unacknowledged",
            State::Confirmed(_) => "confirmed",
            State::Leaving { .. } => "leaving",
            State::Over => "over",
        };
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// A call in which nothing has happened yet.
    pub(crate) fn new(
        id: CallId,
        tag: Cookie,
        call_id: Arc<str>,
        sources: Sources,
        auth: Authenticator,
        timer: TimerId,
    ) -> Call {
        Call {
            id,
            tag,
            call_id,
            sources,
            auth,
            state: State::Over,
            timer,
            is_announced: false,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub(crate) fn is_announced(&self) -> bool {
        self.is_announced
    }

    pub(crate) fn id(&self) -> CallId {
        self.id
    }

    pub(crate) fn timer(&self) -> TimerId {
        self.timer
    }

    /// Our tag, where the peer gave it back with the right Call-ID.
    pub(crate) fn is_named(&self, tag: Cookie, call_id: &str) -> bool {
        self.tag == tag && *self.call_id == *call_id
    }

    pub(crate) fn tag(&self) -> Cookie {
        self.tag
    }

    /// Whether a response carries this call's identity; its branch alone has brought it here.
    pub(crate) fn owns(&self, response: &Message<'_>) -> bool {
        let is_tagged = response
            .from()
            .ok()
            .and_then(|from| from.tag().and_then(Cookie::parse))
            == Some(self.tag);
        is_tagged && response.call_id().is_ok_and(|id| *id == *self.call_id)
    }

    /// When the call itself has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Inviting(inviting) => Some(inviting.give_up_at()),
            State::Cancelling(cancelling) => cancelling.give_up_at(),
            State::Alerting(alerting) => Some(alerting.deadline()),
            State::Unacknowledged(answered) => Some(answered.deadline()),
            State::Confirmed(_) | State::Leaving { .. } | State::Over => None,
        }
    }

    /// Its timer fired.
    pub(crate) fn on_timer(&mut self, context: &mut Context<'_>) {
        match &self.state {
            State::Inviting(_) => self.on_ring_time_over(context),
            State::Cancelling(_) => self.on_cancel_unanswered(context),
            State::Alerting(_) => self.on_alerting_timer(context),
            State::Unacknowledged(_) => self.on_unacknowledged_timer(context),
            State::Confirmed(_) | State::Leaving { .. } | State::Over => {}
        }
    }

    /// Ends the call, whatever its state: CANCEL, BYE or a refusal (RFC 3261 9, 15).
    pub(crate) fn hang_up(&mut self, context: &mut Context<'_>) -> Result<(), CallError> {
        match &self.state {
            State::Inviting(_) => {
                self.tell_ended(context, Party::Local, Ending::Cancelled, Cause::default());
                self.give_up(context, None);
                Ok(())
            }
            State::Alerting(_) => self.reject(context, 603, None, &[]),
            State::Unacknowledged(answered) if answered.is_leaving() => Err(CallError::WrongState),
            State::Unacknowledged(_) => {
                self.tell_ended(context, Party::Local, Ending::HungUp, Cause::default());
                self.leave_once_acknowledged();
                Ok(())
            }
            State::Confirmed(_) => {
                self.tell_ended(context, Party::Local, Ending::HungUp, Cause::default());
                self.leave(context);
                Ok(())
            }
            State::Cancelling(_) | State::Leaving { .. } | State::Over => {
                Err(CallError::WrongState)
            }
        }
    }

    fn tell_ended(&self, context: &mut Context<'_>, by: Party, how: Ending, cause: Cause) {
        context.events.push_back(Event::Ended {
            call: self.id,
            by,
            how,
            cause,
        });
    }

    /// Sends the ACK of a 2xx through the dialog that it set up (RFC 3261 13.2.2.4), with the
    /// credentials of its INVITE (22.1). False where it cannot be written.
    fn acknowledge(
        &self,
        context: &mut Context<'_>,
        client: Handle,
        dialog: &Dialog,
        invite: &[u8],
    ) -> bool {
        stray::acknowledge(context.layer, client, dialog, invite)
    }

    /// Whether a request of the peer comes from a host whose word counts: one that we spoke to.
    fn believes(&self, from: Flow, spoken_to: [Flow; 2]) -> bool {
        spoken_to
            .iter()
            .any(|flow| self.sources.believe(from.remote.ip(), flow.remote.ip()))
    }
}
