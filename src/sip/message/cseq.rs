//! CSeq: number and method (RFC 3261 20.16); RAck (RFC 3262 7.2).

use super::fault::Malformed;
use super::method::Method;
use super::text::{is_lws, number, trim};

/// The greatest CSeq number: it "MUST be less than 2**31" (RFC 3261 8.1.1.5).
const LAST: u64 = (1 << 31) - 1;

/// A CSeq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// The request's method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// From text.
    pub fn parse(text: &'a str) -> Result<CSeq<'a>, Malformed> {
        CSeq::from_bytes(text.as_bytes())
    }

    pub(super) fn from_bytes(text: &'a [u8]) -> Result<CSeq<'a>, Malformed> {
        let bad = Malformed("CSeq");
        let text = trim(text);
        let end = text.iter().position(|b| is_lws(*b)).ok_or(bad)?;
        let (digits, method) = text.split_at(end);
        let method = std::str::from_utf8(trim(method)).map_err(|_| bad)?;
        Ok(CSeq {
            number: number(digits, LAST).ok_or(bad)? as u32,
            method: Method::parse(method).ok_or(bad)?,
        })
    }
}

/// A RAck: which reliable provisional response a PRACK acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub response: u32,
    /// Its CSeq.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// From text.
    pub fn parse(text: &'a str) -> Result<RAck<'a>, Malformed> {
        let bad = Malformed("RAck");
        let text = text.trim();
        let end = text.bytes().position(is_lws).ok_or(bad)?;
        let (response, cseq) = text.split_at(end);
        Ok(RAck {
            response: number(response.as_bytes(), u64::from(u32::MAX)).ok_or(bad)? as u32,
            cseq: CSeq::parse(cseq).map_err(|_| bad)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_methods() {
        let cseq = CSeq::parse("0009\r\n  INVITE").expect("sound");
        assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
        assert!(CSeq::parse("2147483647 ACK").is_ok());
        for bad in [
            "",
            "1",
            "INVITE",
            "2147483648 ACK",
            "-1 ACK",
            "1 A B",
            "1\u{a0}ACK",
            "36893488147419103232 REGISTER",
        ] {
            assert!(CSeq::parse(bad).is_err(), "{bad}");
        }
        let rack = RAck::parse(" 776656  1 INVITE").expect("sound");
        assert_eq!((rack.response, rack.cseq.number), (776_656, 1));
        assert!(RAck::parse("1 INVITE").is_err());
    }
}
