//! Voice: the gateway that turns a call order into SIP and RTP, and what it heard into a report.

pub mod keys;
pub mod media;
pub mod order;
mod policy;
pub mod script;
mod trunk;

pub use policy::CallPolicy;
pub use trunk::{Credentials, Trunk};
