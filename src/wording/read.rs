//! Reading files of words.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::template::{Filling, Template};
use super::{
    AppHash, BUILT_IN, BUILT_IN_NAME, Brands, Domain, Mark, Own, Wording, WordingError, fits,
};
use crate::audio::Locale;
use crate::challenge::{Purpose, Tenant};
use crate::document::{At, Document, Fault, Faults, Place, Section};

/// The longest brand, in characters: a third of a message.
const LONGEST_BRAND: usize = 40;
/// The longest code, in the digit that is never narrower than another.
const LONGEST_CODE: &str = "0000000000";
/// The longest life of a challenge, in minutes.
const LONGEST_MINUTES: u64 = 10;

/// A template as it was read.
struct Read {
    place: Place,
    owner: Option<Tenant>,
    locale: Locale,
    purpose: Purpose,
    template: Template,
}

/// What a file says.
struct File {
    brands: Option<Brands>,
    tenants: HashMap<Tenant, Own>,
    texts: Vec<Read>,
}

/// The words of the program, and those of a file over them.
pub(super) fn wording(file: Option<(&str, &str)>, most_messages: u8) -> Result<Wording, Faults> {
    let built_in = self::file(BUILT_IN_NAME, BUILT_IN)?;
    let own = file
        .map(|(name, text)| self::file(name, text))
        .transpose()?;
    let usual = Brands {
        usual: "Ringtrue".into(),
        others: Vec::new(),
    };
    let mut wording = Wording {
        brands: built_in.brands.unwrap_or(usual),
        tenants: HashMap::new(),
        texts: HashMap::new(),
        locales: Vec::new(),
        most_messages: most_messages.max(1),
    };
    let mut read = built_in.texts;
    if let Some(own) = own {
        if let Some(brands) = own.brands {
            wording.brands = brands;
        }
        wording.tenants = own.tenants;
        read.extend(own.texts);
    }
    let mut faults = Faults::new();
    let mut places = HashMap::new();
    for Read {
        place,
        owner,
        locale,
        purpose,
        template,
    } in read
    {
        let texts = wording.texts.entry((owner.clone(), purpose)).or_default();
        let name = (owner, purpose, locale.clone());
        match texts.iter_mut().find(|(other, _)| *other == locale) {
            // A later file's words stand in the place of the earlier's.
            Some((_, words)) => *words = template,
            None => texts.push((locale, template)),
        }
        places.insert(name, place);
    }
    for ((owner, purpose, locale), place) in &places {
        check(
            &wording,
            owner.as_ref(),
            *purpose,
            locale,
            place,
            &mut faults,
        );
    }
    faults.check()?;
    let of = |purpose| -> BTreeSet<&str> {
        let texts = wording.texts.get(&(None, purpose)).into_iter().flatten();
        texts.map(|(locale, _)| locale.as_str()).collect()
    };
    let (sign_in, enrolment) = (of(Purpose::SignIn), of(Purpose::Enrolment));
    let all = sign_in.intersection(&enrolment).map(|l| Arc::from(*l));
    wording.locales = all.collect();
    Ok(wording)
}

/// Measures a template with everything that may fill it.
fn check(
    wording: &Wording,
    owner: Option<&Tenant>,
    purpose: Purpose,
    locale: &Locale,
    place: &Place,
    faults: &mut Faults,
) {
    let texts = wording
        .texts
        .get(&(owner.cloned(), purpose))
        .into_iter()
        .flatten();
    let Some((_, template)) = { texts }.find(|(other, _)| other == locale) else {
        return;
    };
    let brands_of = |own: Option<&Own>| {
        own.and_then(|own| own.brands.as_ref())
            .unwrap_or(&wording.brands)
            .clone()
    };
    // Everybody's words are also those of a tenant that has none of its own.
    let whose: Vec<(Option<&Tenant>, Brands, Option<&Mark>)> = match owner {
        Some(tenant) => {
            let own = wording.tenants.get(tenant);
            vec![(
                Some(tenant),
                brands_of(own),
                own.and_then(|own| own.mark.as_ref()),
            )]
        }
        None => std::iter::once((None, wording.brands.clone(), None))
            .chain(
                wording
                    .tenants
                    .iter()
                    .filter(|(tenant, _)| !has(wording, tenant, purpose, locale))
                    .map(|(tenant, own)| (Some(tenant), brands_of(Some(own)), own.mark.as_ref())),
            )
            .collect(),
    };
    for (tenant, brands, mark) in whose {
        for brand in brands.all() {
            let text = template.fill(Filling {
                code: LONGEST_CODE,
                brand,
                minutes: LONGEST_MINUTES,
                mark,
            });
            let Err(error) = fits(&text, mark, wording.most_messages) else {
                continue;
            };
            let whose = match tenant {
                Some(tenant) => format!(" for tenant `{tenant}`"),
                None => String::new(),
            };
            let code = LONGEST_CODE.len();
            let told = format!("{error}{whose}, with the brand \"{brand}\" and {code} digits");
            faults.push(Fault::new(place.clone(), told).help(shorter(&text, &error)));
            // One is enough: the others are too long for the same reason.
            return;
        }
    }
}

/// Whether a tenant has words of its own.
fn has(wording: &Wording, tenant: &Tenant, purpose: Purpose, locale: &Locale) -> bool {
    let texts = wording.texts.get(&(Some(tenant.clone()), purpose));
    texts
        .into_iter()
        .flatten()
        .any(|(other, _)| other == locale)
}

/// What to do about a text that is too long.
fn shorter(text: &str, error: &WordingError) -> String {
    use crate::smpp::text::Alphabet;
    let stranger = text
        .chars()
        .find(|c| Alphabet::DEFAULT.septets(*c).is_none());
    match (stranger, error) {
        (Some(c), WordingError::TooLong { .. }) => format!(
            "write it without `{}`, which GSM 03.38 lacks and for which a message holds 70 \
             characters instead of 160, or make it shorter, or raise `most_messages` in [text]",
            c.escape_debug()
        ),
        (None, WordingError::TooLong { .. }) => {
            "make it shorter, or raise `most_messages` in [text]".to_owned()
        }
        _ => "make it shorter, or leave the app_hash out".to_owned(),
    }
}

fn file(name: &str, text: &str) -> Result<File, Faults> {
    let document = Document::parse(name, text)?;
    let file = {
        let root = document.root();
        let brands = brands(&root);
        let tenants = root.named("tenant").iter().filter_map(tenant).collect();
        let mut texts = Vec::new();
        for section in root.list("text") {
            read_text(&section, &mut texts);
        }
        File {
            brands,
            tenants,
            texts,
        }
    };
    document.close()?;
    Ok(file)
}

const A_BRAND: &str = "a name of at most 40 characters, in quotes";

fn brand(section: &Section<'_>, at: At<&str>) -> Option<Arc<str>> {
    let fits = at.value.chars().count() <= LONGEST_BRAND && !at.value.contains(['{', '}']);
    if !fits {
        let fault = Fault::new(at.place, "this is no brand");
        section.fault(fault.help(format!("write {A_BRAND}, without braces")));
    }
    fits.then(|| at.value.into())
}

fn brands(section: &Section<'_>) -> Option<Brands> {
    let usual = section.text("brand", A_BRAND);
    let others = section.any_texts("brands", "names that a request may ask for, in quotes");
    let place = section.place_of("brands");
    let others: Option<Vec<Arc<str>>> = others.map(|others| {
        let read = others.into_iter().filter_map(|other| brand(section, other));
        read.collect()
    });
    match (usual.and_then(|usual| brand(section, usual)), others) {
        (Some(usual), others) => Some(Brands {
            usual,
            others: others.unwrap_or_default(),
        }),
        (None, Some(_)) => {
            let fault = Fault::new(place, "`brands` without a `brand`");
            section.fault(fault.help("add `brand`, which texts name unless a request asks"));
            None
        }
        (None, None) => None,
    }
}

fn tenant(section: &Section<'_>) -> Option<(Tenant, Own)> {
    let brands = brands(section);
    let web_otp = section.read("web_otp", "a domain, \"example.org\"", |text| {
        Domain::parse(text).ok()
    });
    let app_hash = section.read(
        "app_hash",
        "the 11 characters that Android's SMS Retriever knows the app by",
        |text| AppHash::parse(text).ok(),
    );
    let mark = match (web_otp, app_hash) {
        (Some(_), Some(both)) => {
            let fault = Fault::new(both.place, "both `web_otp` and `app_hash`");
            section.fault(
                fault.help("keep the one that most sign-ins need; a request can ask for the other"),
            );
            None
        }
        (Some(domain), None) => Some(Mark::WebOtp(domain.value)),
        (None, Some(hash)) => Some(Mark::App(hash.value)),
        (None, None) => None,
    };
    match Tenant::new(section.name()) {
        Ok(tenant) => Some((tenant, Own { brands, mark })),
        Err(error) => {
            section.fault(Fault::new(section.place(), error.to_string()));
            None
        }
    }
}

fn read_text(section: &Section<'_>, texts: &mut Vec<Read>) {
    let owner = section.read("tenant", "a tenant's name, in quotes", |name| {
        Tenant::new(name).ok()
    });
    let locale = section.read("locale", "language and country, as in \"en-GB\"", |tag| {
        tag.parse::<Locale>().ok()
    });
    let purposes = section.texts("purpose", "\"sign_in\", \"enrolment\" or a list of both");
    let purposes = match purposes {
        None => Purpose::ALL.to_vec(),
        Some(names) => names
            .into_iter()
            .filter_map(|name| {
                let purpose = Purpose::from_name(name.value);
                if purpose.is_none() {
                    let fault = Fault::new(name.place, "there is no such purpose");
                    section.fault(fault.help("write \"sign_in\" or \"enrolment\""));
                }
                purpose
            })
            .collect(),
    };
    let lines = section.texts("words", "the words, in quotes, or a list of lines");
    let missing = |key: &str, help: &str| {
        let fault = Fault::new(section.place(), format!("a [[text]] without `{key}`"));
        section.fault(fault.help(help));
    };
    if locale.is_none() && !section.has("locale") {
        missing("locale", "add locale = \"en-GB\", or another");
    }
    let Some(lines) = lines else {
        if !section.has("words") {
            missing("words", "add words = \"...\" with {code} in it");
        }
        return;
    };
    let words: Vec<&str> = lines.iter().map(|line| line.value).collect();
    let template = match Template::parse(&words.join("\n")) {
        Ok(template) => template,
        Err(no) => {
            let place = section.place_of("words");
            return section.fault(Fault::new(place, no.text).help(no.help));
        }
    };
    let Some(locale) = locale else { return };
    let owner = owner.map(|owner| owner.value);
    for purpose in purposes {
        let place = section.place_of("words");
        let twin = texts.iter().find(|other| {
            other.owner == owner && other.locale == locale.value && other.purpose == purpose
        });
        if let Some(twin) = twin {
            let told = format!(
                "there are words for `{}` and `{}` already, at {}",
                locale.value,
                purpose.name(),
                twin.place
            );
            section.fault(Fault::new(place, told).help("keep one of the two"));
            continue;
        }
        texts.push(Read {
            place,
            owner: owner.clone(),
            locale: locale.value.clone(),
            purpose,
            template: template.clone(),
        });
    }
}
