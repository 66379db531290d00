//! SIP: message, transaction, dialog, digest, call and endpoint (RFC 3261), sans-IO.

pub mod call;
pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod message;
pub mod transaction;
