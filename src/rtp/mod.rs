//! RTP: packet views, telephone events (RFC 4733), sequence and source handling.
