//! What a stream has received, in numbers.

/// Counts over the life of one stream; each packet is counted in exactly one of the kinds, except
/// that `reordered` ones are `received` as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Statistics {
    /// Packets accepted: right source, negotiated payload type, first copy.
    pub received: u64,
    /// Packets that should have come and did not (RFC 3550 6.4.1, cumulative).
    pub lost: u64,
    /// Further copies of packets.
    pub duplicated: u64,
    /// Accepted packets that came after a later one.
    pub reordered: u64,
    /// Packets so late that their place had been filled.
    pub late: u64,
    /// Packets from an address other than the negotiated one; never heard.
    pub wrong_source: u64,
    /// Packets of a second SSRC while the first was still sending; never heard.
    pub foreign_ssrc: u64,
    /// Packets of a payload type that was not negotiated; never heard.
    pub wrong_payload_type: u64,
    /// Packets with a sequence number far from all others.
    pub stray: u64,
    /// Datagrams that are not RTP.
    pub not_rtp: u64,
    /// RTCP packets, which are ignored.
    pub control: u64,
    /// Telephone events above 15: no keys.
    pub other_events: u64,
    /// How often the SSRC changed or the sequence numbers restarted.
    pub source_changes: u64,
    /// Interarrival jitter (RFC 3550 6.4.1) in samples at 8 kHz, as far as the instants of arrival
    /// are known: a stream is read once every 20 ms.
    pub jitter: u32,
}
