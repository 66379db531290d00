//! SMPP 3.4 and 5.0: PDUs, the session of a bind, texts and receipts, sans-IO.

pub mod centre;
pub mod pdu;
pub mod receipt;
pub mod session;
pub mod text;
