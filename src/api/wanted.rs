//! What a body asks for when a challenge is to be begun.

use std::sync::Arc;
use std::time::Duration;

use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::body::{Fields, invalid};
use super::problem::{FieldError, Kind, Problem};
use crate::challenge::{Channel, CodeLength, Purpose, Subject};
use crate::engine::{LONGEST_LIFE, SHORTEST_LIFE, TextWishes};
use crate::phone::{PhoneError, PhoneNumber};
use crate::wording::{AppHash, Domain, Mark};

/// A challenge to be begun. Only `to` must be there.
#[derive(Debug, ToSchema)]
#[schema(as = NewChallenge)]
#[allow(
    dead_code,
    reason = "documents the body; `Wanted::read` reads it field by field"
)]
pub struct NewChallengeBody {
    /// The phone to reach, in E.164: a plus sign, the country code, the number. Direct dial only:
    /// no extension, no pause, no digits to be dialled after the answer.
    #[schema(example = "+442079460123")]
    to: String,
    /// How the person is reached: `voice` if it is not there.
    #[schema(nullable = false, required = false)]
    channel: Option<Channel>,
    /// Your own name for the person, 1 to 256 bytes; returned as it is and never interpreted.
    #[schema(max_length = 256, min_length = 1, nullable = false)]
    subject: Option<String>,
    /// The language of prompts or words, `en-GB`; if there are none for the region, another region's of
    /// the same language. The dialplan's choice if it is not there.
    #[schema(example = "en-GB", nullable = false)]
    locale: Option<String>,
    /// What the person is asked to confirm: `sign_in` if it is not there.
    #[schema(nullable = false, required = false)]
    purpose: Option<Purpose>,
    /// Seconds until the challenge expires.
    #[schema(minimum = 30, maximum = 600, nullable = false)]
    ttl: Option<u64>,
    /// Texts alone: how many digits the code has.
    #[schema(minimum = 4, maximum = 10, nullable = false)]
    code_length: Option<u64>,
    /// Texts alone: the brand that the text names, one of those that the operator lists for your
    /// tenant.
    #[schema(example = "Example", nullable = false)]
    brand: Option<String>,
    /// Texts alone: the domain of your sign-in page. The text ends with a line by which browsers
    /// offer the code there and nowhere else (WebOTP). Not with `app_hash`.
    #[schema(example = "example.org", nullable = false)]
    web_otp: Option<String>,
    /// Texts alone: the 11 characters by which Android's SMS Retriever hands the text to your app.
    /// Not with `web_otp`.
    #[schema(example = "FA+9qCX9VSu", nullable = false)]
    app_hash: Option<String>,
}

/// The fields of [`NewChallengeBody`].
const FIELDS: &[&str] = &[
    "to",
    "channel",
    "subject",
    "locale",
    "purpose",
    "ttl",
    "code_length",
    "brand",
    "web_otp",
    "app_hash",
];

/// What a body asks for, checked.
#[derive(Debug)]
pub(super) struct Wanted {
    pub to: PhoneNumber,
    pub channel: Channel,
    pub purpose: Purpose,
    pub subject: Option<Subject>,
    pub locale: Option<Arc<str>>,
    pub time_to_live: Option<Duration>,
    pub text: TextWishes,
}

impl Wanted {
    pub fn read(body: &[u8]) -> Result<Wanted, Problem> {
        let mut fields = Fields::read(body, FIELDS)?;
        let to = fields.text("to").map(Zeroizing::new);
        let channel = named(&mut fields, "channel", Channel::from_name, || {
            Channel::ALL.map(Channel::name).to_vec()
        });
        let purpose = named(&mut fields, "purpose", Purpose::from_name, || {
            Purpose::ALL.map(Purpose::name).to_vec()
        });
        let subject = fields
            .text("subject")
            .map(|name| Subject::new(&name))
            .transpose()
            .unwrap_or_else(|error| {
                fields.wrong(
                    "subject",
                    format!("has {} bytes and may have 1 to 256", error.0),
                );
                None
            });
        let locale: Option<Arc<str>> = fields.text("locale").map(Into::into);
        if locale.as_deref().is_some_and(|locale| !is_locale(locale)) {
            fields.wrong("locale", "must be a language and a region, as in `en-GB`");
        }
        let seconds = SHORTEST_LIFE.as_secs()..=LONGEST_LIFE.as_secs();
        let ttl = fields.whole("ttl");
        if ttl.is_some_and(|ttl| !seconds.contains(&ttl)) {
            let (least, most) = (seconds.start(), seconds.end());
            fields.wrong("ttl", format!("must be from {least} to {most} seconds"));
        }
        let text = text_wishes(&mut fields, channel);
        let to = to.map(|to| PhoneNumber::parse(&to));
        let mut errors = fields.finish();
        let to = match to {
            Some(Ok(to)) if errors.is_empty() => to,
            Some(Ok(_)) => return Err(invalid(errors)),
            Some(Err(error)) if errors.is_empty() => return Err(not_dialled(error)),
            Some(Err(error)) => {
                errors.push(field_error("to", error.to_string()));
                return Err(invalid(errors));
            }
            None => {
                if !errors.iter().any(|error| error.pointer == "#/to") {
                    let detail = "must be there: the phone number to reach, as in `+442079460123`";
                    errors.push(field_error("to", detail.into()));
                }
                return Err(invalid(errors));
            }
        };
        Ok(Wanted {
            to,
            channel: channel.unwrap_or(Channel::Voice),
            purpose: purpose.unwrap_or(Purpose::SignIn),
            subject,
            locale,
            time_to_live: ttl.map(Duration::from_secs),
            text,
        })
    }
}

/// The fields that are for texts alone.
fn text_wishes(fields: &mut Fields, channel: Option<Channel>) -> TextWishes {
    let length = fields.whole("code_length");
    let brand = fields.text("brand");
    let web_otp = fields.text("web_otp");
    let app_hash = fields.text("app_hash");
    if channel != Some(Channel::Sms) {
        for (name, is_there) in [
            ("code_length", length.is_some()),
            ("brand", brand.is_some()),
            ("web_otp", web_otp.is_some()),
            ("app_hash", app_hash.is_some()),
        ] {
            if is_there {
                fields.wrong(
                    name,
                    "is for texts alone: leave it out, or set `channel` to `sms`",
                );
            }
        }
        return TextWishes::default();
    }
    let code_length = length.and_then(CodeLength::new);
    if length.is_some() && code_length.is_none() {
        fields.wrong("code_length", "must be from 4 to 10 digits");
    }
    if web_otp.is_some() && app_hash.is_some() {
        fields.wrong(
            "app_hash",
            "cannot be there with `web_otp`: a text has one last line",
        );
    }
    let domain = web_otp.map(|text| Domain::parse(&text));
    let hash = app_hash.map(|text| AppHash::parse(&text));
    if let Some(Err(error)) = &domain {
        fields.wrong("web_otp", error.to_string());
    }
    if let Some(Err(error)) = &hash {
        fields.wrong("app_hash", error.to_string());
    }
    let web_otp = domain.and_then(Result::ok).map(Mark::WebOtp);
    TextWishes {
        code_length,
        brand: brand.map(Into::into),
        mark: web_otp.or_else(|| hash.and_then(Result::ok).map(Mark::App)),
    }
}

pub(super) fn field_error(name: &str, detail: String) -> FieldError {
    FieldError {
        pointer: format!("#/{name}"),
        detail,
    }
}

/// A field whose value is one of a closed list of names.
fn named<T>(
    fields: &mut Fields,
    field: &'static str,
    from_name: fn(&str) -> Option<T>,
    names: fn() -> Vec<&'static str>,
) -> Option<T> {
    let name = fields.text(field)?;
    let value = from_name(&name);
    if value.is_none() {
        fields.wrong(field, format!("must be one of `{}`", names().join("`, `")));
    }
    value
}

/// Whether a text has the shape of a BCP 47 language tag of at most three parts.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let alphabetic = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
    let alphanumeric = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    let rest: Vec<&str> = parts.collect();
    (2..=3).contains(&language.len())
        && alphabetic(language)
        && rest.len() <= 2
        && rest
            .iter()
            .all(|part| (2..=8).contains(&part.len()) && alphanumeric(part))
}

fn not_dialled(error: PhoneError) -> Problem {
    let kind = match error {
        PhoneError::NotDirectDial(_) => Kind::NotDirectDial,
        _ => Kind::InvalidNumber,
    };
    let told = error.to_string();
    Problem::new(kind, format!("The field `to`: {told}."))
        .reason(error.code())
        .errors(vec![field_error("to", told)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Result<Wanted, Problem> {
        Wanted::read(body.as_bytes())
    }

    #[test]
    fn a_number_is_enough() {
        let wanted = read(r#"{"to":"+442079460123"}"#).expect("enough");
        assert_eq!(wanted.to.e164(), "+442079460123");
        assert_eq!(
            (wanted.channel, wanted.purpose),
            (Channel::Voice, Purpose::SignIn)
        );
        assert!(wanted.subject.is_none() && wanted.locale.is_none());
        assert!(wanted.time_to_live.is_none());
    }

    #[test]
    fn every_field_is_read() {
        let wanted = read(
            r#"{"to":"+442079460123","channel":"voice","subject":"jane","locale":"fr-FR",
                "purpose":"sign_in","ttl":600}"#,
        )
        .expect("valid");
        assert_eq!(wanted.subject.as_ref().map(Subject::as_str), Some("jane"));
        assert_eq!(wanted.locale.as_deref(), Some("fr-FR"));
        assert_eq!(wanted.time_to_live, Some(Duration::from_secs(600)));
    }

    #[test]
    fn a_texts_own_fields_are_read_for_texts_alone() {
        let wanted = read(
            r#"{"to":"+442079460123","channel":"sms","purpose":"enrolment","code_length":8,
                "brand":"Example","web_otp":"https://example.org"}"#,
        )
        .expect("valid");
        assert_eq!(
            (wanted.channel, wanted.purpose),
            (Channel::Sms, Purpose::Enrolment)
        );
        let text = wanted.text;
        assert_eq!(text.code_length, CodeLength::new(8));
        assert_eq!(text.brand.as_deref(), Some("Example"));
        let domain = Domain::parse("example.org").map(Mark::WebOtp);
        assert_eq!(text.mark, domain.ok());
        let pointers = |body: &str| -> Vec<String> {
            let problem = read(body).expect_err("wrong");
            problem
                .body()
                .errors
                .into_iter()
                .map(|e| e.pointer)
                .collect()
        };
        assert_eq!(
            pointers(r##"{"to":"+442079460123","code_length":6,"brand":"x"}"##),
            ["#/code_length", "#/brand"]
        );
        assert_eq!(
            pointers(
                r##"{"to":"+442079460123","channel":"sms","code_length":3,
                    "web_otp":"localhost","app_hash":"short"}"##
            ),
            ["#/code_length", "#/app_hash", "#/web_otp", "#/app_hash"]
        );
    }

    #[test]
    fn wrong_fields_are_told_together() {
        let problem =
            read(r#"{"to":"x","channel":"fax","subject":"","locale":"english please","ttl":29}"#)
                .expect_err("wrong");
        assert_eq!(problem.kind(), Kind::InvalidRequest);
        let pointers: Vec<_> = problem
            .body()
            .errors
            .into_iter()
            .map(|e| e.pointer)
            .collect();
        assert_eq!(
            pointers,
            ["#/channel", "#/subject", "#/locale", "#/ttl", "#/to"]
        );
        let problem = read("{}").expect_err("nothing to call");
        assert_eq!(problem.body().errors.len(), 1);
        let problem = read(r#"{"to":5}"#).expect_err("no text");
        assert_eq!(problem.body().errors.len(), 1, "told once");
    }

    #[test]
    fn numbers_that_need_more_dialling_have_their_own_problem() {
        for (to, kind) in [
            ("+442079460958;ext=5", Kind::NotDirectDial),
            ("+442079460958,,5", Kind::NotDirectDial),
            ("+442079460958 ext 5", Kind::NotDirectDial),
            ("02079460958", Kind::InvalidNumber),
            ("", Kind::InvalidNumber),
            ("+44", Kind::InvalidNumber),
        ] {
            let body = serde_json::json!({ "to": to }).to_string();
            let problem = read(&body).expect_err(to);
            assert_eq!(problem.kind(), kind, "{to}");
            let told = serde_json::to_string(&problem.body()).expect("serializes");
            assert!(!told.contains("2079460958"), "{told}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Wanted::read(&body);
        }

        #[test]
        fn any_fields_are_read_or_refused_without_repeating_them(
            names in proptest::collection::vec("to|channel|subject|locale|purpose|ttl|code_length|brand|web_otp|app_hash|[a-z]{1,8}", 0..8),
            values in proptest::collection::vec(any_value(), 8),
        ) {
            let fields: Vec<String> = names
                .iter()
                .zip(&values)
                .map(|(name, value)| format!("\"{name}\": {value}"))
                .collect();
            if let Err(problem) = Wanted::read(format!("{{{}}}", fields.join(",")).as_bytes()) {
                let told = serde_json::to_string(&problem.body()).expect("serializes");
                prop_assert!(!told.contains("7946095"), "{told}");
            }
        }
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            "\\+44207946095[0-9]([,;x#pw][0-9a-z=]{0,8})?".prop_map(Into::into),
            "[a-zA-Z_-]{0,12}".prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            Just(serde_json::json!(442079460958u64)),
            Just(serde_json::json!(["+442079460958"])),
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
        ]
    }

    #[test]
    fn locales_have_a_shape() {
        for good in ["en", "en-GB", "zh-Hant-TW", "es-419", "fil-PH"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in [
            "",
            "e",
            "english",
            "en_GB",
            "en-",
            "en-G",
            "en-GB-x-y",
            "../x",
            "en GB",
        ] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}
