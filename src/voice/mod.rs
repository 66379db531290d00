//! Voice: the gateway that turns a call order into SIP and RTP, and what it heard into a report.

pub mod calls;
pub mod carrier;
pub mod evidence;
pub mod gateway;
pub mod handset;
mod keypad;
pub mod keys;
pub mod machine;
pub mod media;
pub mod order;
mod policy;
pub mod script;
pub mod signalling;
mod trunk;
pub mod verdict;
pub mod wire;

pub use policy::{CallPolicy, OnMachine};
pub use trunk::Trunk;
