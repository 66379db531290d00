//! `[bind.NAME]`: the message centres that texts go by.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::secret::{self, Secret};
use super::show::{self, Shown};
use super::trunk::{host, is_host, is_host_port};
use crate::dialplan::words::{is_name, is_sender};
use crate::document::{At, Fault, Section, resembling};
use crate::smpp::pdu::{BindKind, Status, Verdict, Version};
use crate::smpp::receipt::IdForm;
use crate::smpp::session;
use crate::smpp::text::{Concatenation, DefaultAlphabet, Language, Style};
use crate::sms::{BindConfig, SmppLine, Tls};

/// The address that stands for the sandbox message centre, which comes with the program and has no
/// port before it runs.
pub const SANDBOX_CENTRE: &str = "sandbox";
const DEFAULT_PORT: u16 = 2775;
/// None is registered for SMPP over TLS; most carriers use this one.
const DEFAULT_TLS_PORT: u16 = 3550;
/// What the sandbox knows us by.
const SANDBOX_ACCOUNT: &str = "ringtrue";

const MODES: [(&str, BindKind); 3] = [
    ("transceiver", BindKind::Transceiver),
    ("transmitter", BindKind::Transmitter),
    ("receiver", BindKind::Receiver),
];
const VERSIONS: [(&str, Version); 3] = [
    ("3.3", Version::V33),
    ("3.4", Version::V34),
    ("5.0", Version::V50),
];
const ID_FORMS: [(&str, IdForm); 3] = [
    ("same", IdForm::Same),
    ("hex_then_decimal", IdForm::HexThenDecimal),
    ("decimal_then_hex", IdForm::DecimalThenHex),
];
const ALPHABETS: [(&str, DefaultAlphabet); 4] = [
    ("gsm", DefaultAlphabet::Gsm),
    ("gsm_packed", DefaultAlphabet::GsmPacked),
    ("latin1", DefaultAlphabet::Latin1),
    ("ascii", DefaultAlphabet::Ascii),
];
const CONCATENATIONS: [(&str, Concatenation); 4] = [
    ("header8", Concatenation::Header8),
    ("header16", Concatenation::Header16),
    ("sar", Concatenation::Sar),
    ("payload", Concatenation::Payload),
];
const LANGUAGES: [(&str, Language); 3] = [
    ("turkish", Language::Turkish),
    ("spanish", Language::Spanish),
    ("portuguese", Language::Portuguese),
];
const VERDICTS: [(&str, Verdict); 3] = [
    ("retry", Verdict::Retry),
    ("fail_over", Verdict::FailOver),
    ("give_up", Verdict::GiveUp),
];

/// The bind that leads to the sandbox message centre.
pub(super) fn sandbox() -> SmppLine {
    let account = session::Config::new(SANDBOX_ACCOUNT, SANDBOX_ACCOUNT);
    let mut bind = BindConfig::new(SANDBOX_CENTRE, SANDBOX_CENTRE, account);
    bind.sender = "Ringtrue".to_owned();
    SmppLine { bind, sessions: 1 }
}

/// All binds of a file; the sandbox if it has neither binds nor, `alone`, HTTP gateways.
pub(super) fn read(root: &Section<'_>, folder: &Path, alone: bool) -> BTreeMap<Arc<str>, SmppLine> {
    let sections = root.named("bind");
    if sections.is_empty() && alone {
        let sandbox = sandbox();
        return BTreeMap::from([(Arc::clone(&sandbox.bind.name), sandbox)]);
    }
    sections
        .iter()
        .filter_map(|section| bind(section, folder))
        .map(|line| (Arc::clone(&line.bind.name), line))
        .collect()
}

/// One bind; `None` if it has a fault that leaves no bind, which is noted.
fn bind(section: &Section<'_>, folder: &Path) -> Option<SmppLine> {
    if !is_name(section.name()) {
        let fault = Fault::new(section.place(), "this is not a bind's name");
        section.fault(fault.help("use letters, digits, `-` and `_`, at most 64"));
    }
    let tls = tls(section, folder);
    let address = section.read(
        "address",
        "the message centre's host or address, and its port if it is not 2775, or 3550 with TLS, as in \
         \"smpp.example.net:2776\"",
        |text| is_host_port(text).then(|| text.to_owned()),
    );
    if address.is_none() && section.place_of("address") == section.place() {
        let fault = Fault::new(section.place(), "this bind has no `address`");
        section.fault(fault.help("add address = \"the message centre's host and port\""));
    }
    let sandbox = address
        .as_ref()
        .is_some_and(|at| at.value == SANDBOX_CENTRE);
    let session = account(section, folder, sandbox);
    let mut bind = BindConfig::new(
        section.name(),
        address
            .as_ref()
            .map_or_else(String::new, |at| with_port(&at.value, tls.is_some())),
        session.unwrap_or_else(|| session::Config::new("", "")),
    );
    bind.tls = tls;
    behaviour(section, &mut bind);
    bind.style = style(section);
    let sessions = section
        .integer("sessions", 1..=64)
        .map_or(1, |at| at.value as u16);
    // The cap is the account's: its sessions share it.
    let rate = section.integer("rate", 1..=100_000);
    bind.session.rate = rate.map(|at| at.value as f64 / f64::from(sessions));
    address?;
    Some(SmppLine { bind, sessions })
}

/// Who binds, and how; `None` if that is faulty.
fn account(section: &Section<'_>, folder: &Path, sandbox: bool) -> Option<session::Config> {
    let system_id = section.read(
        "system_id",
        "the system id of your account, in quotes, at most 63 characters",
        |text| fits_field(text).then(|| text.to_owned()),
    );
    if system_id.is_none() && !sandbox && section.place_of("system_id") == section.place() {
        let fault = Fault::new(section.place(), "this bind has no `system_id`");
        section.fault(fault.help("add the system id that the carrier gave you"));
    }
    let password = secret::read(section, "password", "password_file", folder, fits_field);
    if matches!(password, Secret::Absent)
        && !sandbox
        && section.place_of("system_id") != section.place()
    {
        let fault = Fault::new(section.place(), "this bind has no `password`");
        section.fault(
            fault.help("add `password_file` with the path of a file that holds it on one line"),
        );
    }
    let password = match (password, sandbox) {
        (Secret::Given(password), _) => Some(password),
        (Secret::Absent, true) => Some(SANDBOX_ACCOUNT.to_owned().into()),
        _ => None,
    };
    let system_id = system_id.map(|at| at.value);
    let system_id = system_id.or_else(|| sandbox.then(|| SANDBOX_ACCOUNT.to_owned()));
    let mut session = session::Config::new("", "");
    session.kind = choice(section, "mode", &MODES, session.kind);
    session.version = choice(section, "version", &VERSIONS, session.version);
    let system_type = section.read("system_type", "at most 12 characters in quotes", |text| {
        (text.len() <= 12 && is_ascii(text)).then(|| text.to_owned())
    });
    session.system_type = system_type.map_or_else(String::new, |at| at.value);
    session.window = section
        .integer("window", 1..=10_000)
        .map_or(session.window, |at| at.value as u16);
    let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
    session.response = section
        .duration("response_time", seconds(1, 120))
        .map_or(session.response, |at| at.value);
    session.session_init = session.response;
    session.enquire_link = section
        .duration("enquire_link", seconds(1, 3600))
        .map_or(session.enquire_link, |at| at.value);
    if !section.is_off("inactivity") {
        let at = section.duration("inactivity", seconds(1, 86_400));
        session.inactivity = at.map(|at| at.value);
    }
    session.verdicts = verdicts(section);
    session.system_id = system_id?;
    session.password = password?;
    Some(session)
}

/// What this carrier's statuses mean where that differs from the usual.
fn verdicts(section: &Section<'_>) -> Vec<(Status, Verdict)> {
    let wanted = "statuses by number or name, as in [\"0x45\", \"ESME_RSUBMITFAIL\"]";
    let mut verdicts: Vec<(Status, Verdict)> = Vec::new();
    for (key, verdict) in VERDICTS {
        for text in section.any_texts(key, wanted).into_iter().flatten() {
            let fault = match status(text.value) {
                Some(status) if verdicts.iter().any(|(known, _)| *known == status) => {
                    Fault::new(text.place, "this status is listed twice").help("remove one")
                }
                Some(status) => {
                    verdicts.push((status, verdict));
                    continue;
                }
                None => Fault::new(text.place, "this is no status of a refusal")
                    .help(format!("write {wanted}")),
            };
            section.fault(fault);
        }
    }
    verdicts
}

fn status(text: &str) -> Option<Status> {
    let named = Status::ALL.iter().find(|s| s.name() == Some(text)).copied();
    let number = || match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    named
        .or_else(|| number().map(Status))
        .filter(|status| *status != Status::OK)
}

fn tls(section: &Section<'_>, folder: &Path) -> Option<Tls> {
    let on = section.flag("tls").is_some_and(|at| at.value);
    let ca_file = section.text("ca_file", "the path of a PEM file, in quotes");
    let server_name = section.read(
        "server_name",
        "the host name in the message centre's certificate, in quotes",
        |text| is_host(text).then(|| Arc::<str>::from(text)),
    );
    if on {
        return Some(Tls {
            ca_file: ca_file.map(|at| folder.join(at.value)),
            server_name: server_name.map(|at| at.value),
        });
    }
    for (key, there) in [
        ("ca_file", ca_file.is_some()),
        ("server_name", server_name.is_some()),
    ] {
        if there {
            let fault = Fault::new(
                section.place_of(key),
                format!("`{key}` goes with tls = true"),
            );
            section.fault(fault.help(format!("add tls = true, or remove `{key}`")));
        }
    }
    None
}

fn behaviour(section: &Section<'_>, bind: &mut BindConfig) {
    let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
    let sender = section.read(
        "sender",
        "who texts are from: a name of up to 11 letters, a short code, or a number with its plus sign",
        |text| is_sender(text).then(|| text.to_owned()),
    );
    bind.sender = sender.map_or_else(String::new, |at| at.value);
    let service_type = section.read("service_type", "at most 5 characters in quotes", |text| {
        (text.len() <= 5 && is_ascii(text)).then(|| text.to_owned())
    });
    bind.service_type = service_type.map_or_else(String::new, |at| at.value);
    bind.receipts = section
        .flag("receipts")
        .map_or(bind.receipts, |at| at.value);
    bind.validity = section
        .flag("validity")
        .map_or(bind.validity, |at| at.value);
    bind.id_form = choice(section, "id_form", &ID_FORMS, bind.id_form);
    bind.connect = section
        .duration("connect_time", seconds(1, 60))
        .map_or(bind.connect, |at| at.value);
    bind.attempts = section
        .integer("attempts", 1..=100)
        .map_or(bind.attempts, |at| at.value as u32);
}

fn style(section: &Section<'_>) -> Style {
    let default = Style::default();
    let wanted = "languages in quotes: \"turkish\", \"spanish\", \"portuguese\"";
    let mut languages = Vec::new();
    for text in section.any_texts("languages", wanted).into_iter().flatten() {
        match LANGUAGES.iter().find(|(name, _)| *name == text.value) {
            Some((_, language)) if !languages.contains(language) => languages.push(*language),
            Some(_) => {
                let fault = Fault::new(text.place, format!("{} is listed twice", text.value));
                section.fault(fault.help("remove one"));
            }
            None => {
                let fault = Fault::new(text.place, "there are no tables of such a language");
                section.fault(fault.help(format!("write {wanted}")));
            }
        }
    }
    Style {
        default_alphabet: choice(section, "alphabet", &ALPHABETS, default.default_alphabet),
        default_coding: section
            .integer("data_coding", 0..=255)
            .map_or(default.default_coding, |at| at.value as u8),
        concatenation: choice(
            section,
            "concatenation",
            &CONCATENATIONS,
            default.concatenation,
        ),
        languages,
        most_messages: section
            .integer("most_messages", 1..=20)
            .map_or(default.most_messages, |at| at.value as u8),
        plain_punctuation: section
            .flag("plain_punctuation")
            .map_or(default.plain_punctuation, |at| at.value),
    }
}

/// One of a few words.
fn choice<T: Copy>(
    section: &Section<'_>,
    key: &'static str,
    words: &[(&'static str, T)],
    default: T,
) -> T {
    let names: Vec<String> = words
        .iter()
        .map(|(word, _)| format!("\"{word}\""))
        .collect();
    let wanted = format!("one of {}", names.join(", "));
    let Some(At { value, place }) = section.text(key, &wanted) else {
        return default;
    };
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == value) {
        return *value;
    }
    let fault = Fault::new(place, format!("`{key}` cannot be this text"));
    let help = match resembling(value, words.iter().map(|(word, _)| *word)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write {wanted}"),
    };
    section.fault(fault.help(help));
    default
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> Option<&'static str> {
    words
        .iter()
        .find(|(_, known)| known == value)
        .map(|(word, _)| *word)
}

/// The address with its port; the sandbox has none yet.
fn with_port(address: &str, tls: bool) -> String {
    if address == SANDBOX_CENTRE || host(address).len() < address.len() {
        return address.to_owned();
    }
    let port = if tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
    format!("{address}:{port}")
}

/// What can stand in a field of a bind (SMPP 3.4 5.2.1, 5.2.2; carriers hand out longer ones than
/// those allow).
fn fits_field(text: &str) -> bool {
    (1..=63).contains(&text.len()) && is_ascii(text)
}

fn is_ascii(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

pub(super) fn show(line: &SmppLine) -> Shown {
    let SmppLine { bind, sessions } = line;
    let session = &bind.session;
    let tls = bind.tls.as_ref();
    let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let statuses = |verdict: Verdict| -> Vec<String> {
        let listed = session.verdicts.iter().filter(|(_, v)| *v == verdict);
        listed
            .map(|(status, _)| format!("{:#x}", status.0))
            .collect()
    };
    let rate = session
        .rate
        .map(|rate| (rate * f64::from(*sessions)).round() as u64);
    let languages: Vec<&str> = bind
        .style
        .languages
        .iter()
        .filter_map(|language| word(&LANGUAGES, language))
        .collect();
    Shown::new(format!("bind.{}", bind.name))
        .with("address", &*bind.address)
        .with("tls", tls.is_some())
        .with(
            "ca_file",
            tls.and_then(|t| t.ca_file.as_deref()).map(show::path),
        )
        .with("server_name", tls.and_then(|t| t.server_name.as_deref()))
        .with("system_id", &*session.system_id)
        .with("password", "********")
        .with("system_type", set(&session.system_type))
        .with("mode", word(&MODES, &session.kind))
        .with("version", word(&VERSIONS, &session.version))
        .with("sessions", *sessions)
        .with("window", session.window)
        .with("rate", rate)
        .with("sender", set(&bind.sender))
        .with("service_type", set(&bind.service_type))
        .with("receipts", bind.receipts)
        .with("validity", bind.validity)
        .with("id_form", word(&ID_FORMS, &bind.id_form))
        .with("alphabet", word(&ALPHABETS, &bind.style.default_alphabet))
        .with("data_coding", bind.style.default_coding)
        .with(
            "concatenation",
            word(&CONCATENATIONS, &bind.style.concatenation),
        )
        .with("languages", languages)
        .with("most_messages", bind.style.most_messages)
        .with("plain_punctuation", bind.style.plain_punctuation)
        .with("connect_time", show::duration(bind.connect))
        .with("response_time", show::duration(session.response))
        .with("enquire_link", show::duration(session.enquire_link))
        .with(
            "inactivity",
            session.inactivity.map_or(false.into(), |limit| {
                serde_json::Value::from(show::duration(limit))
            }),
        )
        .with("attempts", bind.attempts)
        .with("retry", statuses(Verdict::Retry))
        .with("fail_over", statuses(Verdict::FailOver))
        .with("give_up", statuses(Verdict::GiveUp))
}
