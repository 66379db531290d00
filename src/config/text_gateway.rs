//! `[text_gateway.NAME]`: the providers that take texts by HTTP.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::secret::{self, Secret, fits_line};
use super::show::{self, Shown};
use super::text_callback;
use crate::dialplan::words::{is_name, is_sender};
use crate::document::{Fault, Section};
use crate::sms::{Auth, Body, HttpLine, Method, Success, Target};

const METHODS: [(&str, Method); 3] = [
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("GET", Method::Get),
];
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_CONNECTIONS: u16 = 16;
const DEFAULT_MOST_MESSAGES: u8 = 4;

/// A gateway, and what of it is text no more once it is read.
#[derive(Debug, Clone)]
pub struct TextGateway {
    /// The gateway.
    pub line: HttpLine,
    /// The template of its body, as written.
    body: Option<String>,
}

pub(super) fn read(root: &Section<'_>, folder: &Path) -> BTreeMap<Arc<str>, TextGateway> {
    root.named("text_gateway")
        .iter()
        .filter_map(|section| gateway(section, folder))
        .map(|gateway| (Arc::clone(&gateway.line.name), gateway))
        .collect()
}

/// One gateway; `None` if it has a fault that leaves none, which is noted.
fn gateway(section: &Section<'_>, folder: &Path) -> Option<TextGateway> {
    if !is_name(section.name()) {
        let fault = Fault::new(section.place(), "this is not a text gateway's name");
        section.fault(fault.help("use letters, digits, `-` and `_`, at most 64"));
    }
    let target = target(section);
    let method = section.read("method", "\"POST\", \"PUT\" or \"GET\"", |text| {
        let known = METHODS.iter().find(|(name, _)| *name == text);
        known.map(|(_, method)| *method)
    });
    let method = method.map_or(Method::Post, |at| at.value);
    let (body, written) = match body(section) {
        Some((body, written)) => (Some(body), Some(written)),
        None => (None, None),
    };
    if method == Method::Get && body.is_some() {
        let fault = Fault::new(section.place_of("json"), "a GET has no body");
        section.fault(fault.help("put ${to} and ${words} into the query of `url`, or use POST"));
    }
    let auth = auth(section, folder);
    let ca_file = section.text("ca_file", "the path of a PEM file, in quotes");
    let sender = section.read(
        "sender",
        "who texts are from: a name of up to 11 letters, a short code, or a number with its plus sign",
        |text| is_sender(text).then(|| Arc::<str>::from(text)),
    );
    let success = success(section);
    let id_pointer = section.read(
        "id_pointer",
        "a JSON pointer in quotes, as in \"/messages/0/id\"",
        pointer,
    );
    let callback = text_callback::read(section, folder, fits_header);
    let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
    let timeout = section.duration("timeout", seconds(1, 60));
    let rate = section.integer("rate", 1..=10_000);
    let connections = section.integer("connections", 1..=256);
    let most_messages = section.integer("most_messages", 1..=20);
    let mut line = HttpLine {
        name: section.name().into(),
        method,
        target: target?,
        body,
        headers: headers(section),
        auth: auth?,
        ca_file: ca_file.map(|at| folder.join(at.value)),
        sender: sender.map_or_else(|| "".into(), |at| at.value),
        success,
        id_pointer: id_pointer.map(|at| at.value),
        callback,
        timeout: timeout.map_or(DEFAULT_TIMEOUT, |at| at.value),
        rate: rate.map(|at| at.value as u32),
        connections: connections.map_or(DEFAULT_CONNECTIONS, |at| at.value as u16),
        most_messages: most_messages.map_or(DEFAULT_MOST_MESSAGES, |at| at.value as u8),
    };
    for (_, value) in &mut line.headers {
        value.set_sensitive(true);
    }
    Some(TextGateway {
        line,
        body: written,
    })
}

fn target(section: &Section<'_>) -> Option<Target> {
    let wanted = "an address in quotes, as in \"https://api.example.net/messages\"";
    let Some(text) = section.text("url", wanted) else {
        if section.place_of("url") == section.place() {
            let fault = Fault::new(section.place(), "this text gateway has no `url`");
            section.fault(fault.help("add url = \"where the provider takes texts\""));
        }
        return None;
    };
    match Target::parse(text.value) {
        Ok(target) => Some(target),
        Err(error) => {
            let fault = Fault::new(text.place, error.to_string());
            section.fault(fault.help(format!("write {wanted}")));
            None
        }
    }
}

/// The body, and its template as written.
fn body(section: &Section<'_>) -> Option<(Body, String)> {
    let json = section.text(
        "json",
        "a JSON document in quotes, with ${to} and ${words} in it",
    );
    let form = section.text("form", "a form in quotes, as in \"To=${to}&Body=${words}\"");
    let (text, read): (_, fn(&str) -> _) = match (json, form) {
        (Some(_), Some(form)) => {
            let fault = Fault::new(form.place, "`form` and `json` are both given");
            section.fault(fault.help("keep one of them"));
            return None;
        }
        (Some(json), None) => (json, Body::json),
        (None, Some(form)) => (form, Body::form),
        (None, None) => return None,
    };
    match read(text.value) {
        Ok(body) => Some((body, text.value.to_owned())),
        Err(error) => {
            section.fault(Fault::new(text.place, error.to_string()));
            None
        }
    }
}

fn headers<N, V>(section: &Section<'_>) -> Vec<(N, V)>
where
    N: for<'t> TryFrom<&'t str>,
    V: for<'t> TryFrom<&'t str>,
{
    let wanted = "headers in quotes, as in [\"X-Channel: otp\"]";
    let mut headers = Vec::new();
    for text in section.any_texts("headers", wanted).into_iter().flatten() {
        let read = text.value.split_once(':').and_then(|(name, value)| {
            let name = N::try_from(name.trim()).ok()?;
            Some((name, V::try_from(value.trim()).ok()?))
        });
        match read {
            Some(header) => headers.push(header),
            None => section
                .fault(Fault::new(text.place, "this is no header").help(format!("write {wanted}"))),
        }
    }
    headers
}

/// How we prove who we are; `None` if that is faulty.
fn auth(section: &Section<'_>, folder: &Path) -> Option<Auth> {
    let way = section.read("auth", "\"basic\", \"bearer\" or \"header\"", |text| {
        matches!(text, "basic" | "bearer" | "header").then(|| text.to_owned())
    });
    let user = section.read("user", "the user's name in quotes", |text| {
        (fits_line(text) && !text.contains(':')).then(|| text.to_owned())
    });
    let header = section.read(
        "auth_header",
        "the name of a header in quotes, as in \"X-Api-Key\"",
        |text| text.parse().ok(),
    );
    let secret = secret::read(section, "secret", "secret_file", folder, fits_header);
    let Some(way) = way else {
        let absent = |key| section.place_of(key) == section.place();
        for key in ["user", "auth_header", "secret", "secret_file"] {
            if !absent(key) && absent("auth") {
                let text = format!("`{key}` is given without `auth`");
                let fault = Fault::new(section.place_of(key), text);
                section.fault(fault.help("add auth = \"basic\", \"bearer\" or \"header\""));
            }
        }
        return absent("auth").then_some(Auth::None);
    };
    let missing = |key: &str| {
        let text = format!("`auth` needs `{key}`");
        let fault = Fault::new(way.place.clone(), text);
        section.fault(fault.help(format!("add `{key}`")));
    };
    let secret = match secret {
        Secret::Given(secret) => Some(secret),
        Secret::Faulty => None,
        Secret::Absent => {
            missing("secret_file");
            None
        }
    };
    match way.value.as_str() {
        "basic" => {
            if user.is_none() && section.place_of("user") == section.place() {
                missing("user");
            }
            Some(Auth::Basic {
                user: user?.value,
                password: secret?,
            })
        }
        "bearer" => Some(Auth::Bearer(secret?)),
        _ => {
            if header.is_none() && section.place_of("auth_header") == section.place() {
                missing("auth_header");
            }
            Some(Auth::Header(header?.value, secret?))
        }
    }
}

/// What can stand in a header: visible ASCII and spaces (RFC 9110 5.5).
fn fits_header(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

fn success(section: &Section<'_>) -> Option<Success> {
    let wanted = "a JSON pointer in quotes, as in \"/status\"";
    let at = section.read("success_pointer", wanted, pointer);
    let wanted =
        "what stands there if the text was taken, in quotes, or a list: \"ok\", [\"0\", \"1\"]";
    let values = section.texts("success_values", wanted);
    match (at, values) {
        (Some(at), Some(values)) => Some(Success {
            pointer: at.value,
            values: values.iter().map(|at| at.value.to_owned()).collect(),
        }),
        (None, None) => None,
        (there, _) => {
            let (there, missing) = match there {
                Some(_) => ("success_pointer", "success_values"),
                None => ("success_values", "success_pointer"),
            };
            if section.place_of(missing) == section.place() {
                let text = format!("`{there}` is given without `{missing}`");
                let fault = Fault::new(section.place_of(there), text);
                section.fault(fault.help(format!("add `{missing}`, or remove `{there}`")));
            }
            None
        }
    }
}

/// RFC 6901 3.
fn pointer(text: &str) -> Option<String> {
    text.starts_with('/').then(|| text.to_owned())
}

pub(super) fn show(gateway: &TextGateway) -> Shown {
    let line = &gateway.line;
    let method = METHODS.iter().find(|(_, method)| *method == line.method);
    let (auth, user, header) = match &line.auth {
        Auth::None => (None, None, None),
        Auth::Basic { user, .. } => (Some("basic"), Some(user.clone()), None),
        Auth::Bearer(_) => (Some("bearer"), None, None),
        Auth::Header(name, _) => (Some("header"), None, Some(name.to_string())),
    };
    let form = line.body.as_ref().is_some_and(Body::is_form);
    let body = |wanted: bool| gateway.body.clone().filter(|_| form == wanted);
    // A header may be a secret too.
    let headers: Vec<String> = line
        .headers
        .iter()
        .map(|(name, _)| format!("{name}: ********"))
        .collect();
    let success = line.success.as_ref();
    let shown = Shown::new(format!("text_gateway.{}", line.name))
        .with("url", line.target.shown())
        .with("method", method.map(|(name, _)| *name))
        .with("json", body(false))
        .with("form", body(true))
        .with("headers", headers)
        .with("auth", auth)
        .with("user", user)
        .with("auth_header", header)
        .with("secret", auth.map(|_| "********"))
        .with("ca_file", line.ca_file.as_deref().map(show::path))
        .with("sender", (!line.sender.is_empty()).then_some(&*line.sender))
        .with("success_pointer", success.map(|s| s.pointer.clone()))
        .with("success_values", success.map(|s| s.values.clone()))
        .with("id_pointer", line.id_pointer.clone())
        .with("timeout", show::duration(line.timeout))
        .with("rate", line.rate)
        .with("connections", line.connections)
        .with("most_messages", line.most_messages);
    text_callback::show(line.callback.as_ref(), shown)
}
