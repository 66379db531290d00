//! Reads what people write for a phone number down to a plus sign and ASCII digits.
//!
//! Everything that libphonenumber's parser would skip over, guess at or set aside (extensions,
//! letters, a second number) is told apart and refused here, so that its regular expressions see
//! a few ASCII digits and nothing else.

use rlibphonenumber::PHONE_NUMBER_UTIL;

use super::{Indirection, PhoneError};

/// The longest text that is read at all, in octets: a number with every separator fits many times.
pub(super) const LONGEST_TEXT: usize = 128;
/// Digits kept: 15 of E.164 6.2, and room for an international or national prefix and carrier code.
const MOST_DIGITS: usize = 24;

/// A number as spelled: whether it began with a plus sign, and its digits.
#[derive(Clone, Copy)]
pub(super) struct Spelled {
    /// A plus sign, then digits; the plus is at index 0 whether or not it was written.
    bytes: [u8; MOST_DIGITS + 1],
    len: usize,
    plus: bool,
}

impl Spelled {
    fn new() -> Spelled {
        let mut bytes = [0; MOST_DIGITS + 1];
        bytes[0] = b'+';
        Spelled {
            bytes,
            len: 1,
            plus: false,
        }
    }

    fn push(&mut self, digit: u8) -> Result<(), PhoneError> {
        let place = self.bytes.get_mut(self.len).ok_or(PhoneError::TooLong)?;
        *place = digit;
        self.len += 1;
        Ok(())
    }

    /// Whether it was written in international form.
    pub(super) fn plus(&self) -> bool {
        self.plus
    }

    /// The digits alone.
    pub(super) fn digits(&self) -> &str {
        self.slice(1)
    }

    /// The digits, after a plus sign if there was one.
    pub(super) fn dialled(&self) -> &str {
        self.slice(usize::from(!self.plus))
    }

    fn slice(&self, from: usize) -> &str {
        self.bytes
            .get(from..self.len)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or("")
    }
}

/// Reads `text`, free or a `tel:` URI (RFC 3966).
pub(super) fn read(text: &str) -> Result<Spelled, PhoneError> {
    if text.len() > LONGEST_TEXT {
        return Err(PhoneError::TooLong);
    }
    let text = text.trim_matches(is_edge);
    if text.is_empty() {
        return Err(PhoneError::Empty);
    }
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => {
            read_uri(text.get(4..).unwrap_or(""))
        }
        _ => {
            let mut spelled = Spelled::new();
            read_into(&mut spelled, text)?;
            Ok(spelled)
        }
    }
}

/// The part of a `tel:` URI after its scheme.
fn read_uri(rest: &str) -> Result<Spelled, PhoneError> {
    let mut parts = rest.split(';');
    let subscriber = parts.next().unwrap_or("");
    let mut context = None;
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // RFC 3966 3: parameter names are case-insensitive.
        let refused = match name.to_ascii_lowercase().as_str() {
            "phone-context" if context.is_some() => return Err(PhoneError::NotANumber),
            "phone-context" if value.starts_with('+') => {
                context = Some(value);
                continue;
            }
            "phone-context" => Indirection::LocalContext,
            "ext" => Indirection::Extension,
            "isub" => Indirection::Subaddress,
            "postd" => Indirection::PostDial,
            "" => return Err(PhoneError::NotANumber),
            _ => Indirection::Parameter,
        };
        return Err(PhoneError::NotDirectDial(refused));
    }
    let mut spelled = Spelled::new();
    if let Some(context) = context {
        read_into(&mut spelled, context)?;
        let before = spelled.len;
        read_into(&mut spelled, subscriber)?;
        // A local number of no digits; read_into has refused a second plus sign already
        // (RFC 3966 5.1.5: a global number has no context).
        if spelled.len == before {
            return Err(PhoneError::NotANumber);
        }
    } else {
        read_into(&mut spelled, subscriber)?;
    }
    Ok(spelled)
}

/// Appends the digits of `text`, which may hold separators and one leading plus sign besides.
fn read_into(spelled: &mut Spelled, text: &str) -> Result<(), PhoneError> {
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' => spelled.push(c as u8)?,
            '+' | '\u{FF0B}' => {
                if spelled.plus || spelled.len > 1 {
                    return Err(PhoneError::NotANumber);
                }
                spelled.plus = true;
            }
            ',' | ';' | '~' | '\u{2053}' | '\u{223C}' | '\u{FF5E}' | '\u{FF0C}' | '\u{FF1B}' => {
                return Err(PhoneError::NotDirectDial(Indirection::Pause));
            }
            // `555-0100 #12` and `555-0100 12#` are extensions; `*21*...#` and `#31#...` begin
            // with their sign and are orders to the network.
            '#' | '\u{FF03}' if spelled.len > 1 => {
                return Err(PhoneError::NotDirectDial(Indirection::Extension));
            }
            '#' | '\u{FF03}' | '*' | '\u{FF0A}' => {
                return Err(PhoneError::NotDirectDial(Indirection::ServiceCode));
            }
            c if is_separator(c) => {}
            c if c.is_alphabetic() => {
                let word = text.get(at..).unwrap_or("");
                return Err(refuse_letters(word, spelled.plus || spelled.len > 1));
            }
            c => match decimal(c) {
                Some(digit) => spelled.push(digit)?,
                None => return Err(PhoneError::NotANumber),
            },
        }
    }
    Ok(())
}

/// What letters in a number mean; `rest` begins with the first of them.
fn refuse_letters(rest: &str, after_digits: bool) -> PhoneError {
    /// Words for *extension*, those of libphonenumber and the commonest others, lower case.
    const EXTENSION: [&str; 16] = [
        "x",
        "доб",
        "anexo",
        "int",
        "interno",
        "poste",
        "wew",
        "dw",
        "durchwahl",
        "klappe",
        "ramal",
        "toestel",
        "dahili",
        "ｘ",
        "ｘｔ",
        "ｉｎｔ",
    ];
    if !after_digits {
        return PhoneError::NotANumber;
    }
    let word: String = rest
        .chars()
        .take_while(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect();
    if word.chars().all(|c| c == 'p' || c == 'w') {
        PhoneError::NotDirectDial(Indirection::Pause)
    } else if ["ext", "xt", "ｅｘｔ"].iter().any(|e| word.starts_with(e))
        || EXTENSION.contains(&word.as_str())
    {
        PhoneError::NotDirectDial(Indirection::Extension)
    } else {
        PhoneError::Letters
    }
}

/// What may stand between digits: libphonenumber's punctuation without its `x` and its tildes,
/// which mean an extension or a pause here.
fn is_separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '-' | '.' | '(' | ')' | '[' | ']' | '/'
            | '\u{00A0}' | '\u{00AD}' | '\u{200B}' | '\u{2060}' | '\u{3000}'
            | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}'
            | '\u{202F}' | '\u{2009}'
            | '\u{FF08}' | '\u{FF09}' | '\u{FF0D}'..='\u{FF0F}' | '\u{FF3B}' | '\u{FF3D}'
    )
}

/// What may surround a number: white space, and the direction marks that address books copy along.
fn is_edge(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
                | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
        )
}

/// The ASCII digit of a decimal digit in any script.
fn decimal(c: char) -> Option<u8> {
    if c.is_ascii() || !c.is_numeric() {
        return None;
    }
    let mut buffer = [0; 4];
    let ascii = PHONE_NUMBER_UTIL.normalize_digits_only(c.encode_utf8(&mut buffer));
    match ascii.as_bytes() {
        [digit @ b'0'..=b'9'] => Some(*digit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> Result<String, PhoneError> {
        read(text).map(|s| s.dialled().to_owned())
    }

    #[test]
    fn separators_marks_and_scripts_are_read_through() {
        for text in [
            "+442079460123",
            "  +44 20 7946 0123\n",
            "+44-20-7946-0123",
            "(+44) 20.7946.0123",
            "+44/20[7946]0123",
            "\u{202A}+44 20 7946 0123\u{202C}",
            "\u{FF0B}４４２０７９４６０１２３",
            "+٤٤ ٢٠ ٧٩٤٦ ٠١٢٣",
            "+४४ २० ७९४६ ०१२३",
            "+44\u{00A0}20\u{2011}7946\u{2013}0123",
            "tel:+44-20-7946-0123",
            "TEL:+442079460123",
            "tel:20-7946-0123;phone-context=+44",
            "tel:79460123;Phone-Context=+44-20",
        ] {
            assert_eq!(spelled(text).as_deref(), Ok("+442079460123"), "{text}");
        }
        assert_eq!(spelled("020 7946 0123").as_deref(), Ok("02079460123"));
    }

    #[test]
    fn what_dials_on_is_told_apart() {
        use Indirection::*;
        for (text, why) in [
            ("+442079460123x12", Extension),
            ("+442079460123 X 12", Extension),
            ("+442079460123 ext. 12", Extension),
            ("+442079460123 Extn 12", Extension),
            ("+442079460123 extension:12", Extension),
            ("+442079460123 extensio\u{301}n 12", Extension),
            ("+34 912 34 56 78 extensión 12", Extension),
            ("+7 495 123 45 67 доб. 12", Extension),
            ("+442079460123 ｘ12", Extension),
            ("+442079460123 ｅｘｔｎ12", Extension),
            ("+442079460123#12", Extension),
            ("+1 650 253 0000 - 503#", Extension),
            ("+49 30 123456 Durchwahl 78", Extension),
            ("+33 1 23 45 67 89 poste 12", Extension),
            ("+442079460123,12", Pause),
            ("+442079460123,,12#", Pause),
            ("+442079460123;12", Pause),
            ("+442079460123;ext=12", Pause),
            ("+442079460123p12", Pause),
            ("+442079460123 PP12", Pause),
            ("+442079460123w12", Pause),
            ("+442079460123~12", Pause),
            ("+442079460123*12", ServiceCode),
            ("*21*+442079460123#", ServiceCode),
            ("#31#+442079460123", ServiceCode),
            ("tel:+442079460123;ext=12", Extension),
            ("tel:+442079460123;EXT=12", Extension),
            ("tel:+442079460123;isub=12", Subaddress),
            ("tel:+442079460123;postd=p12", PostDial),
            ("tel:+442079460123;rn=+441", Parameter),
            ("tel:+442079460123p12", Pause),
            ("tel:7042;phone-context=example.com", LocalContext),
        ] {
            assert_eq!(spelled(text), Err(PhoneError::NotDirectDial(why)), "{text}");
        }
    }

    #[test]
    fn the_rest_is_refused_for_what_it_is() {
        use PhoneError::*;
        for (text, error) in [
            ("", Empty),
            (" \t\u{200E}", Empty),
            ("tel:", Empty),
            ("+1 800 FLOWERS", Letters),
            ("+1-800-CALL-NOW", Letters),
            ("hello", NotANumber),
            ("sip:+442079460123@example.com", NotANumber),
            ("phone +44", NotANumber),
            ("++442079460123", NotANumber),
            ("44+2079460123", NotANumber),
            ("+44\n2079460123", NotANumber),
            ("+44\u{0}2079460123", NotANumber),
            ("+44 20 7946 0123 / +44 20 7946 0124", NotANumber),
            ("+44½", NotANumber),
            ("+44%20", NotANumber),
            ("+4420794601234567890123456", TooLong),
            ("tel:+44;;", NotANumber),
            ("tel:+2079460123;phone-context=+44", NotANumber),
            ("tel:;phone-context=+44", NotANumber),
            ("tel:20;phone-context=+44;phone-context=+45", NotANumber),
        ] {
            let got = spelled(text).and_then(|s| if s.is_empty() { Err(Empty) } else { Ok(s) });
            assert_eq!(got, Err(error), "{text:?}");
        }
        assert_eq!(spelled(&"1 ".repeat(65)), Err(TooLong));
        assert_eq!(spelled(&"(".repeat(LONGEST_TEXT + 1)), Err(TooLong));
    }
}
