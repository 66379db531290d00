//! Signs that a call does not go to the phone that was dialled.

use super::failure::{MOST_REASONS, Reason};
use crate::sip::message::{Address, Message, Name};

/// What a response says of a forwarding. A redirection (3xx) is not among them: it is a failure,
/// [`CallFailure::Redirected`](super::CallFailure::Redirected).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forwarding {
    /// 181 Call Is Being Forwarded.
    BeingForwarded,
    /// A Diversion field (RFC 5806).
    Diversion,
    /// A History-Info that tells of another party (RFC 7044, and RFC 4244 before it).
    HistoryInfo,
}

/// Which of them were told of already, so that each is told once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ForwardingsSeen {
    seen: [bool; 3],
}

impl ForwardingsSeen {
    /// Those that a response tells of first.
    pub(crate) fn look(&mut self, response: &Message<'_>, code: u16) -> Vec<Forwarding> {
        let signs = [
            (Forwarding::BeingForwarded, code == 181),
            (
                Forwarding::Diversion,
                !self.seen[1] && response.header(Name::Diversion).is_some(),
            ),
            (
                Forwarding::HistoryInfo,
                !self.seen[2] && tells_of_another(response),
            ),
        ];
        // `Vec::new` allocates nothing where there is nothing to tell.
        let mut news = Vec::new();
        for ((forwarding, is_so), seen) in signs.into_iter().zip(&mut self.seen) {
            if is_so && !*seen {
                *seen = true;
                news.push(forwarding);
            }
        }
        news
    }
}

/// Most entries of a history that are read.
const MOST_ENTRIES: usize = 32;

/// Whether a History-Info tells of a forwarding. An entry for every hop is usual, a registrar's
/// step from a number to the phone registered for it too (`rc`); neither leaves the person who
/// was dialled. What does: a change to another target (`mp`), a cause that RFC 4458 gives to
/// forwardings, a Reason of 3xx, or, from the time before `rc` and `mp`, another user at the end
/// than at the beginning.
fn tells_of_another(response: &Message<'_>) -> bool {
    let mut first = None;
    let mut last = None;
    let mut is_typed = false;
    for entry in response
        .addresses(Name::HistoryInfo)
        .take(MOST_ENTRIES)
        .flatten()
    {
        let params = entry.params();
        if params.has("mp") || entry.uri().param("cause").is_some() || is_redirected(&entry) {
            return true;
        }
        is_typed |= params.has("rc") || params.has("np");
        let user = entry.uri().user_decoded();
        if first.is_none() {
            first = user.clone();
        }
        last = user.or(last);
    }
    match (first, last) {
        (Some(first), Some(last)) if !is_typed => !is_same_user(&first, &last),
        _ => false,
    }
}

/// Whether the entry's escaped Reason (RFC 7044 5) holds a SIP cause of 300-399. The network's own
/// causes (`Q.850;cause=34`, no circuit) are no redirections.
fn is_redirected(entry: &Address<'_>) -> bool {
    entry
        .uri()
        .header_elements("Reason")
        .iter()
        .take(MOST_REASONS)
        .map(|reason| Reason::parse(reason))
        .any(|reason| reason.is_of("SIP") && matches!(reason.cause, Some(300..=399)))
}

/// Whether two users are one: the same text, or numbers that differ in their prefix alone, as
/// +44 20 7946 0000, 004420..., 020... do. Of another area or country they are two, however many
/// of the last digits are alike.
fn is_same_user(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
        || matches!((significant(a), significant(b)), (Some(x), Some(y))
            if x.ends_with(&y) || y.ends_with(&x))
}

/// The digits of a number without the zeros it begins with, where they are enough to tell it from
/// others.
fn significant(user: &str) -> Option<String> {
    const TELLING_DIGITS: usize = 8;
    let number = user.split(';').next().unwrap_or_default();
    if number.contains(char::is_alphabetic) {
        return None;
    }
    let digits = number.chars().filter(char::is_ascii_digit);
    let mut digits: String = digits.skip_while(|digit| *digit == '0').collect();
    // Mobile numbers of Mexico and Argentina have ten digits behind the country code and, as some
    // networks write them, a 1 or a 9 before these.
    if digits.len() == 13 && (digits.starts_with("521") || digits.starts_with("549")) {
        digits.remove(2);
    }
    (digits.len() >= TELLING_DIGITS).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(code: u16, fields: &str) -> Vec<Forwarding> {
        let text = format!("SIP/2.0 {code} X\r\n{fields}\r\n");
        let message = Message::parse(text.as_bytes()).expect("sound");
        let mut seen = ForwardingsSeen::default();
        let first = seen.look(&message, code);
        assert_eq!(seen.look(&message, code), [], "each is told once");
        first
    }

    #[test]
    fn plain_responses_tell_nothing() {
        assert_eq!(look(180, ""), []);
        assert_eq!(look(200, "Contact: <sip:x@y>\r\n"), []);
    }

    #[test]
    fn the_signs() {
        assert_eq!(look(181, ""), [Forwarding::BeingForwarded]);
        assert_eq!(
            look(200, "Diversion: <tel:+44123>;reason=no-answer\r\n"),
            [Forwarding::Diversion]
        );
        assert_eq!(
            look(
                181,
                "Diversion: <tel:+44123>\r\nHistory-Info: <sip:a@b>;index=1, <sip:c@d>;index=1.1;mp=1\r\n"
            ),
            [
                Forwarding::BeingForwarded,
                Forwarding::Diversion,
                Forwarding::HistoryInfo
            ]
        );
    }

    #[test]
    fn users_that_are_one_and_users_that_are_two() {
        for (a, b, same) in [
            ("alice", "Alice", true),
            ("+442079460000", "00442079460000", true),
            ("02079460000", "+44-20-7946-0000;phone-context=x", true),
            ("1234#442079460000", "+442079460000", true),
            ("+12125550123", "2125550123", true),
            ("+5215512345678", "+525512345678", true),
            ("+5215512345678", "5512345678", true),
            ("+5491112345678", "+541112345678", true),
            ("+5215512345678", "+521512345678", false),
            ("+12125550123", "+13125550123", false),
            ("2125550123", "3125550123", false),
            ("02079460000", "01079460000", false),
            ("+442079460000", "+492079460000", false),
            ("5550123", "+12125550123", false),
            ("00000000", "+12125550123", false),
            ("a12125550123", "b12125550123", false),
        ] {
            assert_eq!(is_same_user(a, b), same, "{a} {b}");
            assert_eq!(is_same_user(b, a), same, "{b} {a}");
        }
    }

    #[test]
    fn histories() {
        for (history, forwarded) in [
            ("<sip:+442079460000@x>;index=1", false),
            ("<sip:a@x>;index=1, <sip:a@192.0.2.4>;index=1.1;rc=1", false),
            (
                "<sip:a@x>;index=1, <sip:line7@192.0.2.4>;index=1.1;rc=1",
                false,
            ),
            ("<sip:a@x>;index=1, <sip:b@x>;index=1.1", true),
            (
                "<sip:+442079460000@x>;index=1, <sip:02079460000@gw>;index=1.1",
                false,
            ),
            (
                "<sip:+442079460000@x>;index=1, <sip:+442079460001@gw>;index=1.1",
                true,
            ),
            (
                "<sip:a@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:a@y>;index=1.1",
                true,
            ),
            (
                "<sip:a@x?Reason=SIP%3Bcause%3D486>;index=1, <sip:a@y>;index=1.1",
                false,
            ),
            (
                "<sip:a@x?Reason=Q.850%3Bcause%3D34>;index=1, <sip:a@y>;index=1.1",
                false,
            ),
            (
                "<sip:a@x?Reason=Q.850%3Bcause%3D16%2CSIP%3Bcause%3D302>;index=1, <sip:a@y>;index=1.1",
                true,
            ),
            (
                "<sip:a@x?Privacy=none&%72eason=sip%3B%63ause%20%3D%20302%3Btext%3D%22x%2Cy%22>;index=1",
                true,
            ),
            (
                "<sip:a@x?Reason=SIP%3Btext%3D%22a%2CSIP%3Bcause%3D302%22%3Bcause%3D486>;index=1",
                false,
            ),
            ("<sip:a@x?Reason=SIP%3Bcause%3D3>;index=1", false),
            ("<sip:a@x?Reason=SIP%3Bcause%3D30200>;index=1", false),
            (
                "<sip:a@x?Reason=SIP%3Bcause%3D487,SIP%3Bcause%3D301>;index=1",
                true,
            ),
            (
                "<sip:a@x>;index=1, <sip:vm@y;cause=486>;index=1.1;rc=1",
                true,
            ),
            ("garbage, <<>>", false),
        ] {
            let told = look(200, &format!("History-Info: {history}\r\n"));
            assert_eq!(told == [Forwarding::HistoryInfo], forwarded, "{history}");
        }
    }
}
