//! Texts: the binds to message centres, their sockets and queues.
//!
//! A [`Bind`] keeps one session to one message centre: it connects, binds, connects again, takes
//! orders from a bounded queue and reports what became of each. It never sends a text twice: one
//! whose answer is lost is reported as unknown.

mod bind;
mod config;
pub mod dispatch;
mod driver;
mod flight;
pub mod gateway;
mod http;
mod inbound;
pub mod order;
mod report;
pub mod routing;
pub mod sandbox;
mod tls;
pub mod wire;

pub use bind::{Bind, NotQueued, StartError};
pub use config::{BindConfig, SmppLine};
pub use http::{
    Auth, Body, Callback, CallbackError, CallbackFields, HttpLine, LARGEST_CALLBACK, Meaning,
    Method, Proof, Success, Target, TargetError, Template, TemplateError,
};
pub use report::{Batch, Report, Reporter, Reports, reports};
pub use tls::{Tls, TlsError};
