//! Transactions (RFC 3261 17, RFC 6026): a request and all responses to it, kept reliable over a
//! transport that is not. Each of the four kinds is a pure state machine in a file of its own;
//! [`Layer`] holds all transactions of an endpoint.

mod account;
mod client;
mod client_invite;
mod client_non_invite;
mod cookie;
mod derived;
mod fingerprint;
mod identity;
mod layer;
mod server;
mod server_invite;
mod server_non_invite;
mod slab;
mod timers;
mod timing;
mod transport;

pub use account::Account;
pub use layer::Counters;
pub use timing::Timing;
pub use transport::{Flow, Sources, Transmit, Transport};

pub(crate) use client::{Heard, NotBegun, Opening, Usage};
pub(crate) use cookie::Cookie;
pub(crate) use derived::{Answers, resend};
pub(crate) use identity::Identity;
pub(crate) use layer::{Layer, Owner};
pub(crate) use server::{Refusal, reason_phrase};
pub(crate) use slab::{Handle, Slab};
pub(crate) use timers::TimerId;
pub(crate) use timing::Backoff;
