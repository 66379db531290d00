//! What a number is used for, as its country's numbering plan says.

use rlibphonenumber::PhoneNumberType;
use serde::{Deserialize, Serialize};

/// What a number is used for, by its country's numbering plan (libphonenumber's metadata).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberKind {
    /// A mobile phone.
    Mobile,
    /// A phone on a wire.
    FixedLine,
    /// Either: the plan does not tell them apart (North America).
    FixedOrMobile,
    /// Premium rate: the called party earns.
    Premium,
    /// Shared cost.
    SharedCost,
    /// Free to the caller.
    TollFree,
    /// Voice over IP.
    Voip,
    /// A personal number that follows its owner.
    Personal,
    /// A pager.
    Pager,
    /// A universal access number of a company.
    Uan,
    /// A voicemail box.
    Voicemail,
    /// Valid, and of no use that the plan names.
    Unknown,
}

impl NumberKind {
    /// All twelve.
    pub const ALL: [NumberKind; 12] = [
        NumberKind::Mobile,
        NumberKind::FixedLine,
        NumberKind::FixedOrMobile,
        NumberKind::Premium,
        NumberKind::SharedCost,
        NumberKind::TollFree,
        NumberKind::Voip,
        NumberKind::Personal,
        NumberKind::Pager,
        NumberKind::Uan,
        NumberKind::Voicemail,
        NumberKind::Unknown,
    ];

    /// Its name in files and answers, `fixed_line`.
    pub const fn as_str(self) -> &'static str {
        match self {
            NumberKind::Mobile => "mobile",
            NumberKind::FixedLine => "fixed_line",
            NumberKind::FixedOrMobile => "fixed_or_mobile",
            NumberKind::Premium => "premium",
            NumberKind::SharedCost => "shared_cost",
            NumberKind::TollFree => "toll_free",
            NumberKind::Voip => "voip",
            NumberKind::Personal => "personal",
            NumberKind::Pager => "pager",
            NumberKind::Uan => "uan",
            NumberKind::Voicemail => "voicemail",
            NumberKind::Unknown => "unknown",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<NumberKind> {
        NumberKind::ALL.into_iter().find(|k| k.as_str() == name)
    }
}

impl std::fmt::Display for NumberKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<PhoneNumberType> for NumberKind {
    fn from(kind: PhoneNumberType) -> NumberKind {
        match kind {
            PhoneNumberType::Mobile => NumberKind::Mobile,
            PhoneNumberType::FixedLine => NumberKind::FixedLine,
            PhoneNumberType::FixedLineOrMobile => NumberKind::FixedOrMobile,
            PhoneNumberType::PremiumRate => NumberKind::Premium,
            PhoneNumberType::SharedCost => NumberKind::SharedCost,
            PhoneNumberType::TollFree => NumberKind::TollFree,
            PhoneNumberType::VoIP => NumberKind::Voip,
            PhoneNumberType::PersonalNumber => NumberKind::Personal,
            PhoneNumberType::Pager => NumberKind::Pager,
            PhoneNumberType::UAN => NumberKind::Uan,
            PhoneNumberType::VoiceMail => NumberKind::Voicemail,
            PhoneNumberType::Unknown => NumberKind::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name_and_serde_agrees() {
        for kind in NumberKind::ALL {
            assert_eq!(NumberKind::from_name(kind.as_str()), Some(kind));
            assert_eq!(
                serde_json::to_value(kind).unwrap(),
                serde_json::Value::from(kind.as_str())
            );
        }
        assert_eq!(NumberKind::from_name("Mobile"), None);
    }
}
