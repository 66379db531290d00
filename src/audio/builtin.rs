//! The recordings that come with the program, as files in its memory; their wording, voices and
//! licences are in `prompts/`.

use super::PromptName;

/// A locale and its WAV files in the order of [`PromptName::ALL`].
pub type LocaleFiles = (&'static str, [&'static [u8]; PromptName::COUNT]);

macro_rules! files {
    ($locale:literal: $($name:literal)*) => {
        (
            $locale,
            [$(
                include_bytes!(concat!("../../prompts/", $locale, "/", $name, ".wav")).as_slice()
            ),*],
        )
    };
}

macro_rules! locale {
    ($locale:literal) => {
        files!($locale:
            "greeting" "press-hash" "press-hash-again"
            "goodbye-approved" "goodbye-failed" "goodbye-refused" "wrong-key"
            "digit-0" "digit-1" "digit-2" "digit-3" "digit-4"
            "digit-5" "digit-6" "digit-7" "digit-8" "digit-9")
    };
}

/// Every locale.
pub static LOCALES: [LocaleFiles; 5] = [
    locale!("en-GB"),
    locale!("en-US"),
    locale!("es-ES"),
    locale!("fr-FR"),
    locale!("it-IT"),
];
