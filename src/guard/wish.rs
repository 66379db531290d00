//! What a person who answers a text wishes: the usual words for no more texts, and for texts again.

/// What a person wishes of one who sends texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
}

/// Words of English, French, Spanish and Italian, and those that carriers of the United States
/// require (CTIA Messaging Principles and Best Practices 5.1.3); in small letters, without accents.
const STOP: [&str; 19] = [
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "opt out",
    "arret",
    "arreter",
    "desabonner",
    "alto",
    "baja",
    "parar",
    "cancelar",
    "ferma",
    "basta",
];
const START: [&str; 6] = [
    "start",
    "unstop",
    "subscribe",
    "reprendre",
    "alta",
    "riprendi",
];
/// Longer messages are no single word.
const LONGEST: usize = 40;

impl Wish {
    /// The wish of a message that is one of the words and nothing else: somebody who writes *please
    /// do not stop* wishes nothing here. Case, accents and marks around the word do not count.
    pub fn of(message: &str) -> Option<Wish> {
        // Some carriers fill messages up with blanks.
        let message = message.trim_matches(|c: char| !c.is_alphanumeric());
        if message.len() > LONGEST {
            return None;
        }
        let plain: String = message
            .to_lowercase()
            .chars()
            .map(|c| match c {
                'á' | 'à' | 'â' => 'a',
                'é' | 'è' | 'ê' => 'e',
                'í' | 'ì' | 'î' => 'i',
                'ó' | 'ò' | 'ô' => 'o',
                'ú' | 'ù' | 'û' => 'u',
                other => other,
            })
            .collect();
        let word = plain.trim_matches(|c: char| !c.is_alphanumeric());
        if STOP.contains(&word) {
            Some(Wish::Stop)
        } else if START.contains(&word) {
            Some(Wish::Start)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_words_are_known_however_they_are_written() {
        for text in [
            "STOP                                        ",
            "STOP",
            "stop",
            " Stop. ",
            "\"STOP\"",
            "ARRÊT",
            "Arret!",
            "BAJA",
            "basta\n",
        ] {
            assert_eq!(Wish::of(text), Some(Wish::Stop), "{text}");
        }
        for text in ["START", "Unstop", "alta"] {
            assert_eq!(Wish::of(text), Some(Wish::Start), "{text}");
        }
        for text in [
            "",
            "please do not stop",
            "123456",
            "stop it, this was not me, who are you people anyway",
            "stopp",
            "\u{1f6d1}",
        ] {
            assert_eq!(Wish::of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_message_is_read(text in "\\PC{0,60}") {
            let _ = Wish::of(&text);
        }
    }
}
