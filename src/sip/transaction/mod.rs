//! Transactions.
mod client_invite;
mod client_non_invite;
mod server_invite;
mod server_non_invite;
mod slab;
mod timers;
mod timing;
