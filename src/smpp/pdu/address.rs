//! Addresses: type of number, numbering plan and digits or letters (SMPP 3.4 4.7.1, 5.2.5, 5.2.6).

use std::fmt;

use smallvec::SmallVec;

/// Type of number: an international number in E.164 without its plus sign.
pub const TON_INTERNATIONAL: u8 = 1;
/// Type of number: a short code or other number of the network's own.
pub const TON_NETWORK_SPECIFIC: u8 = 3;
/// Type of number: letters, the sender's name.
pub const TON_ALPHANUMERIC: u8 = 5;
/// Numbering plan: ISDN (E.163/E.164).
pub const NPI_ISDN: u8 = 1;

/// Where a text comes from or goes to. `Debug` masks numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Address<'a> {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan indicator.
    pub npi: u8,
    /// Digits, or letters where `ton` is [`TON_ALPHANUMERIC`].
    pub digits: &'a [u8],
}

impl<'a> Address<'a> {
    /// No address: the message centre's default sender.
    pub const NONE: Address<'static> = Address {
        ton: 0,
        npi: 0,
        digits: &[],
    };

    /// An international number; a leading plus sign is dropped, as the type of number says it.
    pub fn international(e164: &'a str) -> Address<'a> {
        Address {
            ton: TON_INTERNATIONAL,
            npi: NPI_ISDN,
            digits: e164.strip_prefix('+').unwrap_or(e164).as_bytes(),
        }
    }

    /// The sender that a configuration names: `+44...` is an international number, other digits
    /// (a short code) are the network's own, anything else is the sender's name in letters.
    pub fn sender(name: &'a str) -> Address<'a> {
        let bare = name.strip_prefix('+').unwrap_or(name);
        let number = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit());
        match (number, name.len() == bare.len()) {
            (true, false) => Address::international(name),
            (true, true) => Address {
                ton: TON_NETWORK_SPECIFIC,
                npi: 0,
                digits: name.as_bytes(),
            },
            (false, _) => Address {
                ton: if name.is_empty() { 0 } else { TON_ALPHANUMERIC },
                npi: 0,
                digits: name.as_bytes(),
            },
        }
    }

    /// The digits or letters as text, whatever is not ASCII replaced. This is the whole number:
    /// never log it.
    pub fn text(&self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.digits)
    }

    /// The address fit for a log: a name in letters as it is, of a number its last two digits.
    pub fn masked(&self) -> String {
        let text = self.text();
        if self.ton == TON_ALPHANUMERIC && text.chars().any(|c| c.is_ascii_alphabetic()) {
            return text.chars().filter(|c| !c.is_control()).collect();
        }
        let count = text.chars().count();
        text.chars()
            .enumerate()
            .map(|(at, c)| match c {
                '0'..='9' if at + 2 >= count && count > 4 => c,
                '+' if at == 0 => c,
                _ => '*',
            })
            .collect()
    }

    /// A copy that owns its digits.
    pub fn to_owned(&self) -> AddressBuf {
        AddressBuf {
            ton: self.ton,
            npi: self.npi,
            digits: SmallVec::from_slice(self.digits),
        }
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.ton, self.npi, self.masked())
    }
}

/// An [`Address`] that owns its digits; up to 24 of them lie inside.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct AddressBuf {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan indicator.
    pub npi: u8,
    /// Digits, or letters where `ton` is [`TON_ALPHANUMERIC`].
    pub digits: SmallVec<[u8; 24]>,
}

impl AddressBuf {
    /// A view for reading and sending.
    pub fn as_address(&self) -> Address<'_> {
        Address {
            ton: self.ton,
            npi: self.npi,
            digits: &self.digits,
        }
    }
}

impl fmt::Debug for AddressBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_address().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_get_the_type_of_number_they_are() {
        let international = Address::sender("+447700900123");
        assert_eq!(
            (international.ton, international.npi, international.digits),
            (1, 1, &b"447700900123"[..])
        );
        let short = Address::sender("80800");
        assert_eq!((short.ton, short.npi), (3, 0));
        let name = Address::sender("Ringtrue");
        assert_eq!((name.ton, name.npi), (5, 0));
        assert_eq!(Address::sender(""), Address::NONE);
        assert_eq!(Address::sender("+").ton, 5);
        assert_eq!(name.to_owned().as_address(), name);
    }

    #[test]
    fn numbers_are_masked_and_names_are_not() {
        let number = Address::international("+447700900123");
        assert_eq!(number.masked(), "**********23");
        assert_eq!(format!("{number:?}"), "1/1:**********23");
        assert_eq!(Address::sender("Ring\ntrue").masked(), "Ringtrue");
        assert_eq!(Address::sender("8080").masked(), "****");
        let disguised = Address {
            ton: TON_ALPHANUMERIC,
            npi: 0,
            digits: b"447700900123",
        };
        assert_eq!(disguised.masked(), "**********23");
    }
}
