use super::*;
use crate::smpp::text::{Alphabet, Coding};

fn letter(tenant: &str, locale: &str) -> Letter {
    Letter {
        tenant: Tenant::new(tenant).expect("a tenant"),
        purpose: Purpose::SignIn,
        locale: locale.into(),
        brand: None,
        mark: None,
        code: OneTimeCode::parse("012345").expect("a code"),
    }
}

const LEFT: Duration = Duration::from_secs(299);

fn parse(text: &str) -> Wording {
    Wording::parse("w.toml", text, 1).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(text: &str) -> String {
    match Wording::parse("w.toml", text, 1) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn the_built_in_words_are_one_gsm_message_each_in_every_locale() {
    let wording = Wording::built_in().expect("sound");
    let locales: Vec<&str> = wording.locales().iter().map(|l| &**l).collect();
    assert_eq!(locales, ["en-GB", "en-US", "es-ES", "fr-FR", "it-IT"]);
    for locale in locales {
        for purpose in Purpose::ALL {
            let letter = Letter {
                purpose,
                ..letter("default", locale)
            };
            let text = wording.compose(&letter, LEFT).expect("composes");
            let measure = measure(&text, &Style::default()).expect("measures");
            assert_eq!(measure.messages, 1, "{}", *text);
            let gsm = Coding::Septets(Alphabet::DEFAULT);
            assert_eq!(measure.coding, gsm, "{}", *text);
            assert!(
                text.contains("012345") && text.contains("Ringtrue"),
                "{}",
                *text
            );
            assert!(text.contains("4 min"), "rounded down: {}", *text);
            // Not to be shared, in each language.
            let warned = ["share", "partagez", "compartas", "condividerlo"];
            assert!(warned.iter().any(|word| text.contains(word)), "{}", *text);
        }
    }
}

#[test]
fn a_locale_is_met_exactly_or_by_its_language_and_a_tenants_own_words_come_first() {
    let wording = parse(
        r#"
        [[text]]
        tenant = "acme"
        locale = "en-GB"
        words = "Acme says {code}"

        [[text]]
        locale = "fr-CA"
        purpose = "sign_in"
        words = "Votre code: {code}"
        "#,
    );
    let text = |tenant, locale| wording.compose(&letter(tenant, locale), LEFT);
    assert_eq!(
        *text("acme", "en-gb").expect("composes"),
        "Acme says 012345"
    );
    assert_eq!(
        *text("acme", "en-NZ").expect("composes"),
        "Acme says 012345"
    );
    assert!(
        text("acme", "en-US")
            .expect("composes")
            .contains("Ringtrue")
    );
    assert!(
        text("other", "en-GB")
            .expect("composes")
            .contains("Ringtrue")
    );
    assert_eq!(
        *text("acme", "fr-CA").expect("composes"),
        "Votre code: 012345"
    );
    assert!(matches!(text("acme", "de-DE"), Err(WordingError::Locale(l)) if l.len() == 5));
    let tenant = Tenant::default();
    let locale = |wanted| wording.locale(&tenant, Purpose::SignIn, wanted);
    assert_eq!(locale("IT").as_deref(), Ok("it-IT"));
    assert_eq!(locale("es-MX").as_deref(), Ok("es-ES"));
    assert!(locale("pt-BR").is_err());
}

#[test]
fn a_tenants_brand_and_mark_are_used_and_a_request_may_choose_among_its_brands() {
    let wording = parse(
        r#"
        brand = "Everybody"
        [tenant.acme]
        brand = "Acme"
        brands = ["Acme Pay"]
        web_otp = "acme.example"
        "#,
    );
    let text = wording
        .compose(&letter("acme", "en-GB"), LEFT)
        .expect("composes");
    assert!(text.contains(" Acme sign-in"), "{}", *text);
    assert!(text.ends_with("\n@acme.example #012345"), "{}", *text);
    let mut asked = letter("acme", "en-GB");
    asked.brand = Some("Acme Pay".into());
    asked.mark = Some(Mark::App(AppHash::parse("FA+9qCX9VSu").expect("a hash")));
    let text = wording.compose(&asked, LEFT).expect("composes");
    assert!(text.ends_with("\nFA+9qCX9VSu"), "{}", *text);
    asked.mark = Domain::parse("pay.example").map(Mark::WebOtp).ok();
    let text = wording.compose(&asked, LEFT).expect("composes");
    assert!(text.contains("Acme Pay") && text.ends_with("@pay.example #012345"));
    asked.brand = Some("Your Bank".into());
    let refused = wording.compose(&asked, LEFT);
    assert!(matches!(refused, Err(WordingError::Brand(b)) if b.len() == 2));
    let other = wording
        .compose(&letter("other", "en-GB"), LEFT)
        .expect("composes");
    assert!(other.contains("Everybody") && !other.contains('@'));
}

#[test]
fn a_mistake_names_its_place_and_fix() {
    let long = "x".repeat(160);
    for (text, told) in [
        ("brand = 5", "w.toml:1:9"),
        ("brnd = \"x\"", "did you mean `brand`"),
        (
            "[[text]]\nlocale = \"en-GB\"\nwords = \"no\"",
            "w.toml:3:1: the code is not",
        ),
        (
            "[[text]]\nlocale = \"en-GB\"\nwords = \"{cod}\"",
            "did you mean {code}",
        ),
        ("[[text]]\nwords = \"{code}\"", "without `locale`"),
        ("[[text]]\nlocale = \"en-GB\"", "without `words`"),
        (
            "[[text]]\nlocale = \"e\"\nwords = \"{code}\"",
            "`locale` cannot be",
        ),
        (
            "[[text]]\nlocale = \"en-GB\"\npurpose = \"login\"\nwords = \"{code}\"",
            "no such purpose",
        ),
        (
            "[[text]]\nlocale = \"fr-FR\"\nwords = \"{code}\"\n[[text]]\nlocale = \"FR-fr\"\nwords = \"{code}\"",
            "already, at w.toml:3:1",
        ),
        (
            &format!("[[text]]\nlocale = \"en-GB\"\nwords = \"{{code}} {long}\""),
            "takes 2 messages, and 1 are allowed",
        ),
        (
            "[[text]]\nlocale = \"pl-PL\"\nwords = \"{code} to tw\u{f3}j kod logowania w {brand}. \
             Jest wa\u{17c}ny przez {minutes} min. Nie udost\u{119}pniaj go nikomu.\"",
            "write it without `\u{f3}`",
        ),
        ("[tenant.Acme]\nbrand = \"A\"", "a tenant's name is"),
        ("[tenant.a]\nbrands = [\"A\"]", "`brands` without a `brand`"),
        ("[tenant.a]\nweb_otp = \"localhost\"", "write a domain"),
        (
            "[tenant.a]\nweb_otp = \"a.example\"\napp_hash = \"FA+9qCX9VSu\"",
            "both `web_otp` and `app_hash`",
        ),
        (
            "[tenant.a]\nbrand = \"The Long Name of Somebody Else Ltd\"\napp_hash = \"FA+9qCX9VSu\"",
            "SMS Retriever reads 140",
        ),
        ("[tenant.a]\nbrand = \"{code}\"", "this is no brand"),
    ] {
        let faults = faults(text);
        assert!(faults.contains(told), "{text}\n{faults}");
    }
}

#[test]
fn what_may_take_more_messages_is_allowed_more() {
    let text = format!(
        "[[text]]\nlocale = \"en-GB\"\nwords = \"{{code}} {}\"",
        "x".repeat(160)
    );
    assert!(Wording::parse("w.toml", &text, 2).is_ok());
    assert!(Wording::built_in_within(0).is_ok(), "at least one");
}

#[test]
fn lines_may_be_listed() {
    let wording = parse("[[text]]\nlocale = \"en-GB\"\nwords = [\"{code}\", \"Keep it.\"]");
    let text = wording
        .compose(&letter("a", "en-GB"), LEFT)
        .expect("composes");
    assert_eq!(*text, "012345\nKeep it.");
}

#[test]
fn no_text_promises_more_than_there_is() {
    for (seconds, told) in [(0, 1), (30, 1), (119, 1), (120, 2), (600, 10)] {
        assert_eq!(minutes(Duration::from_secs(seconds)), told);
    }
}

#[test]
fn debug_shows_no_code() {
    let shown = format!("{:?}", letter("a", "en-GB"));
    assert!(!shown.contains("012345"), "{shown}");
}
