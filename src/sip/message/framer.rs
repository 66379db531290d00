//! Messages out of a byte stream, TCP or TLS (RFC 3261 18.3, RFC 5626 3.5.1).

use super::{MAX_HEAD, Message, ParseError};

/// Most octets of a body on a stream.
pub const MAX_BODY: usize = 64 * 1024;

/// Cuts a byte stream into messages. It holds at most one message that is not complete.
#[derive(Default)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    /// Octets at the start that were handed out already.
    taken: usize,
    /// Octets behind these in which no end of a header was found.
    searched: usize,
}

/// What a stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'f> {
    /// The octets of one message.
    Message(&'f [u8]),
    /// A keep-alive of two line breaks, to be answered with one.
    Ping,
}

/// Why a stream cannot be read on: it is to be closed, for where the next message would begin is
/// not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// What came is no message.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Content-Length is missing, repeated or no number; on a stream it must be there.
    #[error("no sound Content-Length on a stream")]
    Length,
    /// A body longer than [`MAX_BODY`].
    #[error("a body longer than {MAX_BODY} octets")]
    BodyTooLong,
}

impl StreamFramer {
    /// One for a new stream.
    pub fn new() -> StreamFramer {
        StreamFramer::default()
    }

    /// Takes what was read; call [`next`](Self::next) until it gives `None` before the next.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// The next message or keep-alive that is complete.
    #[allow(clippy::should_implement_trait)] // It borrows from the framer: no iterator can.
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        if let [b'\r', b'\n', b'\r', b'\n', ..] = rest {
            self.skip(4);
            return Ok(Some(Frame::Ping));
        }
        // One line break alone answers a ping of ours, or is stray (RFC 3261 7.5). The start of
        // what may be a ping is waited for.
        if let [b'\r', b'\n', other, ..] = rest
            && *other != b'\r'
        {
            self.skip(2);
            return self.next();
        }
        if matches!(rest, [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r']) {
            return Ok(None);
        }
        let Some(head) = self.find_head() else {
            let rest = self.buffer.len() - self.taken;
            return match rest > MAX_HEAD {
                true => Err(ParseError::HeadTooLong.into()),
                false => Ok(None),
            };
        };
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let message = Message::parse(rest.get(..head).unwrap_or_default())?;
        let length = match message.content_length() {
            Ok(Some(length)) => length,
            Ok(None) | Err(_) => return Err(FrameError::Length),
        };
        if length > MAX_BODY {
            return Err(FrameError::BodyTooLong);
        }
        let end = self.taken + head + length;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let start = self.taken;
        self.taken = end;
        self.searched = 0;
        Ok(self.buffer.get(start..end).map(Frame::Message))
    }

    fn skip(&mut self, octets: usize) {
        self.taken += octets;
        self.searched = 0;
    }

    /// Octets up to the end of the empty line that ends the header, if it is there.
    fn find_head(&mut self) -> Option<usize> {
        let rest = self.buffer.get(self.taken..)?;
        let mut from = self.searched;
        while let Some(at) = memchr::memchr(b'\n', rest.get(from..)?) {
            let line_end = from + at;
            match rest.get(line_end + 1..)? {
                [b'\n', ..] => return Some(line_end + 2),
                [b'\r', b'\n', ..] => return Some(line_end + 3),
                // Whether an empty line follows is not known yet.
                [] | [b'\r'] => {
                    self.searched = line_end;
                    return None;
                }
                _ => from = line_end + 1,
            }
        }
        self.searched = rest.len();
        None
    }
}

impl std::fmt::Debug for StreamFramer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamFramer")
            .field("waiting_octets", &(self.buffer.len() - self.taken))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 3\r\n\r\nabc";
    const SECOND: &str = "SIP/2.0 200 OK\nContent-Length: 0\n\n";

    /// All frames when the stream comes in pieces of a size.
    fn frames(stream: &str, piece: usize) -> Result<Vec<String>, FrameError> {
        let mut framer = StreamFramer::new();
        let mut found = Vec::new();
        for piece in stream.as_bytes().chunks(piece) {
            framer.push(piece);
            while let Some(frame) = framer.next()? {
                found.push(match frame {
                    Frame::Message(octets) => String::from_utf8_lossy(octets).into_owned(),
                    Frame::Ping => "ping".to_owned(),
                });
            }
        }
        Ok(found)
    }

    #[test]
    fn any_pieces_give_the_same_frames() {
        let stream = format!("\r\n{FIRST}\r\n\r\n{SECOND}\r\n\r\n\r\n\r\n\r\n{FIRST}{FIRST}");
        for piece in 1..stream.len() {
            assert_eq!(
                frames(&stream, piece).expect("sound"),
                [FIRST, "ping", SECOND, "ping", "ping", FIRST, FIRST],
                "{piece}"
            );
        }
    }

    #[test]
    fn what_ends_a_stream() {
        let read = |text: &str| frames(text, 7).map(|f| f.len());
        assert_eq!(
            read("junk\r\n\r\n"),
            Err(FrameError::Parse(ParseError::StartLine))
        );
        assert_eq!(
            read("BYE sip:a SIP/2.0\r\nVia: x\r\n\r\n"),
            Err(FrameError::Length)
        );
        assert_eq!(
            read("BYE sip:a SIP/2.0\r\nl: x\r\n\r\n"),
            Err(FrameError::Length)
        );
        assert_eq!(
            read("BYE sip:a SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n"),
            Err(FrameError::Length)
        );
        assert_eq!(
            read("BYE sip:a SIP/2.0\r\nl: 65537\r\n\r\n"),
            Err(FrameError::BodyTooLong)
        );
        let long = format!("BYE sip:a SIP/2.0\r\nX: {}", "x".repeat(MAX_HEAD));
        assert_eq!(
            frames(&long, 1000),
            Err(FrameError::Parse(ParseError::HeadTooLong))
        );
        assert_eq!(read(&FIRST[..FIRST.len() - 1]), Ok(0));
    }
}
