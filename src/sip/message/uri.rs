//! URIs: sip, sips, tel, and any other scheme kept as it is (RFC 3261 19.1, RFC 3966).

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use super::fault::Malformed;
use super::host::{Host, host_port};
use super::list::Elements;
use super::params::{Param, Params};
use super::text::{PercentDecoded, percent_decode, trim, unfold};

/// The scheme of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Another; only the text of such a URI is kept.
    Other(&'a str),
}

/// A URI. `Debug` shows scheme, host and port, never the user part: it may be a phone number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    text: &'a str,
    scheme: Scheme<'a>,
    user: Option<&'a str>,
    host: Option<Host<'a>>,
    port: Option<u16>,
    params: Params<'a>,
    headers: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// From text without white space, quotes or angle brackets around or in it.
    pub fn parse(text: &'a str) -> Result<Uri<'a>, Malformed> {
        let bad = Malformed("URI");
        let (scheme, rest) = scheme(text).ok_or(bad)?;
        if rest.is_empty() {
            return Err(bad);
        }
        let uri = Uri {
            text,
            scheme,
            user: None,
            host: None,
            port: None,
            params: Params::default(),
            headers: None,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.sip(rest),
            Scheme::Tel => uri.tel(rest),
            Scheme::Other(_) if is_clean(rest.as_bytes()) => Ok(uri),
            Scheme::Other(_) => Err(bad),
        }
    }

    /// The rest of a sip or sips URI. The user part may hold `;`, `?` and `/`, so the `@` is
    /// looked for first; it cannot stand unescaped anywhere else.
    fn sip(mut self, mut rest: &'a str) -> Result<Uri<'a>, Malformed> {
        let bad = Malformed("URI");
        if let Some(at) = memchr::memchr(b'@', rest.as_bytes()) {
            let user = rest.get(..at).ok_or(bad)?;
            if user.is_empty() || user.starts_with(':') || !is_clean(user.as_bytes()) {
                return Err(bad);
            }
            self.user = Some(user);
            rest = rest.get(at + 1..).ok_or(bad)?;
        }
        let (host, port, tail) = host_port(rest)?;
        self.host = Some(host);
        self.port = port;
        if tail.is_empty() {
            return Ok(self);
        }
        if !is_clean(tail) || tail.contains(&b'@') {
            return Err(bad);
        }
        let mut params = tail;
        if let Some(question) = memchr::memchr(b'?', tail) {
            params = tail.get(..question).ok_or(bad)?;
            self.headers = rest.get(rest.len() - tail.len() + question + 1..);
        }
        self.params = Params::parse(params).map_err(|_| bad)?;
        Ok(self)
    }

    /// The rest of a tel URI: digits and visual separators, then parameters (RFC 3966 3).
    fn tel(mut self, rest: &'a str) -> Result<Uri<'a>, Malformed> {
        let bad = Malformed("URI");
        let end = memchr::memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let (number, params) = rest.split_at_checked(end).ok_or(bad)?;
        let digits = number.strip_prefix('+').unwrap_or(number);
        let sound = !digits.is_empty()
            && digits.bytes().all(|b| {
                b.is_ascii_hexdigit() || matches!(b, b'-' | b'.' | b'(' | b')' | b'*' | b'#')
            });
        if !sound || !is_clean(params.as_bytes()) {
            return Err(bad);
        }
        self.user = Some(number);
        self.params = Params::parse(params.as_bytes()).map_err(|_| bad)?;
        Ok(self)
    }

    /// The whole URI as written.
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }

    /// The user part as written, without a password; the number of a tel URI.
    pub fn user(&self) -> Option<&'a str> {
        match self.scheme {
            // Parameters of a telephone subscriber may hold colons, before a password may not.
            Scheme::Sip | Scheme::Sips => self
                .user
                .map(|u| u.split_once(':').map_or(u, |(user, _)| user)),
            _ => self.user,
        }
    }

    /// The user part with its percent escapes taken away.
    pub fn user_decoded(&self) -> Option<Cow<'a, str>> {
        self.user().map(percent_decode)
    }

    /// The password behind the user part, as written; deprecated by RFC 3261 19.1.1.
    pub fn password(&self) -> Option<&'a str> {
        match self.scheme {
            Scheme::Sip | Scheme::Sips => self.user?.split_once(':').map(|(_, p)| p),
            _ => None,
        }
    }

    /// The host of a sip or sips URI.
    pub const fn host(&self) -> Option<Host<'a>> {
        self.host
    }

    /// The port, if written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// A parameter by its name in any case, percent-escaped or not.
    pub fn param(&self, name: &str) -> Option<Param<'a>> {
        self.params.get_escaped(name)
    }

    /// The header fields behind `?`, as written.
    pub const fn headers(&self) -> Option<&'a str> {
        self.headers
    }

    /// The elements of a header field behind `?` by its name in any case, their percent escapes
    /// taken away (RFC 3261 19.1.1). An escaped comma parts elements too, since the field that it
    /// becomes part of would be read so.
    pub fn header_elements(&self, name: &str) -> Vec<String> {
        let fields = self.headers.unwrap_or_default().split('&');
        fields
            .filter_map(|field| field.split_once('='))
            .filter(|(field, _)| percent_decode(field).eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| {
                let value = percent_decode(value);
                Elements::new(value.as_bytes())
                    .map(|element| unfold(trim(element)).into_owned())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Whether it is the URI of a loose router: `;lr`, whatever its value (RFC 3261 16.12).
    pub fn is_loose_route(&self) -> bool {
        self.param("lr").is_some()
    }

    /// Where to send without a look-up: the address of a URI that holds one, `maddr` first, with
    /// its port or 5060 (5061 for sips) (RFC 3263 4).
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let host = match self.param("maddr").and_then(|p| p.value) {
            Some(maddr) => Host::parse(maddr).ok()?,
            None => self.host?,
        };
        let port = self.port.unwrap_or(match self.scheme {
            Scheme::Sips => 5061,
            _ => 5060,
        });
        Some(SocketAddr::new(host.ip()?, port))
    }

    /// Whether two URIs are the same resource (RFC 3261 19.1.4). Schemes other than sip, sips and
    /// tel are compared as text.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        match self.scheme {
            Scheme::Other(_) => self.text == other.text,
            Scheme::Tel => {
                let digits = |number: Option<&str>| -> String {
                    number
                        .unwrap_or_default()
                        .chars()
                        .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
                        .map(|c| c.to_ascii_lowercase())
                        .collect()
                };
                digits(self.user) == digits(other.user)
                    && same_params(self.params, other.params, &["ext", "isub", "phone-context"])
            }
            Scheme::Sip | Scheme::Sips => {
                let same_user = match (self.user, other.user) {
                    (None, None) => true,
                    (Some(a), Some(b)) => {
                        PercentDecoded(a.as_bytes()).eq(PercentDecoded(b.as_bytes()))
                    }
                    _ => false,
                };
                let same_host = match (self.host, other.host) {
                    (Some(Host::Name(a)), Some(Host::Name(b))) => a.eq_ignore_ascii_case(b),
                    (a, b) => a == b,
                };
                same_user
                    && same_host
                    && self.port == other.port
                    && same_params(
                        self.params,
                        other.params,
                        &["user", "ttl", "method", "maddr", "transport"],
                    )
                    && same_headers(self.headers, other.headers)
            }
        }
    }
}

/// The scheme and what follows its colon.
fn scheme(text: &str) -> Option<(Scheme<'_>, &str)> {
    // Nearly all are sip.
    if let Some((sip, rest)) = text.split_at_checked(4)
        && sip.eq_ignore_ascii_case("sip:")
    {
        return Some((Scheme::Sip, rest));
    }
    let (name, rest) = text.split_once(':')?;
    let scheme = if name.eq_ignore_ascii_case("sips") {
        Scheme::Sips
    } else if name.eq_ignore_ascii_case("tel") {
        Scheme::Tel
    } else {
        // RFC 3986 3.1.
        let sound = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        sound.then_some(Scheme::Other(name))?
    };
    Some((scheme, rest))
}

/// Whether there is no white space, control character, quote or angle bracket in it.
fn is_clean(text: &[u8]) -> bool {
    text.iter().all(|b| CLEAN[usize::from(*b)])
}

static CLEAN: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = !matches!(byte as u8, 0..=b' ' | b'"' | b'<' | b'>' | 0x7f);
        byte += 1;
    }
    table
};

/// Parameters in both must match; of those in one alone, only the `weighty` tell URIs apart.
fn same_params(a: Params<'_>, b: Params<'_>, weighty: &[&str]) -> bool {
    let one_way = |a: Params<'_>, b: Params<'_>| {
        a.iter().all(|param| {
            let name = percent_decode(param.name);
            match b.get_escaped(&name) {
                Some(twin) => match (param.value, twin.value) {
                    (Some(x), Some(y)) => {
                        percent_decode(x).eq_ignore_ascii_case(&percent_decode(y))
                    }
                    (x, y) => x == y,
                },
                None => !weighty.iter().any(|w| w.eq_ignore_ascii_case(&name)),
            }
        })
    };
    one_way(a, b) && one_way(b, a)
}

/// Most header fields of a URI that are compared one by one.
const MAX_URI_HEADERS: usize = 32;

/// Header fields of a URI are never left out of the comparison; their order does not count.
fn same_headers(a: Option<&str>, b: Option<&str>) -> bool {
    let one_way = |a: &str, b: &str| {
        a.split('&').all(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            b.split('&').any(|twin| {
                let (twin_name, twin_value) = twin.split_once('=').unwrap_or((twin, ""));
                percent_decode(name).eq_ignore_ascii_case(&percent_decode(twin_name))
                    && percent_decode(value) == percent_decode(twin_value)
            })
        })
    };
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) if a == b => true,
        (Some(a), Some(b)) => {
            let few = |text: &str| text.split('&').count() <= MAX_URI_HEADERS;
            few(a) && few(b) && one_way(a, b) && one_way(b, a)
        }
        _ => false,
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("scheme", &self.scheme)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_sip_uri() {
        let uri = Uri::parse("sips:alice:pw@[2001:db8::9]:5071;transport=tcp;lr=on?subject=hi")
            .expect("sound");
        assert_eq!(uri.scheme(), Scheme::Sips);
        assert_eq!(uri.user(), Some("alice"));
        assert_eq!(uri.password(), Some("pw"));
        assert_eq!(uri.port(), Some(5071));
        assert_eq!(
            uri.socket_addr(),
            Some("[2001:db8::9]:5071".parse().expect("an address"))
        );
        assert!(uri.is_loose_route());
        assert_eq!(uri.param("TRANSPORT").and_then(|p| p.value), Some("tcp"));
        assert_eq!(uri.headers(), Some("subject=hi"));
        let bare = Uri::parse("SIP:example.com").expect("sound");
        assert_eq!((bare.user(), bare.port()), (None, None));
        assert_eq!(bare.socket_addr(), None);
    }

    #[test]
    fn odd_users() {
        let uri = Uri::parse("sip:user;par=u%40example.net@example.com").expect("sound");
        assert_eq!(uri.user(), Some("user;par=u%40example.net"));
        assert_eq!(
            uri.user_decoded().as_deref(),
            Some("user;par=u@example.net")
        );
        let uri = Uri::parse("sip:%00@h").expect("sound");
        assert_eq!(uri.user_decoded().as_deref(), Some("\0"));
        let uri = Uri::parse("sip:+1-212-555-1212:1234@gw.example;user=phone").expect("sound");
        assert_eq!(uri.user(), Some("+1-212-555-1212"));
    }

    #[test]
    fn header_fields_behind_the_question_mark() {
        let uri = Uri::parse("sip:a@x?subject=b%26c&to=%22a%2Cb%22%3Bd%2C%20e,f&TO=g&to").unwrap();
        assert_eq!(uri.header_elements("Subject"), ["b&c"]);
        assert_eq!(uri.header_elements("To"), ["\"a,b\";d", "e", "f", "g"]);
        assert!(uri.header_elements("Reason").is_empty());
        let none = Uri::parse("sip:a@x").unwrap();
        assert!(none.header_elements("To").is_empty());
    }

    #[test]
    fn tel_and_other_schemes() {
        let uri = Uri::parse("tel:+44-20-7946-0123;phone-context=example.com").expect("sound");
        assert_eq!(uri.scheme(), Scheme::Tel);
        assert_eq!(uri.user(), Some("+44-20-7946-0123"));
        assert!(uri.host().is_none() && uri.params().has("phone-context"));
        let uri = Uri::parse("urn:service:sos").expect("sound");
        assert_eq!(uri.scheme(), Scheme::Other("urn"));
    }

    #[test]
    fn what_is_no_uri() {
        for bad in [
            "",
            "sip",
            "sip:",
            ":a@b",
            "<sip:a@b>",
            "sip:a@b c",
            "sip:a@b; lr",
            "sip:@b",
            "sip:a@",
            "sip:a@b:",
            "sip:a@b:0",
            "sip:a@b:99999",
            "sip:a@b@c",
            "sip:a@b;;x",
            "sip:a@[::1",
            "tel:",
            "tel:+",
            "tel:hello",
            "sip:a\r\n@b",
            "sip:a\"@b",
            "1sip:a@b",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_number() {
        let uri = Uri::parse("sip:+442079460123@example.com").expect("sound");
        assert!(!format!("{uri:?}").contains("7946"));
    }

    /// The examples of RFC 3261 19.1.4.
    #[test]
    fn equivalence() {
        let same = |a, b| {
            let a = Uri::parse(a).expect("sound");
            let b = Uri::parse(b).expect("sound");
            assert_eq!(a.is_equivalent(&b), b.is_equivalent(&a));
            a.is_equivalent(&b)
        };
        assert!(same(
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp"
        ));
        assert!(same(
            "sip:carol@chicago.com",
            "sip:carol@chicago.com;newparam=5"
        ));
        assert!(same(
            "sip:carol@chicago.com;newparam=5",
            "sip:carol@chicago.com;security=on"
        ));
        assert!(same(
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"
        ));
        assert!(same(
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x"
        ));
        assert!(!same(
            "SIP:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP"
        ));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
        assert!(!same(
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com;transport=udp"
        ));
        assert!(!same(
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp"
        ));
        assert!(!same(
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting"
        ));
        assert!(!same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
        assert!(!same("sip:a@b", "sips:a@b"));
        assert!(same("tel:+1-201-555-0123", "tel:+12015550123"));
        assert!(!same("tel:+12015550123;ext=22", "tel:+12015550123"));
    }
}
