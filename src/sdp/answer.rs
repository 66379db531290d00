//! Our answer to another side's offer (RFC 3264 6).

use std::fmt::{self, Write};
use std::net::SocketAddr;

use super::{Description, RemoteAudio, SdpError, SessionId, write_audio, write_head};
use crate::audio::Codec;

/// An answer. Its `Display` is the description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    sdp: String,
    remote: RemoteAudio,
}

impl Answer {
    /// Answers an offer: its first plain RTP audio with the first codec of its that is among
    /// `codecs`, telephone events where it has them and `events` says so, every other media
    /// refused (an answer has as many as its offer). An offer that holds gets its counterpart.
    ///
    /// An error is what a 488 Not Acceptable Here answers.
    pub fn new(
        offer: &Description,
        local: SocketAddr,
        codecs: &[Codec],
        events: bool,
        session: SessionId,
    ) -> Result<Answer, SdpError> {
        if local.ip().is_unspecified() || local.port() == 0 {
            return Err(SdpError::NoLocalAddress);
        }
        let (chosen, media) = offer.audio()?;
        let addr = media.address()?;
        let codec = media
            .codecs()
            .find(|(_, codec)| codecs.contains(codec))
            .ok_or(SdpError::NoCodec)?;
        let mut remote = RemoteAudio::new(addr, media, codec);
        remote.event = media.event().filter(|_| events);
        remote.add_payload(codec.0, codec.1);

        let mut sdp = String::with_capacity(320);
        write_head(&mut sdp, session, local.ip());
        for (at, media) in offer.media.iter().enumerate() {
            if at == chosen {
                write_audio(
                    &mut sdp,
                    local.port(),
                    &media.transport,
                    &[codec],
                    remote.event,
                    media.direction.reversed(),
                );
            } else {
                let format = media.formats.first().map_or("0", String::as_str);
                // Writing to a String does not fail.
                let _ = write!(sdp, "m={} 0 {} {format}\r\n", media.kind, media.transport);
            }
        }
        Ok(Answer { sdp, remote })
    }

    /// The description.
    pub fn as_str(&self) -> &str {
        &self.sdp
    }

    /// The other side's end of the stream.
    pub const fn remote(&self) -> &RemoteAudio {
        &self.remote
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sdp)
    }
}
