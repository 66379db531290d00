//! SMPP 3.4 and 5.0, sans-IO: what a verification engine needs to send codes by text and to learn
//! what became of them.
//!
//! - [`pdu`]: borrowed views over PDUs, and writers.
//! - [`session`]: one bind to a message centre: window, timers, pace, correlation.
//! - [`text`]: alphabets, counting, splitting and joining.
//! - [`receipt`]: delivery receipts in their dialects, joined to what was sent.
//! - [`centre`]: the message centre's side, for the sandbox and for tests.

pub mod centre;
pub mod pdu;
pub mod receipt;
pub mod session;
pub mod text;
