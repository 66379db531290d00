//! What can be wrong with a message.

use super::Name;

/// Why bytes are no SIP message at all: nothing can be answered, the datagram is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Only line breaks or zeros: a keep-alive (RFC 5626 3.5.1), not a fault.
    #[error("a keep-alive, no message")]
    KeepAlive,
    /// The bytes end before the empty line that ends the header.
    #[error("the message ends inside its header")]
    Truncated,
    /// The first line is neither a request line nor a status line.
    #[error("the first line is neither a request nor a status line")]
    StartLine,
    /// A status code outside 100 to 699.
    #[error("the status code is not within 100 to 699")]
    StatusCode,
    /// A line of the header has no name or no colon, or the name is no token.
    #[error("a header line is not `name: value`")]
    HeaderLine,
    /// A carriage return that ends no line.
    #[error("a carriage return inside a line")]
    BareCarriageReturn,
    /// Start line and header are longer than [`MAX_HEAD`](super::MAX_HEAD).
    #[error("the header is longer than {} octets", super::MAX_HEAD)]
    HeadTooLong,
    /// More header fields than [`MAX_HEADERS`](super::MAX_HEADERS).
    #[error("more than {} header fields", super::MAX_HEADERS)]
    TooManyHeaders,
}

/// What is wrong with a message that could be split into its fields. A request is answered with
/// [`status`](Fault::status), a response is dropped. Its text quotes nothing of the message, so
/// it may go into a reason phrase or a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not SIP/2.0.
    #[error("Version not supported")]
    Version,
    /// Superfluous white space in the request line.
    #[error("Malformed request line")]
    RequestLine,
    /// The Request-URI is none, or has header fields in it (RFC 3261 19.1.1).
    #[error("Malformed Request-URI")]
    RequestUri,
    /// A field that must be there is not.
    #[error("Missing {0} header field")]
    Missing(Name),
    /// A field that may stand once stands twice.
    #[error("Repeated {0} header field")]
    Repeated(Name),
    /// A field whose value breaks its grammar.
    #[error("Malformed {0} header field")]
    Malformed(Name),
    /// CSeq names another method than the request line (RFC 3261 8.1.1.5).
    #[error("CSeq method does not match the request")]
    MethodMismatch,
    /// Content-Length promises more than the datagram holds (RFC 3261 18.3).
    #[error("Body shorter than Content-Length")]
    BodyTruncated,
}

impl Fault {
    /// The status code that answers a request with this fault.
    pub const fn status(self) -> u16 {
        match self {
            Fault::Version => 505,
            _ => 400,
        }
    }
}

/// Why a piece of text is no URI, address, Via or CSeq; quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub(super) &'static str);
