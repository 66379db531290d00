//! `[trunk.NAME]`: the carriers that calls go through.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::secret::{self, Secret, fits_line};
use super::show::Shown;
use crate::audio::Codec;
use crate::dialplan::words::{is_caller_id, is_name};
use crate::document::{Fault, Section};
use crate::sip::transaction::Account;
use crate::voice::Trunk;

/// The proxy that stands for the sandbox phone, which comes with the program and has no address
/// before it runs.
pub const SANDBOX_PROXY: &str = "sandbox";
const DEFAULT_CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];
const DEFAULT_MAX_CALLS: usize = 1000;

/// The trunk that leads to the sandbox phone.
pub(super) fn sandbox() -> Trunk {
    Trunk {
        name: "sandbox".into(),
        proxy: SANDBOX_PROXY.into(),
        domain: host(SANDBOX_PROXY).into(),
        credentials: None,
        caller_id: None,
        codecs: DEFAULT_CODECS.to_vec(),
        latch: false,
        max_calls: DEFAULT_MAX_CALLS,
        plus: true,
    }
}

/// All trunks of a file; the sandbox if it has none.
pub(super) fn read(root: &Section<'_>, folder: &Path) -> BTreeMap<Arc<str>, Trunk> {
    let sections = root.named("trunk");
    if sections.is_empty() {
        let sandbox = sandbox();
        return BTreeMap::from([(Arc::clone(&sandbox.name), sandbox)]);
    }
    sections
        .iter()
        .filter_map(|section| trunk(section, folder))
        .map(|trunk| (Arc::clone(&trunk.name), trunk))
        .collect()
}

/// One trunk; `None` if it has a fault that leaves no trunk, which is noted.
fn trunk(section: &Section<'_>, folder: &Path) -> Option<Trunk> {
    let named = is_name(section.name());
    if !named {
        let fault = Fault::new(section.place(), "this is not a trunk's name");
        section.fault(fault.help("use letters, digits, `-` and `_`, at most 64"));
    }
    let proxy = section.read(
        "proxy",
        "the carrier's host or address, and its port if it is not 5060, as in \"sip.example.net\" or \
         \"192.0.2.9:5080\", without `sip:`",
        |text| is_host_port(text).then(|| Arc::<str>::from(text)),
    );
    if proxy.is_none() && section.place_of("proxy") == section.place() {
        let fault = Fault::new(section.place(), "this trunk has no `proxy`");
        section.fault(fault.help("add proxy = \"the carrier's host or address\""));
    }
    let domain = section.read(
        "domain",
        "a host without a port, as in \"sip.example.net\"",
        |text| is_host(text).then(|| Arc::<str>::from(text)),
    );
    let credentials = credentials(section, folder);
    let caller_id = section.read(
        "caller_id",
        "the number that the person sees, as in \"+442079460000\"",
        |text| is_caller_id(text).then(|| text.into()),
    );
    let latch = section.flag("latch").is_some_and(|at| at.value);
    let max_calls = section.integer("max_calls", 1..=100_000);
    let plus = section.flag("plus").is_none_or(|at| at.value);
    let codecs = codecs(section);
    let proxy = proxy?.value;
    Some(Trunk {
        name: section.name().into(),
        domain: domain.map_or_else(|| host(&proxy).into(), |at| at.value),
        proxy,
        credentials,
        caller_id: caller_id.map(|at| at.value),
        codecs,
        latch,
        max_calls: max_calls.map_or(DEFAULT_MAX_CALLS, |at| at.value as usize),
        plus,
    })
}

fn credentials(section: &Section<'_>, folder: &Path) -> Option<Arc<Account>> {
    let username = section.read(
        "username",
        "the user name of your account, in quotes",
        |text| fits_line(text).then(|| Arc::<str>::from(text)),
    );
    let password = secret::read(section, "password", "password_file", folder, fits_line);
    let realm = section.read(
        "realm",
        "the realm that the carrier names when it asks for your account, in quotes",
        |text| fits_line(text).then(|| Arc::<str>::from(text)),
    );
    if let Some(realm) = &realm
        && section.place_of("username") == section.place()
    {
        let fault = Fault::new(realm.place.clone(), "`realm` is given without `username`");
        section.fault(fault.help("add `username`, or remove `realm`"));
    }
    match (username, password) {
        (Some(username), Secret::Given(password)) => Some(Arc::new(Account {
            username: username.value,
            password,
            realm: realm.map(|at| at.value),
        })),
        (Some(_), Secret::Absent) => {
            let fault = Fault::new(
                section.place_of("username"),
                "`username` is given without `password`",
            );
            section.fault(fault.help("add `password`, or remove `username`"));
            None
        }
        (None, Secret::Given(_)) if section.place_of("username") == section.place() => {
            let there = match section.place_of("password") {
                place if place == section.place() => "password_file",
                _ => "password",
            };
            let text = format!("`{there}` is given without `username`");
            let fault = Fault::new(section.place_of(there), text);
            section.fault(fault.help(format!("add `username`, or remove `{there}`")));
            None
        }
        // Nothing is given, or a faulty value was complained of already.
        _ => None,
    }
}

fn codecs(section: &Section<'_>) -> Vec<Codec> {
    let wanted = "codecs, the best first: [\"PCMA\", \"PCMU\"]";
    let Some(texts) = section.texts("codecs", wanted) else {
        return DEFAULT_CODECS.to_vec();
    };
    let mut codecs = Vec::new();
    for text in texts {
        let named = DEFAULT_CODECS
            .into_iter()
            .find(|c| c.name().eq_ignore_ascii_case(text.value));
        let fault = match named {
            Some(codec) if codecs.contains(&codec) => {
                Fault::new(text.place, format!("{} is listed twice", codec.name()))
                    .help("remove one")
            }
            Some(codec) => {
                codecs.push(codec);
                continue;
            }
            None => {
                Fault::new(text.place, "there is no such codec").help(format!("write {wanted}"))
            }
        };
        section.fault(fault);
    }
    codecs
}

/// A host name, an IPv4 address, or an IPv6 address in brackets (RFC 3261 25.1).
pub(super) fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or("");
        return matches!(inner.parse(), Ok(IpAddr::V6(_)));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or("");
    // All digits at the end make an address (RFC 3696 2), which must be one.
    let address = last.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 253 && name.split('.').all(label) && (!address || text.parse::<IpAddr>().is_ok())
}

pub(super) fn is_host_port(text: &str) -> bool {
    let host = host(text);
    let port = text.get(host.len()..).unwrap_or("");
    let fits = match port.strip_prefix(':') {
        Some(port) => {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0)
        }
        None => port.is_empty(),
    };
    fits && is_host(host)
}

/// The part of `host:port` before the port.
pub(super) fn host(text: &str) -> &str {
    let after = text.rfind(']').unwrap_or(0);
    match text.get(after..).and_then(|rest| rest.find(':')) {
        Some(colon) => text.get(..after + colon).unwrap_or(text),
        None => text,
    }
}

pub(super) fn show(trunk: &Trunk) -> Shown {
    let codecs: Vec<&str> = trunk.codecs.iter().map(|c| c.name()).collect();
    let credentials = trunk.credentials.as_ref();
    Shown::new(format!("trunk.{}", trunk.name))
        .with("proxy", &*trunk.proxy)
        .with("domain", &*trunk.domain)
        .with("username", credentials.map(|c| &*c.username))
        .with("password", credentials.map(|_| "********"))
        .with("realm", credentials.and_then(|c| c.realm.as_deref()))
        .with("caller_id", trunk.caller_id.as_deref())
        .with("codecs", codecs)
        .with("latch", trunk.latch)
        .with("max_calls", trunk.max_calls)
        .with("plus", trunk.plus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        for (text, of) in [
            ("sip.example.net", "sip.example.net"),
            ("sip.example.net:5080", "sip.example.net"),
            ("192.0.2.9", "192.0.2.9"),
            ("192.0.2.9:5060", "192.0.2.9"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:5060", "[2001:db8::1]"),
            ("localhost:1", "localhost"),
            ("carrier_1.internal.", "carrier_1.internal."),
        ] {
            assert!(is_host_port(text), "{text}");
            assert_eq!(host(text), of);
            assert!(is_host(of), "{of}");
        }
        for text in [
            "",
            ":5060",
            "sip:example.net",
            "example.net:",
            "example.net:0",
            "example.net:65536",
            "example.net:+1",
            "192.0.2.256",
            "1.2.3",
            "-a.net",
            "a..net",
            "a b",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "2001:db8::1",
            "a/b",
            "user@example.net",
            "example.net;transport=tcp",
            "é.net",
        ] {
            assert!(!is_host_port(text), "{text}");
        }
        assert!(is_host_port(SANDBOX_PROXY));
    }
}
