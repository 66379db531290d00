use proptest::prelude::*;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

use super::*;
use crate::phone::NumberKind;

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn plan(text: &str) -> Dialplan {
    Dialplan::parse([("a.toml", text)]).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(text: &str) -> String {
    match Dialplan::parse([("a.toml", text)]) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    }
}

const LONDON: &str = "+442079460123";
const MOBILE: &str = "+447400123456";

#[test]
fn the_longest_prefix_decides_then_the_kind() {
    let plan = plan(
        "[defaults]\nlocale = 'en-GB'\n[[rule]]\nprefix = '+'\ntrunk = 'world'\n\
         [[rule]]\nprefix = '+44'\ntrunk = 'britain'\ncaller_id = '+442079460000'\n\
         [[rule]]\nprefix = '+44'\nkind = 'mobile'\ntrunk = 'mobile'\nlocale = 'en-US'\n\
         [[rule]]\nprefix = '+4420'\nkind = ['mobile', 'voip']\ntrunk = 'never'\n\
         [[rule]]\nprefix = '+33'\nrefuse = 'not France'\ncode = 'country_not_served'\n\
         [[rule]]\nprefix = ['+331', '+332']\ntrunk = 'paris'\n",
    );
    let via = |text: &str| plan.route(&number(text)).map(|r| r.trunk.to_string());
    assert_eq!(via("+16502530000").as_deref(), Ok("world"));
    assert_eq!(via(LONDON).as_deref(), Ok("britain"));
    assert_eq!(via(MOBILE).as_deref(), Ok("mobile"));
    assert_eq!(via("+33123456789").as_deref(), Ok("paris"));
    let london = plan.route(&number(LONDON)).unwrap();
    assert_eq!(london.caller_id.as_deref(), Some("+442079460000"));
    assert_eq!(&*london.locale, "en-GB");
    assert_eq!(london.rule.to_string(), "a.toml:6");
    assert_eq!(london.rule.prefix.to_string(), "+44");
    let mobile = plan.route(&number(MOBILE)).unwrap();
    assert_eq!((&*mobile.locale, mobile.caller_id), ("en-US", None));
    let refusal = plan.route(&number("+33612345678")).unwrap_err();
    assert_eq!(refusal.code(), "country_not_served");
    assert_eq!(refusal.to_string(), "not France");
    assert_eq!(refusal.rule.unwrap().to_string(), "a.toml:19");
}

#[test]
fn texts_go_by_the_cheapest_of_the_binds() {
    let plan = plan(
        "[defaults]\nlocale = 'en-GB'\nbinds = ['cheap']\nsender = 'Ringtrue'\n\
         [[rule]]\nprefix = '+'\n\
         [[rule]]\nprefix = '+44'\ntrunk = 'britain'\nsender = '80800'\n\
         binds = [{ name = 'dear', cost = 7 }, 'a', { name = 'b', weight = 3 }, { name = 'free', cost = 0 }]\n\
         [[rule]]\nprefix = '+4420'\ntrunk = 'britain'\nbinds = false\n\
         [[rule]]\nprefix = '+33'\nrefuse = 'not France'\ncode = 'country_not_served'\n\
         [[rule]]\nprefix = '+34'\nbinds = { name = 'one', cost = 2 }\n",
    );
    let british = plan.text_route(&number(MOBILE)).unwrap();
    let ways: Vec<String> = british
        .ways
        .iter()
        .map(|way| format!("{} {} {}", way.by, way.cost, way.weight))
        .collect();
    assert_eq!(ways, ["free 0 1", "b 1 3", "a 1 1", "dear 7 1"]);
    assert_eq!(british.sender.as_deref(), Some("80800"));
    assert_eq!(&*british.locale, "en-GB");
    assert_eq!(british.rule.to_string(), "a.toml:7");
    let world = plan.text_route(&number("+16502530000")).unwrap();
    assert_eq!(
        (&*world.ways[0].by, world.sender.as_deref()),
        ("cheap", Some("Ringtrue"))
    );
    // A rule for texts alone is not called, one for calls alone is not texted, one that refuses
    // is neither.
    let code = |refusal: Result<_, Refusal>| refusal.map(drop).unwrap_err().code();
    let calls = |text: &str| plan.route(&number(text)).map(drop);
    let texts = |text: &str| plan.text_route(&number(text)).map(drop);
    assert_eq!(code(calls("+16502530000")), "no_call_route");
    assert_eq!(code(texts(LONDON)), "no_text_route");
    assert!(calls(LONDON).is_ok());
    assert_eq!(code(calls("+33612345678")), "country_not_served");
    assert_eq!(code(texts("+33612345678")), "country_not_served");
    let spanish = plan.text_route(&number("+34612345678")).unwrap();
    assert_eq!((&*spanish.ways[0].by, spanish.ways[0].cost), ("one", 2));
    let explained = plan.explain(&number(MOBILE)).to_string();
    assert!(
        explained
            .contains("  texts      free, cost 0, weight 1\n             b, cost 1, weight 3\n")
            && explained.contains("  sender     80800\n"),
        "{explained}"
    );
    let binds: Vec<String> = plan
        .binds()
        .map(|(b, p)| format!("{b} {}", p.line))
        .collect();
    assert_eq!(
        binds,
        ["cheap 3", "free 11", "b 11", "a 11", "dear 11", "one 22"]
    );
}

#[test]
fn faulty_binds_name_the_place_and_the_fix() {
    let rule = |keys: &str| faults(&format!("[[rule]]\nprefix = '+1'\nlocale = 'en'\n{keys}"));
    for (keys, expected) in [
        (
            "binds = []",
            "a.toml:4:9: `binds` cannot be a list\n  fix: write the names of one or more",
        ),
        ("binds = [1]", "a.toml:4:10: `binds` cannot be a number"),
        ("binds = 'a b'", "a.toml:4:9: this is not a bind's name"),
        (
            "binds = ['a', { name = 'a' }]",
            "a.toml:4:24: bind a is listed twice",
        ),
        (
            "binds = [{ cost = 2 }]",
            "a.toml:4:10: this way has no `name`",
        ),
        (
            "binds = [{ name = 'a', weight = 0 }]",
            "`weight` is out of range",
        ),
        (
            "binds = [{ name = 'a', costs = 1 }]",
            "a.toml:4:24: unknown key `costs` in [bind]\n  fix: did you mean `cost`?",
        ),
        (
            "binds = ['a']\nsender = 'a name too long'",
            "a.toml:5:10: `sender` cannot be this text",
        ),
        (
            "trunk = 'a'\nsender = 'Brand'",
            "`sender` goes with `binds`, which is not here",
        ),
        (
            "binds = 'a'\ncaller_id = '+1'",
            "`caller_id` goes with `trunk`, which is not here",
        ),
        (
            "trunk = false\nbinds = false",
            "this rule has no `trunk` and no `binds`",
        ),
    ] {
        let got = rule(keys);
        assert!(got.contains(expected), "{keys}\n{got}");
        assert_eq!(got.matches("a.toml:").count(), 1, "{keys}\n{got}");
    }
    for key in ["binds", "sender"] {
        let got = rule(&format!("refuse = 'x'\n{key} = 'a'"));
        assert!(
            got.contains(&format!("a rule that refuses has no `{key}`")),
            "{got}"
        );
    }
}

#[test]
fn a_number_without_a_rule_is_refused() {
    let plan = plan("[[rule]]\nprefix = '+1'\ntrunk = 'a'\nlocale = 'en-US'\n");
    let refusal = plan.route(&number(LONDON)).unwrap_err();
    assert_eq!((refusal.code(), &refusal.rule), ("no_route", &None));
    let explanation = plan.explain(&number(LONDON));
    assert_eq!(explanation.rule, None);
    assert_eq!(explanation.why, "no rule matches");
}

#[test]
fn an_explanation_names_the_winner_and_the_losers() {
    let plan = plan(
        "[defaults]\ntrunk = 'a'\nlocale = 'en-GB'\n[[rule]]\nprefix = '+'\n[[rule]]\nprefix = '+44'\n\
         [[rule]]\nprefix = '+44'\nkind = ['mobile', 'voip']\n[[rule]]\nprefix = '+44'\nkind = 'pager'\n\
         refuse = 'no pagers'\ncode = 'pager'\n",
    );
    let explanation = plan.explain(&number(MOBILE));
    assert_eq!(
        explanation.to_string(),
        "+44********56  mobile, GB\n  calls      trunk a\n  caller id  the trunk's\n  texts      \
         no_text_route: these numbers are called and not texted\n  locale     en-GB\n  rule       a.toml:8  +44 mobile, voip\n  because    +44 is the longest prefix of those that match, \
         and of its rules this one names mobile\n  others     a.toml:11  +44 pager: is not for mobile\n             \
         a.toml:6  +44: matches, it names no kinds\n             a.toml:4  +: matches, its prefix is shorter\n"
    );
    assert_eq!(
        serde_json::json!(explanation),
        serde_json::json!({
            "number": "+44********56",
            "kind": "mobile",
            "region": "GB",
            "decision": {"route": {"trunk": "a", "caller_id": null, "locale": "en-GB"}},
            "text": {"refuse": {"code": "no_text_route", "text": "these numbers are called and not texted"}},
            "rule": {"place": {"file": "a.toml", "line": 8, "column": 1}, "prefix": "+44", "kinds": ["mobile", "voip"]},
            "why": "+44 is the longest prefix of those that match, and of its rules this one names mobile",
            "others": [
                {"rule": {"place": {"file": "a.toml", "line": 11, "column": 1}, "prefix": "+44", "kinds": ["pager"]}, "lost": "other_kind"},
                {"rule": {"place": {"file": "a.toml", "line": 6, "column": 1}, "prefix": "+44", "kinds": []}, "lost": "names_no_kind"},
                {"rule": {"place": {"file": "a.toml", "line": 4, "column": 1}, "prefix": "+", "kinds": []}, "lost": "shorter_prefix"},
            ],
        })
    );
    let american = plan.explain(&number("+16502530000"));
    assert_eq!(american.why, "it is the only rule that matches");
}

#[test]
fn a_bad_file_names_the_place_and_the_fix() {
    for (text, expected) in [
        (
            "[[rule]]\nprefix = '+44'",
            "a.toml:1:1: this rule has no `trunk` and no `binds`\n  fix: add one of them to it",
        ),
        (
            "[[rule]]\nprefix = '+44'\ntrunk = 'a'",
            "a.toml:1:1: this rule has no `locale`",
        ),
        (
            "[[rule]]\nrefuse = 'x'",
            "a.toml:1:1: this rule has no `prefix`\n  fix: add prefix = \"+\" and",
        ),
        (
            "[[rule]]\nprefix = '44'\nrefuse = 'x'",
            "a.toml:2:10: this is not a prefix\n  fix: write \"+44\"",
        ),
        (
            "[[rule]]\nprefix = '0044 20*'\nrefuse = 'x'",
            "fix: write \"+4420\"",
        ),
        (
            "[[rule]]\nprefix = 'x'\nrefuse = 'x'",
            "fix: write \"+\" and the first digits",
        ),
        (
            "[[rule]]\nprefix = ['+1', '+1']\nrefuse = 'x'",
            "a.toml:2:17: prefix +1 is listed twice",
        ),
        (
            "[[rule]]\nprefix = '+1'\nkind = 'mobil'\nrefuse = 'x'",
            "a.toml:3:8: there is no such kind of number\n  fix: did you mean \"mobile\"?",
        ),
        (
            "[[rule]]\nprefix = '+1'\nkind = 'q'\nrefuse = 'x'",
            "fix: the kinds are mobile, fixed_line",
        ),
        (
            "[[rule]]\nprefix = '+1'\nkind = ['voip', 'voip']\nrefuse = 'x'",
            "a.toml:3:17: kind voip is listed twice",
        ),
        (
            "[[rule]]\nprefix = '+1'\nrefuse = 'x'\ncode = 'premium'",
            "fix: did you mean \"premium_rate\"?",
        ),
        (
            "[[rule]]\nprefix = '+1'\nrefuse = 'x'\ntrunk = 'a'",
            "a.toml:4:1: a rule that refuses has no `trunk`\n  fix: remove `trunk`, or `refuse`",
        ),
        (
            "[[rule]]\nprefix = '+1'\ntrunk = 'a'\nlocale = 'en'\ncode = 'pager'",
            "a.toml:5:1: `code` goes with `refuse`",
        ),
        (
            "[[rule]]\nprefix = '+1'\ntrunc = 'a'\nlocale = 'en'",
            "a.toml:3:1: unknown key `trunc` in [rule]\n  fix: did you mean `trunk`?",
        ),
        (
            "[[rules]]\nprefix = '+1'",
            "unknown key `rules`\n  fix: did you mean `rule`?",
        ),
        (
            "[default]\ntrunk = 'a'",
            "unknown key `default`\n  fix: did you mean `defaults`?",
        ),
        (
            "[[rule]]\nprefix = '+1'\ntrunk = 'a b'\nlocale = 'en'",
            "a.toml:3:9: `trunk` cannot be this text",
        ),
        (
            "[[rule]]\nprefix = '+1'\ntrunk = 'a'\nlocale = 'english'",
            "a.toml:4:10: `locale` cannot be this text",
        ),
        (
            "[[rule]]\nprefix = '+1'\ntrunk = 'a'\nlocale = 'en'\ncaller_id = '+1 650'",
            "a.toml:5:13: `caller_id` cannot be this text",
        ),
        (
            "[[rule]]\nprefix = '+1'\nrefuse = 'a\\n'\n[[rule]]\nprefix = '+1'\nrefuse = 'b'",
            "a.toml:5:10: prefix +1 is decided by another rule already\n  fix: remove it here or at a.toml:2:10",
        ),
    ] {
        let got = faults(text);
        assert!(got.contains(expected), "{text}\n{got}");
    }
    // One fault, one complaint.
    assert_eq!(
        faults("[[rule]]\nprefix = '+1'\ntrunk = 1\nlocale = 'en'")
            .lines()
            .count(),
        2
    );
}

#[test]
fn two_rules_for_one_prefix_and_kind_are_told_with_both_places() {
    let first =
        "[[rule]]\nprefix = ['+33', '+44']\nkind = ['mobile', 'voip', 'pager']\nrefuse = 'x'\n";
    let second = "[[rule]]\nprefix = '+44'\nkind = ['pager', 'mobile']\nrefuse = 'y'\n";
    let got = Dialplan::parse([("b.toml", second), ("a.toml", first)])
        .unwrap_err()
        .to_string();
    assert_eq!(
        got,
        "a.toml:2:18: prefix +44 for mobile, pager is decided by another rule already\n  \
         fix: remove it here or at b.toml:2:10"
    );
    // Kinds that differ, and a rule for all kinds beside one for some, are no conflict.
    let apart = "[[rule]]\nprefix = '+44'\nkind = 'uan'\nrefuse = 'x'\n[[rule]]\nprefix = '+44'\nrefuse = 'y'\n";
    assert!(Dialplan::parse([("a.toml", first), ("c.toml", apart)]).is_ok());
}

#[test]
fn defaults_are_a_files_own() {
    let one = "[defaults]\ntrunk = 'a'\nlocale = 'en-GB'\n[[rule]]\nprefix = '+44'\n";
    let two = "[[rule]]\nprefix = '+1'\n";
    let got = Dialplan::parse([("a.toml", one), ("b.toml", two)])
        .unwrap_err()
        .to_string();
    assert!(
        got.contains("b.toml:1:1: this rule has no `trunk` and no `binds`"),
        "{got}"
    );
}

#[test]
fn trunks_and_locales_are_told_with_their_places() {
    let plan = plan(
        "[defaults]\ntrunk = 'a'\nlocale = 'en-GB'\n[[rule]]\nprefix = '+44'\n[[rule]]\nprefix = '+33'\ntrunk = 'b'\nlocale = 'fr-FR'\n[[rule]]\nprefix = '+1'\nrefuse = 'x'\n",
    );
    let trunks: Vec<String> = plan.trunks().map(|(t, p)| format!("{t} {p}")).collect();
    assert_eq!(trunks, ["a a.toml:2:9", "b a.toml:8:9"]);
    let locales: Vec<String> = plan.locales().map(|(t, p)| format!("{t} {p}")).collect();
    assert_eq!(locales, ["en-GB a.toml:3:10", "fr-FR a.toml:9:10"]);
}

#[test]
fn the_built_in_dialplan_serves_people_and_refuses_what_costs() {
    let plan = Dialplan::built_in().unwrap();
    for (text, locale) in [
        (LONDON, "en-GB"),
        (MOBILE, "en-GB"),
        ("+16502530000", "en-US"),
        ("+14165550123", "en-US"),
        ("+33612345678", "fr-FR"),
        ("+34612345678", "es-ES"),
        ("+393123456789", "it-IT"),
        ("+4915123456789", "en-GB"),
    ] {
        let route = plan.route(&number(text)).unwrap();
        assert_eq!(
            (&*route.trunk, &*route.locale),
            ("sandbox", locale),
            "{text}"
        );
    }
    for (text, code) in [
        ("+449098790000", "premium_rate"),
        ("+19002345678", "premium_rate"),
        ("+33891123456", "premium_rate"),
        ("+491805012345", "shared_cost"),
        ("+447640123456", "pager"),
        ("+448001234567", "not_a_personal_phone"),
        ("+447012345678", "not_a_personal_phone"),
        ("+870301234567", "satellite"),
        ("+881612345678", "satellite"),
        ("+979123456789", "premium_rate"),
        ("+80812345678", "shared_cost"),
        ("+80012345678", "not_a_personal_phone"),
    ] {
        let refusal = plan.route(&number(text)).unwrap_err();
        assert_eq!(refusal.code(), code, "{text}");
        assert!(refusal.rule.is_some());
    }
}

#[test]
fn the_built_in_dialplan_calls_no_costly_kind_of_any_region() {
    let plan = Dialplan::built_in().unwrap();
    let mut refused = 0;
    for region in PHONE_NUMBER_UTIL.get_supported_regions() {
        for kind in [
            PhoneNumberType::PremiumRate,
            PhoneNumberType::SharedCost,
            PhoneNumberType::Pager,
            PhoneNumberType::PersonalNumber,
            PhoneNumberType::UAN,
        ] {
            let Ok(example) =
                PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind)
            else {
                continue;
            };
            let e164 = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::E164);
            let example = number(&e164);
            // An example may be of another kind by the plan of the region that it is found in.
            if example.kind() == NumberKind::from(kind) {
                assert!(plan.route(&example).is_err(), "{e164} of {region}");
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "{refused}");
    for code in PHONE_NUMBER_UTIL.get_supported_global_network_calling_codes() {
        let Ok(example) = PHONE_NUMBER_UTIL.get_example_number_for_non_geo_entity(code) else {
            continue;
        };
        let e164 = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::E164);
        assert!(plan.route(&number(&e164)).is_err(), "{e164}");
    }
}

/// A rule as drawn by chance: prefix, kinds.
type Drawn = (String, Vec<NumberKind>);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let prefix = prop_oneof![
        Just(String::new()),
        (1usize..12).prop_map(|n| LONDON.get(1..=n).unwrap_or("").to_owned()),
        (1usize..12).prop_map(|n| MOBILE.get(1..=n).unwrap_or("").to_owned()),
        "[1-9][0-9]{0,3}",
    ];
    let kinds = prop::collection::vec(
        prop::sample::select(vec![
            NumberKind::Mobile,
            NumberKind::FixedLine,
            NumberKind::Voip,
            NumberKind::Pager,
        ]),
        0..3,
    );
    prop::collection::vec((prefix, kinds), 1..12)
}

fn written(rules: &[Drawn]) -> String {
    let mut text = String::from("[defaults]\nlocale = 'en-GB'\n");
    for (at, (prefix, kinds)) in rules.iter().enumerate() {
        text.push_str(&format!(
            "[[rule]]\nprefix = '+{prefix}'\ntrunk = 't{at}'\n"
        ));
        if !kinds.is_empty() {
            let names: Vec<String> = kinds.iter().map(|k| format!("'{k}'")).collect();
            text.push_str(&format!("kind = [{}]\n", names.join(", ")));
        }
    }
    text
}

/// The rule that the documentation says decides.
fn by_the_book(rules: &[Drawn], number: &PhoneNumber) -> Option<usize> {
    let digits = number.e164().trim_start_matches('+');
    (0..rules.len())
        .filter(|at| digits.starts_with(&rules[*at].0))
        .filter(|at| rules[*at].1.is_empty() || rules[*at].1.contains(&number.kind()))
        .max_by_key(|at| (rules[*at].0.len(), !rules[*at].1.is_empty()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_decides_by_the_book(mut rules in drawn()) {
        // No two for the same prefix and kind.
        for (_, kinds) in &mut rules {
            kinds.sort();
            kinds.dedup();
        }
        let mut kept: Vec<Drawn> = Vec::new();
        for rule in rules {
            let clash = kept.iter().any(|(prefix, kinds)| {
                *prefix == rule.0 && (kinds.is_empty() && rule.1.is_empty() || kinds.iter().any(|k| rule.1.contains(k)))
            });
            if !clash {
                kept.push(rule);
            }
        }
        let plan = plan(&written(&kept));
        for text in [LONDON, MOBILE, "+16502530000", "+33612345678"] {
            let number = number(text);
            let got = plan.route(&number);
            let expected = by_the_book(&kept, &number).map(|at| format!("t{at}"));
            prop_assert_eq!(got.as_ref().ok().map(|r| r.trunk.to_string()), expected);
            // The explanation tells the same, and every other rule along the number once.
            let explanation = plan.explain(&number);
            let digits = text.trim_start_matches('+');
            let along = kept.iter().filter(|(prefix, _)| digits.starts_with(prefix)).count();
            prop_assert_eq!(explanation.others.len() + usize::from(explanation.rule.is_some()), along);
            prop_assert_eq!(explanation.rule.map(|r| (r.place, r.prefix)), got.ok().map(|r| (r.rule.place, r.rule.prefix)));
            prop_assert!(!explanation.number.contains(digits));
        }
    }

    #[test]
    fn any_file_is_read_without_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[[rule]]\n", "[defaults]\n", "prefix", "kind", "trunk", "locale", "refuse", "code", "caller_id", " = ",
            "binds", "sender", "{ name = 'a', cost = 1 }", "false",
            "'+'", "'+44'", "['+1', '+44']", "'mobile'", "'en-GB'", "'x'", "[]", "1", "\n", "\n", "\n", "'", "\u{0}", "é",
        ]), 0..40)
    ) {
        let _ = faults(&parts.concat());
    }
}
