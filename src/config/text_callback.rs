//! The receipts of a text gateway: the keys of `[text_gateway.NAME]` that begin with `receipt_`.

use std::path::Path;

use super::secret::{self, Secret};
use super::show::Shown;
use crate::document::{At, Fault, Section};
use crate::sms::{Callback, CallbackFields, Meaning, Proof};

const KEYS: [&str; 12] = [
    "receipt_auth_name",
    "receipt_secret",
    "receipt_secret_file",
    "receipt_list",
    "receipt_id",
    "receipt_status",
    "receipt_error",
    "receipt_delivered",
    "receipt_undeliverable",
    "receipt_accepted",
    "receipt_unknown",
    "receipt_auth",
];

/// The keys of what a provider's words mean.
const MEANINGS: [(&str, Meaning); 4] = [
    ("receipt_delivered", Meaning::Delivered),
    ("receipt_undeliverable", Meaning::Undeliverable),
    ("receipt_accepted", Meaning::Accepted),
    ("receipt_unknown", Meaning::Unknown),
];

/// How receipts are taken, if they are; what is faulty was noted.
pub(super) fn read(
    section: &Section<'_>,
    folder: &Path,
    fits: fn(&str) -> bool,
) -> Option<Callback> {
    let auth = section.read(
        "receipt_auth",
        "\"bearer\", \"header\", \"query\" or \"hmac\"",
        |text| matches!(text, "bearer" | "header" | "query" | "hmac").then(|| text.to_owned()),
    );
    let auth_name = section.text(
        "receipt_auth_name",
        "the name of a header or parameter in quotes, as in \"X-Signature\"",
    );
    let secret = secret::read(
        section,
        "receipt_secret",
        "receipt_secret_file",
        folder,
        fits,
    );
    let wanted = "a JSON pointer or the name of a form's field, in quotes: \"/id\", \"MessageSid\"";
    let place = |key| {
        section.read(key, wanted, |text| {
            (!text.is_empty()).then(|| text.to_owned())
        })
    };
    let (id, status, error) = (
        place("receipt_id"),
        place("receipt_status"),
        place("receipt_error"),
    );
    let list = section.read(
        "receipt_list",
        "a JSON pointer in quotes, as in \"/results\"",
        |text| text.starts_with('/').then(|| text.to_owned()),
    );
    let meanings = meanings(section);
    let absent = |key| section.place_of(key) == section.place();
    let Some(auth) = auth else {
        if let Some(key) = KEYS.into_iter().find(|key| !absent(key))
            && absent("receipt_auth")
        {
            let text = format!("`{key}` is given without `receipt_auth`");
            let fault = Fault::new(section.place_of(key), text);
            section.fault(fault.help(
                "add receipt_auth = \"bearer\", \"header\", \"query\" or \"hmac\": whoever can post \
                 receipts can say that texts arrived",
            ));
        }
        return None;
    };
    let missing = |key: &'static str| {
        if absent(key) {
            let text = format!("`receipt_auth` needs `{key}`");
            let fault = Fault::new(auth.place.clone(), text);
            section.fault(fault.help(format!("add `{key}`")));
        }
    };
    let secret = match secret {
        Secret::Given(secret) => Some(secret),
        Secret::Faulty => None,
        Secret::Absent => {
            missing("receipt_secret_file");
            None
        }
    };
    for key in ["receipt_id", "receipt_status", "receipt_delivered"] {
        missing(key);
    }
    if absent("id_pointer") {
        let fault = Fault::new(auth.place.clone(), "receipts need `id_pointer`");
        section.fault(fault.help(
            "say where the answer to a text names it: receipts are joined to texts by that name",
        ));
    }
    let proof = proof(section, &auth, auth_name, secret);
    let fields = fields(section, id?, status?, error, list);
    Some(Callback {
        proof: proof?,
        fields: fields?,
        meanings,
    })
}

fn proof(
    section: &Section<'_>,
    auth: &At<String>,
    name: Option<At<&str>>,
    secret: Option<zeroize::Zeroizing<String>>,
) -> Option<Proof> {
    if auth.value == "bearer" {
        return Some(Proof::Bearer(secret?));
    }
    let Some(name) = name else {
        if section.place_of("receipt_auth_name") == section.place() {
            let text = "`receipt_auth` needs `receipt_auth_name`";
            let fault = Fault::new(auth.place.clone(), text);
            section.fault(fault.help("name the header or parameter that holds it"));
        }
        return None;
    };
    if auth.value == "query" {
        return Some(Proof::Query(name.value.to_owned(), secret?));
    }
    let Ok(header) = name.value.parse() else {
        let fault = Fault::new(name.place, "this is not the name of a header");
        section.fault(fault.help("write a header's name in quotes, as in \"X-Signature\""));
        return None;
    };
    Some(match auth.value.as_str() {
        "header" => Proof::Header(header, secret?),
        _ => Proof::Hmac(header, secret?),
    })
}

/// JSON pointers or names of fields, not some of each.
fn fields(
    section: &Section<'_>,
    id: At<String>,
    status: At<String>,
    error: Option<At<String>>,
    list: Option<At<String>>,
) -> Option<CallbackFields> {
    let is_pointer = |at: &At<String>| at.value.starts_with('/');
    let json = is_pointer(&id);
    let others = [Some(&status), error.as_ref(), list.as_ref()];
    if let Some(other) = others
        .into_iter()
        .flatten()
        .find(|at| is_pointer(at) != json)
    {
        let text = "JSON pointers and names of a form's fields cannot be mixed";
        let fault = Fault::new(other.place.clone(), text);
        section.fault(fault.help("begin all of them with a slash, or none"));
        return None;
    }
    let (id, status, error) = (id.value, status.value, error.map(|at| at.value));
    Some(match json {
        true => CallbackFields::Json {
            list: list.map(|at| at.value),
            id,
            status,
            error,
        },
        false => CallbackFields::Form { id, status, error },
    })
}

fn meanings(section: &Section<'_>) -> Vec<(String, Meaning)> {
    let wanted =
        "what the provider writes, in quotes, or a list: \"delivered\", [\"sent\", \"queued\"]";
    let mut meanings: Vec<(String, Meaning)> = Vec::new();
    for (key, meaning) in MEANINGS {
        for word in section.texts(key, wanted).into_iter().flatten() {
            let known = |(known, _): &&(String, Meaning)| known.eq_ignore_ascii_case(word.value);
            if meanings
                .iter()
                .find(known)
                .is_some_and(|(_, of)| *of != meaning)
            {
                let text = "this word is given two meanings";
                let fault = Fault::new(word.place, text);
                section.fault(fault.help("name it under one of them"));
                continue;
            }
            meanings.push((word.value.to_owned(), meaning));
        }
    }
    meanings
}

pub(super) fn show(callback: Option<&Callback>, shown: Shown) -> Shown {
    let Some(callback) = callback else {
        return shown;
    };
    let (auth, name) = match &callback.proof {
        Proof::Bearer(_) => ("bearer", None),
        Proof::Header(name, _) => ("header", Some(name.to_string())),
        Proof::Query(name, _) => ("query", Some(name.clone())),
        Proof::Hmac(name, _) => ("hmac", Some(name.to_string())),
    };
    let (list, id, status, error) = match &callback.fields {
        CallbackFields::Json {
            list,
            id,
            status,
            error,
        } => (list.clone(), id, status, error),
        CallbackFields::Form { id, status, error } => (None, id, status, error),
    };
    let mut shown = shown
        .with("receipt_auth", auth)
        .with("receipt_auth_name", name)
        .with("receipt_secret", "********")
        .with("receipt_list", list)
        .with("receipt_id", id.clone())
        .with("receipt_status", status.clone())
        .with("receipt_error", error.clone());
    for (key, meaning) in MEANINGS {
        let words = callback.meanings.iter().filter(|(_, of)| *of == meaning);
        let words: Vec<String> = words.map(|(word, _)| word.clone()).collect();
        shown = shown.with(key, (!words.is_empty()).then_some(words));
    }
    shown
}
