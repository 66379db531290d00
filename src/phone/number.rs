//! [`PhoneNumber`]: a valid direct-dial number.

use std::fmt;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumberFormat, ValidationError,
};

use super::text::{self, Spelled};
use super::{NumberKind, PhoneError, Region};

/// E.164 6.2: at most 15 digits, country code included.
const MOST_DIGITS: usize = 15;
/// A mask hides at least this many digits after the country code.
const HIDDEN: usize = 6;
/// A mask shows at most this many.
const SHOWN: usize = 2;

/// Emergency and service numbers of no person, anywhere. Some are short enough to begin a valid
/// number, none is one; 116xxx (harmonised services of social value) is tested beside them.
const NOBODYS: [&str; 52] = [
    "000", "060", "061", "065", "066", "088", "091", "092", "100", "101", "102", "103", "104",
    "105", "106", "107", "108", "109", "110", "111", "112", "113", "114", "115", "116", "117",
    "118", "119", "120", "122", "123", "125", "127", "128", "129", "133", "140", "144", "15", "17",
    "18", "190", "191", "192", "193", "194", "195", "199", "911", "988", "997", "999",
];

/// A valid direct-dial number.
///
/// It holds its digits inline, so cloning allocates nothing. It has no `Display` and no serde of
/// its own, that it may not leak by a slip: write [`masked`](PhoneNumber::masked), or ask for
/// [`e164`](PhoneNumber::e164) by name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber {
    /// A plus sign and digits, then zeros.
    bytes: [u8; MOST_DIGITS + 1],
    len: u8,
    /// Octets of the plus sign and the country code.
    prefix: u8,
    kind: NumberKind,
    region: Region,
}

impl PhoneNumber {
    /// Reads a number in international form: a plus sign, country code and number, with the
    /// separators that people write, in digits of any script, or a `tel:` URI (RFC 3966).
    ///
    /// # Errors
    /// [`PhoneError`]: above all [`PhoneError::NotDirectDial`] for extensions, pauses and
    /// post-dial digits, and [`PhoneError::NoPlus`] for national forms.
    pub fn parse(text: &str) -> Result<PhoneNumber, PhoneError> {
        let spelled = text::read(text)?;
        if !spelled.plus() {
            return Err(match spelled.digits().len() {
                0 => PhoneError::NotANumber,
                2..=6 => PhoneError::ShortCode,
                _ => PhoneError::NoPlus,
            });
        }
        PhoneNumber::settle(&spelled, None)
    }

    /// Reads a number as it is dialled within `region`; international form is understood as well.
    ///
    /// # Errors
    /// As [`PhoneNumber::parse`], without [`PhoneError::NoPlus`].
    pub fn parse_in(text: &str, region: Region) -> Result<PhoneNumber, PhoneError> {
        PhoneNumber::settle(&text::read(text)?, Some(region))
    }

    fn settle(spelled: &Spelled, region: Option<Region>) -> Result<PhoneNumber, PhoneError> {
        let digits = spelled.digits();
        if digits.is_empty() {
            return Err(PhoneError::NotANumber);
        }
        if !spelled.plus() && is_nobodys(digits) {
            return Err(PhoneError::ShortCode);
        }
        let number = PhoneNumber::plan(spelled.dialled(), region).map_err(|error| match error {
            // National text of a few digits that is no number: 118118, 30300.
            PhoneError::TooShort | PhoneError::NotValidForRegion
                if !spelled.plus() && digits.len() <= 6 =>
            {
                PhoneError::ShortCode
            }
            other => other,
        })?;
        // A national prefix or carrier code may have been dropped. What is kept must stand for
        // itself: the stored form read again is the same number.
        if number.e164() != spelled.dialled() {
            let again = PhoneNumber::plan(number.e164(), None)?;
            if again != number {
                return Err(PhoneError::NotValidForRegion);
            }
        }
        Ok(number)
    }

    /// Asks the numbering plan. `dialled` is ASCII digits, after a plus sign or within `region`.
    fn plan(dialled: &str, region: Option<Region>) -> Result<PhoneNumber, PhoneError> {
        let plan = &*PHONE_NUMBER_UTIL;
        let parsed =
            plan.parse(dialled, region.map(Region::inner))
                .map_err(|error| match error {
                    ParseError::InvalidCountryCode => PhoneError::UnknownCountryCode,
                    ParseError::NotANumber(_) => PhoneError::NotANumber,
                    ParseError::TooShortAfterIdd | ParseError::TooShortNsn => PhoneError::TooShort,
                    ParseError::TooLongNsn => PhoneError::TooLong,
                })?;
        if parsed.extension.is_some() {
            // Digits alone cannot carry one; should the library think otherwise, believe it.
            return Err(PhoneError::NotDirectDial(super::Indirection::Extension));
        }
        let e164 = plan.format(&parsed, PhoneNumberFormat::E164);
        if e164.len() > MOST_DIGITS + 1 {
            return Err(PhoneError::TooLong);
        }
        let prefix = 1 + decimal_digits(parsed.country_code);
        if is_nobodys(e164.get(prefix..).unwrap_or("")) {
            return Err(PhoneError::ShortCode);
        }
        let shape = match plan.is_possible_number_with_reason(&parsed) {
            Ok(shape) => shape,
            Err(ValidationError::InvalidCountryCode) => return Err(PhoneError::UnknownCountryCode),
            Err(ValidationError::TooShort) => return Err(PhoneError::TooShort),
            Err(ValidationError::TooLong) => return Err(PhoneError::TooLong),
            Err(ValidationError::InvalidLength) => return Err(PhoneError::NotValidForRegion),
        };
        // Unknown is libphonenumber's word for invalid.
        let kind = NumberKind::from(plan.get_number_type(&parsed));
        let region = match plan.get_region_for_number(&parsed) {
            Some(region) if kind != NumberKind::Unknown => region,
            // Most often the number without its area code.
            _ if shape == NumberLengthType::IsPossibleLocalOnly => {
                return Err(PhoneError::TooShort);
            }
            _ => return Err(PhoneError::NotValidForRegion),
        };

        let mut bytes = [0; MOST_DIGITS + 1];
        for (to, from) in bytes.iter_mut().zip(e164.bytes()) {
            *to = from;
        }
        Ok(PhoneNumber {
            bytes,
            len: e164.len() as u8,
            prefix: prefix as u8,
            kind,
            region: Region::from_inner(region),
        })
    }

    /// The number in E.164 with its plus sign. Never log this: use [`PhoneNumber::masked`].
    pub fn e164(&self) -> &str {
        self.slice(0)
    }

    /// The country code without the plus sign.
    pub fn country_code(&self) -> &str {
        self.bytes
            .get(1..usize::from(self.prefix))
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or("")
    }

    /// The digits after the country code. Never log this.
    pub fn national(&self) -> &str {
        self.slice(usize::from(self.prefix))
    }

    /// Country code and last two digits, a star for each digit hidden: fit for logs and answers,
    /// `+44********23`. At least six digits are hidden, so seven digits after the country code
    /// show one, and fewer show none.
    pub fn masked(&self) -> String {
        let national = self.national();
        let shown = national.len().saturating_sub(HIDDEN).min(SHOWN);
        let hidden = national.len() - shown;
        let mut masked = String::with_capacity(usize::from(self.len));
        masked.push('+');
        masked.push_str(self.country_code());
        masked.extend(std::iter::repeat_n('*', hidden));
        masked.push_str(national.get(hidden..).unwrap_or(""));
        masked
    }

    /// The same phone's number as other networks write it: mobile numbers of Argentina have a 9
    /// behind the country code, which not all of them put there.
    pub fn twin(&self) -> Option<PhoneNumber> {
        let national = self.national();
        let other = match (
            self.country_code(),
            national.len(),
            national.strip_prefix('9'),
        ) {
            ("54", 11, Some(bare)) => format!("+54{bare}"),
            ("54", 10, _) => format!("+549{national}"),
            _ => return None,
        };
        PhoneNumber::parse(&other).ok()
    }

    /// What the number is used for; [`NumberKind::Unknown`] never, since such a number is not valid.
    pub fn kind(&self) -> NumberKind {
        self.kind
    }

    /// Whose numbering plan it is in; [`Region::WORLD`] for satellite phones and the like.
    pub fn region(&self) -> Region {
        self.region
    }

    fn slice(&self, from: usize) -> &str {
        self.bytes
            .get(from..usize::from(self.len))
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or("")
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

fn is_nobodys(digits: &str) -> bool {
    NOBODYS.contains(&digits) || (digits.len() == 6 && digits.starts_with("116"))
}

fn decimal_digits(country_code: i32) -> usize {
    match country_code {
        ..10 => 1,
        10..100 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
