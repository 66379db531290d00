//! Phone numbers: E.164, kind, masking; what is not a direct-dial number is refused.
//!
//! A challenge proves that a person holds *one phone*. A number that reaches a switchboard and
//! then dials on (an extension, a pause, post-dial digits) proves nothing of the kind, so such
//! text never becomes a [`PhoneNumber`]. The text is read by our own strict reader first, which
//! leaves at most a plus sign and a bounded run of ASCII digits; only those reach libphonenumber.

mod error;
mod kind;
mod number;
mod region;
pub mod serial;
mod text;

pub use error::{Indirection, PhoneError};
pub use kind::NumberKind;
pub use number::PhoneNumber;
pub use region::{Region, UnknownRegion};
