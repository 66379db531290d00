//! The names of the recordings that a verification call plays.

use std::fmt;

/// One recording of the required set; its file is `NAME.wav` in the locale's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PromptName {
    /// Who is calling: "Hello. Thank you for using sign-in verification."
    Greeting,
    /// The invitation to press, and how to refuse: a key counts from here on.
    PressHash,
    /// The invitation once more, shorter.
    PressHashAgain,
    /// Goodbye after an approval.
    GoodbyeApproved,
    /// Goodbye after silence, wrong keys or an error.
    GoodbyeFailed,
    /// Goodbye after the person said that it was not them.
    GoodbyeRefused,
    /// A key was heard, but not the one asked for.
    WrongKey,
    /// A digit read aloud, 0 to 9.
    Digit0,
    #[allow(missing_docs)]
    Digit1,
    #[allow(missing_docs)]
    Digit2,
    #[allow(missing_docs)]
    Digit3,
    #[allow(missing_docs)]
    Digit4,
    #[allow(missing_docs)]
    Digit5,
    #[allow(missing_docs)]
    Digit6,
    #[allow(missing_docs)]
    Digit7,
    #[allow(missing_docs)]
    Digit8,
    #[allow(missing_docs)]
    Digit9,
}

impl PromptName {
    /// How many there are.
    pub const COUNT: usize = 17;

    /// All of them, in the order of their `usize` values.
    pub const ALL: [PromptName; PromptName::COUNT] = [
        PromptName::Greeting,
        PromptName::PressHash,
        PromptName::PressHashAgain,
        PromptName::GoodbyeApproved,
        PromptName::GoodbyeFailed,
        PromptName::GoodbyeRefused,
        PromptName::WrongKey,
        PromptName::Digit0,
        PromptName::Digit1,
        PromptName::Digit2,
        PromptName::Digit3,
        PromptName::Digit4,
        PromptName::Digit5,
        PromptName::Digit6,
        PromptName::Digit7,
        PromptName::Digit8,
        PromptName::Digit9,
    ];

    /// The recording of a digit; `None` above 9.
    pub fn digit(value: u8) -> Option<PromptName> {
        let first = PromptName::Digit0 as usize;
        PromptName::ALL[first..].get(usize::from(value)).copied()
    }

    /// Whether it is a single digit rather than a sentence.
    pub fn is_digit(self) -> bool {
        self >= PromptName::Digit0
    }

    /// From the name of its file without `.wav`.
    pub fn from_file_stem(stem: &str) -> Option<PromptName> {
        PromptName::ALL.into_iter().find(|n| n.as_str() == stem)
    }

    /// The name of its file without `.wav`.
    pub const fn as_str(self) -> &'static str {
        match self {
            PromptName::Greeting => "greeting",
            PromptName::PressHash => "press-hash",
            PromptName::PressHashAgain => "press-hash-again",
            PromptName::GoodbyeApproved => "goodbye-approved",
            PromptName::GoodbyeFailed => "goodbye-failed",
            PromptName::GoodbyeRefused => "goodbye-refused",
            PromptName::WrongKey => "wrong-key",
            PromptName::Digit0 => "digit-0",
            PromptName::Digit1 => "digit-1",
            PromptName::Digit2 => "digit-2",
            PromptName::Digit3 => "digit-3",
            PromptName::Digit4 => "digit-4",
            PromptName::Digit5 => "digit-5",
            PromptName::Digit6 => "digit-6",
            PromptName::Digit7 => "digit-7",
            PromptName::Digit8 => "digit-8",
            PromptName::Digit9 => "digit-9",
        }
    }
}

impl fmt::Display for PromptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_agree() {
        for (value, name) in PromptName::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, value);
            assert_eq!(PromptName::from_file_stem(name.as_str()), Some(name));
        }
        assert_eq!(PromptName::from_file_stem("Greeting"), None);
    }

    #[test]
    fn digits_are_named_by_their_value() {
        for value in 0..10 {
            let name = PromptName::digit(value).unwrap();
            assert_eq!(name.to_string(), format!("digit-{value}"));
            assert!(name.is_digit());
        }
        assert_eq!(PromptName::digit(10), None);
        assert!(!PromptName::WrongKey.is_digit());
    }
}
