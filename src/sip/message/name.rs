//! Header field names: those we know, matched in any case and by their compact form.

use std::fmt;

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal $(, $compact:literal)?;)*) => {
        /// A header field name we know (the IANA registry, and `Diversion` and
        /// `Remote-Party-ID`, which carriers still send).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl Name {
            /// All of them.
            pub const ALL: &'static [Name] = &[$(Name::$variant,)*];

            /// The name as RFC 3261 spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Name::$variant => $text,)* }
            }

            /// The compact form (RFC 3261 7.3.3), a lower-case letter.
            pub const fn compact(self) -> Option<u8> {
                match self { $(Name::$variant => names!(@compact $($compact)?),)* }
            }
        }
    };
    (@compact) => { None };
    (@compact $compact:literal) => { Some($compact) };
}

names! {
    Accept = "Accept";
    AcceptContact = "Accept-Contact", b'a';
    AcceptEncoding = "Accept-Encoding";
    AcceptLanguage = "Accept-Language";
    AlertInfo = "Alert-Info";
    Allow = "Allow";
    AllowEvents = "Allow-Events", b'u';
    AuthenticationInfo = "Authentication-Info";
    Authorization = "Authorization";
    CallId = "Call-ID", b'i';
    CallInfo = "Call-Info";
    Contact = "Contact", b'm';
    ContentDisposition = "Content-Disposition";
    ContentEncoding = "Content-Encoding", b'e';
    ContentLanguage = "Content-Language";
    ContentLength = "Content-Length", b'l';
    ContentType = "Content-Type", b'c';
    CSeq = "CSeq";
    Date = "Date";
    Diversion = "Diversion";
    ErrorInfo = "Error-Info";
    Event = "Event", b'o';
    Expires = "Expires";
    From = "From", b'f';
    HistoryInfo = "History-Info";
    Identity = "Identity", b'y';
    InReplyTo = "In-Reply-To";
    Join = "Join";
    MaxForwards = "Max-Forwards";
    MimeVersion = "MIME-Version";
    MinExpires = "Min-Expires";
    MinSe = "Min-SE";
    Organization = "Organization";
    PAssertedIdentity = "P-Asserted-Identity";
    PCalledPartyId = "P-Called-Party-ID";
    PChargingVector = "P-Charging-Vector";
    PEarlyMedia = "P-Early-Media";
    PPreferredIdentity = "P-Preferred-Identity";
    Path = "Path";
    Priority = "Priority";
    Privacy = "Privacy";
    ProxyAuthenticate = "Proxy-Authenticate";
    ProxyAuthorization = "Proxy-Authorization";
    ProxyRequire = "Proxy-Require";
    RAck = "RAck";
    Reason = "Reason";
    RecordRoute = "Record-Route";
    ReferTo = "Refer-To", b'r';
    ReferredBy = "Referred-By", b'b';
    RejectContact = "Reject-Contact", b'j';
    RemotePartyId = "Remote-Party-ID";
    Replaces = "Replaces";
    ReplyTo = "Reply-To";
    RequestDisposition = "Request-Disposition", b'd';
    Require = "Require";
    RetryAfter = "Retry-After";
    Route = "Route";
    RSeq = "RSeq";
    Server = "Server";
    ServiceRoute = "Service-Route";
    SessionExpires = "Session-Expires", b'x';
    SipEtag = "SIP-ETag";
    SipIfMatch = "SIP-If-Match";
    Subject = "Subject", b's';
    SubscriptionState = "Subscription-State";
    Supported = "Supported", b'k';
    Timestamp = "Timestamp";
    To = "To", b't';
    Unsupported = "Unsupported";
    UserAgent = "User-Agent";
    UserToUser = "User-to-User";
    Via = "Via", b'v';
    Warning = "Warning";
    WwwAuthenticate = "WWW-Authenticate";
}

/// Slots of the table in which [`Name::parse`] looks a name up.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 9;
/// Found by trial: with it no two names fall on the same slot, or the table would not compile.
const MULTIPLIER: u64 = 0x2b00_b570_f93e_e7cd;

/// A name in the table: its first eight letters as [`key`] makes them, its text, and itself.
#[derive(Clone, Copy)]
struct Known {
    key: u64,
    text: &'static [u8],
    name: Name,
}

static TABLE: [Option<Known>; SLOTS] = {
    let mut table: [Option<Known>; SLOTS] = [None; SLOTS];
    let mut i = 0;
    while i < Name::ALL.len() {
        let name = Name::ALL[i];
        let text = name.as_str().as_bytes();
        let key = key(text, text.len());
        let slot = slot(key, text.len(), text[text.len() - 1]);
        assert!(
            table[slot].is_none(),
            "two names on one slot: try another multiplier"
        );
        table[slot] = Some(Known { key, text, name });
        i += 1;
    }
    table
};

/// The first eight octets of a name in lower case, zeros behind a shorter one. Two names whose
/// octets are those of tokens have the same key only if they are the same in some case.
const fn key(text: &[u8], length: usize) -> u64 {
    let raw = match text.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => {
            let mut raw = 0;
            let mut i = text.len();
            while i > 0 {
                i -= 1;
                raw = raw << 8 | text[i] as u64;
            }
            raw
        }
    };
    let mask = match length {
        0 => 0,
        1..8 => u64::MAX >> (64 - 8 * length),
        _ => u64::MAX,
    };
    (raw | 0x2020_2020_2020_2020) & mask
}

const fn slot(key: u64, length: usize, last: u8) -> usize {
    let mixed = key ^ (length as u64) << 40 ^ ((last | 0x20) as u64) << 48;
    (mixed.wrapping_mul(MULTIPLIER) >> (64 - SLOT_BITS)) as usize
}

/// The compact forms by letter.
const COMPACT: [Option<Name>; 26] = {
    let mut table = [None; 26];
    let mut i = 0;
    while i < Name::ALL.len() {
        if let Some(letter) = Name::ALL[i].compact() {
            table[(letter - b'a') as usize] = Some(Name::ALL[i]);
        }
        i += 1;
    }
    table
};

impl Name {
    /// The name that a header field name stands for, in any case, long or compact; `None` for
    /// one we do not know.
    pub fn parse(name: &[u8]) -> Option<Name> {
        Name::at_start(name, name.len())
    }

    /// The same for the name in the first `length` octets of a line: the octets behind it save
    /// putting short names together one by one.
    #[inline]
    pub(super) fn at_start(line: &[u8], length: usize) -> Option<Name> {
        if length == 1 {
            let letter = line.first()?.to_ascii_lowercase().checked_sub(b'a')?;
            return COMPACT.get(usize::from(letter)).copied().flatten();
        }
        let last = *line.get(length.checked_sub(1)?)?;
        let key = key(line, length);
        let known = TABLE.get(slot(key, length, last))?.as_ref()?;
        if known.key != key || known.text.len() != length {
            return None;
        }
        let (Some(rest), Some(known_rest)) = (line.get(8..length), known.text.get(8..)) else {
            return Some(known.name);
        };
        // Nearly all spell it as the RFC does.
        let same = rest == known_rest || rest.eq_ignore_ascii_case(known_rest);
        same.then_some(known.name)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_by_its_compact_form() {
        for name in Name::ALL {
            let text = name.as_str();
            assert_eq!(Name::parse(text.as_bytes()), Some(*name));
            assert_eq!(
                Name::parse(text.to_ascii_lowercase().as_bytes()),
                Some(*name)
            );
            assert_eq!(
                Name::parse(text.to_ascii_uppercase().as_bytes()),
                Some(*name)
            );
            if let Some(letter) = name.compact() {
                assert_eq!(Name::parse(&[letter]), Some(*name));
                assert_eq!(Name::parse(&[letter.to_ascii_uppercase()]), Some(*name));
            }
        }
        for unknown in [
            "",
            "q",
            "Vib",
            "Content-Lengtj",
            "Content-Kength",
            "Call-IE",
            "Call-I",
            "X-Custom",
            "Vi",
            "Viaa",
            "1",
            "\u{e9}",
            "Froms",
        ] {
            assert_eq!(Name::parse(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
