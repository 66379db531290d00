//! What a dialplan answers: a way to go, or a reason not to.

use std::fmt;
use std::sync::Arc;

use super::RuleRef;

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The trunk, as named in the configuration.
    pub trunk: Arc<str>,
    /// The number or user part shown to the person; `None` leaves it to the trunk.
    pub caller_id: Option<Arc<str>>,
    /// The locale of what the person hears, `en-GB`.
    pub locale: Arc<str>,
    /// The rule that says so.
    pub rule: RuleRef,
}

/// Where a text goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRoute {
    /// The ways, the best first; one at least.
    pub ways: Arc<[TextWay]>,
    /// Who it is from: a name, a short code or a number with its plus sign; `None` leaves it to
    /// the bind.
    pub sender: Option<Arc<str>>,
    /// The locale of the words, `en-GB`.
    pub locale: Arc<str>,
    /// The rule that says so.
    pub rule: RuleRef,
}

/// One way for a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct TextWay {
    /// The bind or HTTP gateway, as named in the configuration.
    #[serde(serialize_with = "name")]
    pub by: Arc<str>,
    /// Its share among the ways of the same cost, 1 at least.
    pub weight: u32,
    /// What a text costs; the cheapest that is up is taken.
    pub cost: u32,
}

fn name<S: serde::Serializer>(name: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(name)
}

/// Why a number is not called or not texted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// One of a closed list.
    pub code: RefusalCode,
    /// What the rule's author wrote for people.
    pub text: Arc<str>,
    /// The rule that refuses; `None` if none matched.
    pub rule: Option<RuleRef>,
}

impl Refusal {
    pub(super) fn no_rule() -> Refusal {
        Refusal {
            code: RefusalCode::NoRoute,
            text: "no rule of the dialplan matches the number".into(),
            rule: None,
        }
    }

    pub(super) fn not_called(rule: RuleRef) -> Refusal {
        Refusal {
            code: RefusalCode::NoCallRoute,
            text: "these numbers are texted and not called".into(),
            rule: Some(rule),
        }
    }

    pub(super) fn not_texted(rule: RuleRef) -> Refusal {
        Refusal {
            code: RefusalCode::NoTextRoute,
            text: "these numbers are called and not texted".into(),
            rule: Some(rule),
        }
    }

    /// Its stable code in the API, `premium_rate`.
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }
}

/// Why a number is not called or not texted, as the API tells it: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// For a reason that the text gives.
    Refused,
    /// No rule matched.
    NoRoute,
    /// The rule that decides is for texts alone.
    NoCallRoute,
    /// The rule that decides is for calls alone.
    NoTextRoute,
    /// The called party would earn.
    PremiumRate,
    /// Caller and called party share the cost.
    SharedCost,
    /// A satellite phone or another network of no country.
    Satellite,
    /// A pager cannot hear a prompt.
    Pager,
    /// A company's or a service's number, which no person holds.
    NotAPersonalPhone,
    /// The operator serves no numbers of this country.
    CountryNotServed,
    /// The operator serves other kinds of numbers.
    KindNotServed,
}

impl RefusalCode {
    /// All of them.
    pub const ALL: [RefusalCode; 11] = [
        RefusalCode::Refused,
        RefusalCode::NoRoute,
        RefusalCode::NoCallRoute,
        RefusalCode::NoTextRoute,
        RefusalCode::PremiumRate,
        RefusalCode::SharedCost,
        RefusalCode::Satellite,
        RefusalCode::Pager,
        RefusalCode::NotAPersonalPhone,
        RefusalCode::CountryNotServed,
        RefusalCode::KindNotServed,
    ];

    /// Its name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            RefusalCode::Refused => "refused",
            RefusalCode::NoRoute => "no_route",
            RefusalCode::NoCallRoute => "no_call_route",
            RefusalCode::NoTextRoute => "no_text_route",
            RefusalCode::PremiumRate => "premium_rate",
            RefusalCode::SharedCost => "shared_cost",
            RefusalCode::Satellite => "satellite",
            RefusalCode::Pager => "pager",
            RefusalCode::NotAPersonalPhone => "not_a_personal_phone",
            RefusalCode::CountryNotServed => "country_not_served",
            RefusalCode::KindNotServed => "kind_not_served",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<RefusalCode> {
        RefusalCode::ALL.into_iter().find(|c| c.as_str() == name)
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_name_and_serde_agrees() {
        for code in RefusalCode::ALL {
            assert_eq!(RefusalCode::from_name(code.as_str()), Some(code));
            assert_eq!(serde_json::json!(code), serde_json::json!(code.as_str()));
        }
    }
}
