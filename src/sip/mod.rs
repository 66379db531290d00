//! SIP: message, transaction, dialog, digest, call and endpoint (RFC 3261), sans-IO.

pub mod transaction;
