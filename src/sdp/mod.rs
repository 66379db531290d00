//! SDP: the offer and answer of one audio stream (RFC 3264).
