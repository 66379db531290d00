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

/// Slots of the table that [`Name::parse`] probes; more than three times the names.
const SLOTS: usize = 256;

const fn slot(name: &[u8]) -> usize {
    let length = name.len();
    if length == 0 {
        return 0;
    }
    let first = (name[0] | 0x20) as usize;
    let middle = (name[length / 2] | 0x20) as usize;
    let last = (name[length - 1] | 0x20) as usize;
    (first * 7 + middle * 31 + last * 3 + length * 13) % SLOTS
}

/// Open addressing: a name stands at its slot or in one of the next until an empty one.
const TABLE: [Option<Name>; SLOTS] = {
    let mut table = [None; SLOTS];
    let mut i = 0;
    while i < Name::ALL.len() {
        let mut at = slot(Name::ALL[i].as_str().as_bytes());
        while table[at].is_some() {
            at = (at + 1) % SLOTS;
        }
        table[at] = Some(Name::ALL[i]);
        i += 1;
    }
    table
};

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
        if let [letter] = name {
            let letter = letter.to_ascii_lowercase().checked_sub(b'a')?;
            return COMPACT.get(usize::from(letter)).copied().flatten();
        }
        let mut at = slot(name);
        while let Some(candidate) = TABLE[at % SLOTS] {
            if candidate.as_str().as_bytes().eq_ignore_ascii_case(name) {
                return Some(candidate);
            }
            at += 1;
        }
        None
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
        for unknown in ["", "q", "X-Custom", "Vi", "Viaa", "1", "\u{e9}", "Froms"] {
            assert_eq!(Name::parse(unknown.as_bytes()), None, "{unknown}");
        }
    }

    #[test]
    fn probes_stay_short() {
        for name in Name::ALL {
            let start = slot(name.as_str().as_bytes());
            let probes = (0..SLOTS)
                .find(|step| TABLE[(start + step) % SLOTS] == Some(*name))
                .unwrap_or(SLOTS);
            assert!(probes < 6, "{name} is {probes} probes away");
        }
    }
}
