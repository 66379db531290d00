//! Why a call was not answered, and what the network said about it.

use std::time::Duration;

use crate::sip::message::{Message, Name};

/// Why an outgoing call was not answered, in the terms of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallFailure {
    /// The phone is in use: 486, 600.
    Busy,
    /// It could not be reached or nobody picked up: 408, 480, and 487 that we did not ask for.
    NoAnswer,
    /// It rang for the time we gave it.
    RingTimeLimit,
    /// The person or their phone refused: 603, 607, 608.
    Declined,
    /// There is no such number: 404, 410, 484, 485, 604.
    NoSuchNumber,
    /// The answer was to call elsewhere, which is never done: 300 to 399.
    Redirected,
    /// No media in common, or the offer was refused: 415, 488, 606.
    MediaIncompatible,
    /// Our credentials were refused, or asked for and we have none: 401, 407.
    CredentialsRefused,
    /// We may not make this call: 403.
    Forbidden,
    /// The server failed or is overloaded: 500 to 599.
    ServerFailure,
    /// Nothing came back in 64*T1 (timer B) or in the time it might ring, though it may be that
    /// something got there.
    NoResponse,
    /// The transport cannot reach the next hop.
    Unreachable,
    /// We have no room for the request that would go on with the call.
    Overloaded,
    /// The answer cannot be used: it sets up no dialog.
    Unusable,
    /// Any other refusal; the status says which.
    Refused,
}

impl CallFailure {
    /// What a final response of 300-699 means.
    pub const fn from_status(code: u16) -> CallFailure {
        match code {
            486 | 600 => CallFailure::Busy,
            408 | 480 | 487 => CallFailure::NoAnswer,
            603 | 607 | 608 => CallFailure::Declined,
            404 | 410 | 484 | 485 | 604 => CallFailure::NoSuchNumber,
            300..=399 => CallFailure::Redirected,
            415 | 488 | 606 => CallFailure::MediaIncompatible,
            401 | 407 => CallFailure::CredentialsRefused,
            403 => CallFailure::Forbidden,
            500..=599 => CallFailure::ServerFailure,
            _ => CallFailure::Refused,
        }
    }
}

/// What the Reason fields say (RFC 3326): the telephone network's cause and another SIP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cause {
    /// The cause value of ITU-T Q.850, 1 to 127: 16 normal, 17 busy, 19 no answer, 21 rejected...
    pub q850: Option<u8>,
    /// A SIP status, 200 where the call was answered elsewhere.
    pub sip: Option<u16>,
}

/// Most Reason values looked at.
pub(super) const MOST_REASONS: usize = 8;

/// One value of a Reason field (RFC 3326 2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Reason<'a> {
    protocol: &'a str,
    /// Of the protocol's own numbers.
    pub(super) cause: Option<u16>,
}

impl<'a> Reason<'a> {
    /// Reads `protocol;cause=number;text="..."`. Parameters that are malformed are passed over, and
    /// so is what a text says.
    pub(super) fn parse(value: &'a str) -> Reason<'a> {
        let mut is_quoted = false;
        let mut is_escaped = false;
        let mut parts = value
            .split(|c| {
                match c {
                    _ if is_escaped => is_escaped = false,
                    '\\' if is_quoted => is_escaped = true,
                    '"' => is_quoted = !is_quoted,
                    _ => return c == ';' && !is_quoted,
                }
                false
            })
            .map(str::trim);
        let protocol = parts.next().unwrap_or_default();
        let cause = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("cause"))
            .and_then(|(_, value)| value.trim().parse().ok());
        Reason { protocol, cause }
    }

    /// Whether it is of that protocol: `SIP`, `Q.850`.
    pub(super) fn is_of(&self, protocol: &str) -> bool {
        self.protocol.eq_ignore_ascii_case(protocol)
    }
}

impl Cause {
    /// What a message says.
    pub(crate) fn of(message: &Message<'_>) -> Cause {
        let mut found = Cause::default();
        for reason in message.list(Name::Reason).take(MOST_REASONS) {
            let reason = Reason::parse(&reason);
            if reason.is_of("Q.850") {
                let value = reason.cause.and_then(|value| u8::try_from(value).ok());
                found.q850 = found
                    .q850
                    .or(value.filter(|value| (1..=127).contains(value)));
            } else if reason.is_of("SIP") {
                found.sip = found
                    .sip
                    .or(reason.cause.filter(|value| (100..700).contains(value)));
            }
        }
        found
    }
}

/// After how long the peer would hear from us again; a day at most.
pub(crate) fn retry_after(message: &Message<'_>) -> Option<Duration> {
    let seconds = message.number(Name::RetryAfter).ok()??;
    Some(Duration::from_secs(u64::from(seconds.min(86_400))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_final_refusal_has_its_meaning() {
        for (codes, failure) in [
            (&[486, 600][..], CallFailure::Busy),
            (&[408, 480, 487], CallFailure::NoAnswer),
            (&[603, 607, 608], CallFailure::Declined),
            (&[404, 410, 484, 485, 604], CallFailure::NoSuchNumber),
            (&[300, 301, 302, 305, 380, 399], CallFailure::Redirected),
            (&[415, 488, 606], CallFailure::MediaIncompatible),
            (&[401, 407], CallFailure::CredentialsRefused),
            (&[403], CallFailure::Forbidden),
            (&[500, 502, 503, 504, 580, 599], CallFailure::ServerFailure),
            (
                &[400, 402, 405, 420, 482, 483, 491, 601, 699],
                CallFailure::Refused,
            ),
        ] {
            for code in codes {
                assert_eq!(CallFailure::from_status(*code), failure, "{code}");
            }
        }
    }

    #[test]
    fn reasons_and_patience() {
        let read = |fields: &str| {
            let text = format!("SIP/2.0 480 X\r\n{fields}\r\n");
            let message = Message::parse(text.as_bytes()).expect("sound");
            (Cause::of(&message), retry_after(&message))
        };
        let (cause, after) = read(
            "Reason: SIP ;cause=200 ;text=\"Call completed elsewhere\", Q.850; cause = 19\r\n\
             Retry-After: 18 (in a meeting);duration=60\r\n",
        );
        assert_eq!((cause.q850, cause.sip), (Some(19), Some(200)));
        assert_eq!(after, Some(Duration::from_secs(18)));
        let (cause, after) = read("Reason: Q.850;cause=0;x, q.850;cause=21, Q.850;cause=17\r\n");
        assert_eq!((cause.q850, cause.sip), (Some(21), None));
        assert_eq!(after, None);
        let (cause, _) = read("Reason: SIP;text=\"a \\\";cause=302\";cause=486\r\n");
        assert_eq!((cause.q850, cause.sip), (None, Some(486)));
        let (cause, after) =
            read("Reason: Q.850;cause=900, ;;=, SIP\r\nRetry-After: 4294967295\r\n");
        assert_eq!(cause, Cause::default());
        assert_eq!(after, Some(Duration::from_secs(86_400)));
    }
}
