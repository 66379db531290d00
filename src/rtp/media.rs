//! What the payload types of a stream's packets mean.

use crate::audio::Codec;

/// What the session description says about the packets that come: any payload type that was agreed
/// on may come at any time (RFC 3264 5.1), so a phone may change its codec within a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Media {
    audio: [Option<(u8, Codec)>; 4],
    events: [Option<u8>; 2],
}

impl Media {
    /// One codec by its payload type, and that of telephone events where they were agreed on.
    pub fn new(payload_type: u8, codec: Codec, event: Option<u8>) -> Media {
        let media = Media::default().with_audio(payload_type, codec);
        event.map_or(media, |event| media.with_event(event))
    }

    /// And another codec. The first meaning of a payload type stays; beyond four, others are not
    /// heard.
    #[must_use]
    pub fn with_audio(mut self, payload_type: u8, codec: Codec) -> Media {
        let known = self.codec_of(payload_type).is_some() || self.is_event(payload_type);
        if let Some(place) = self
            .audio
            .iter_mut()
            .find(|place| place.is_none() && !known)
        {
            *place = Some((payload_type, codec));
        }
        self
    }

    /// And another payload type for telephone events; beyond two, others are not heard.
    #[must_use]
    pub fn with_event(mut self, payload_type: u8) -> Media {
        let known = self.codec_of(payload_type).is_some() || self.is_event(payload_type);
        if let Some(place) = self
            .events
            .iter_mut()
            .find(|place| place.is_none() && !known)
        {
            *place = Some(payload_type);
        }
        self
    }

    /// The codec of that payload type.
    pub fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        let mut audio = self.audio.iter().flatten();
        audio
            .find(|(known, _)| *known == payload_type)
            .map(|(_, codec)| *codec)
    }

    /// Whether that payload type is a telephone event's.
    pub fn is_event(&self, payload_type: u8) -> bool {
        self.events.contains(&Some(payload_type))
    }

    /// Whether telephone events were agreed on.
    pub fn has_events(&self) -> bool {
        self.events.iter().any(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_meaning_of_a_payload_type_stays_and_the_rest_is_bounded() {
        let mut media = Media::new(0, Codec::Pcmu, Some(101))
            .with_audio(0, Codec::Pcma)
            .with_audio(101, Codec::Pcma)
            .with_audio(8, Codec::Pcma)
            .with_event(8)
            .with_event(96);
        for more in 110..120 {
            media = media.with_audio(more, Codec::Pcma).with_event(more + 10);
        }
        assert_eq!(media.codec_of(0), Some(Codec::Pcmu));
        assert_eq!(media.codec_of(8), Some(Codec::Pcma));
        assert_eq!(media.codec_of(101), None);
        assert_eq!(media.codec_of(111), Some(Codec::Pcma));
        assert_eq!(media.codec_of(112), None);
        let events: Vec<u8> = (0..=127).filter(|p| media.is_event(*p)).collect();
        assert_eq!(events, [96, 101]);
        assert!(media.has_events() && !Media::new(0, Codec::Pcmu, None).has_events());
    }
}
