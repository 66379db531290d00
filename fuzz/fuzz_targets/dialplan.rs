//! Any file read as a dialplan: no panic; what is read routes without panic and explains alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtrue::dialplan::Dialplan;
use ringtrue::phone::PhoneNumber;

fuzz_target!(|text: &str| {
    match Dialplan::parse([("fuzz.toml", text)]) {
        Ok(plan) => {
            for e164 in ["+442079460123", "+447400123456", "+16502530000", "+870301234567"] {
                let number = PhoneNumber::parse(e164).expect("a valid number");
                let explained = plan.explain(&number);
                match plan.route(&number) {
                    Ok(route) => assert_eq!(
                        explained.rule.map(|r| (r.place, r.prefix)),
                        Some((route.rule.place, route.rule.prefix))
                    ),
                    Err(refusal) => assert_eq!(explained.rule.is_some(), refusal.rule.is_some()),
                }
            }
        }
        Err(faults) => assert!(!faults.to_string().is_empty()),
    }
});
