//! A cursor over one PDU's body that never reads past it.

use super::{DecodeErrorKind, Tlvs};

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Reader<'a> {
        Reader { rest: body }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn octet(&mut self) -> Result<u8, DecodeErrorKind> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeErrorKind::CutOff)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn octets(&mut self, count: usize) -> Result<&'a [u8], DecodeErrorKind> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeErrorKind::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A C-octet string of at most `most` octets without its NUL (SMPP 3.4 3.1).
    pub(super) fn c_string(&mut self, most: usize) -> Result<&'a [u8], DecodeErrorKind> {
        let window = self.rest.get(..=most).unwrap_or(self.rest);
        let Some(end) = window.iter().position(|octet| *octet == 0) else {
            return Err(if self.rest.len() > most {
                DecodeErrorKind::StringTooLong
            } else {
                DecodeErrorKind::Unterminated
            });
        };
        let text = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Ok(text)
    }

    /// As [`Reader::c_string`] for the last field of a response: some message centres leave out
    /// the NUL, or the whole field.
    pub(super) fn last_c_string(&mut self, most: usize) -> Result<&'a [u8], DecodeErrorKind> {
        match self.c_string(most) {
            Err(DecodeErrorKind::Unterminated) => Ok(std::mem::take(&mut self.rest)),
            other => other,
        }
    }

    pub(super) fn tlvs(self) -> Result<Tlvs<'a>, DecodeErrorKind> {
        Tlvs::parse(self.rest)
    }

    pub(super) fn leading_tlvs(self) -> Tlvs<'a> {
        Tlvs::parse_leading(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_nul_or_are_refused() {
        let mut reader = Reader::new(b"abc\0\0rest");
        assert_eq!(reader.c_string(3), Ok(&b"abc"[..]));
        assert_eq!(reader.c_string(3), Ok(&b""[..]));
        assert_eq!(reader.c_string(3), Err(DecodeErrorKind::StringTooLong));
        assert_eq!(reader.c_string(8), Err(DecodeErrorKind::Unterminated));
        assert_eq!(reader.last_c_string(8), Ok(&b"rest"[..]));
        assert!(reader.is_empty());
        assert_eq!(reader.octet(), Err(DecodeErrorKind::CutOff));
        assert_eq!(reader.octets(1), Err(DecodeErrorKind::CutOff));
        assert_eq!(reader.octets(0), Ok(&b""[..]));
    }
}
