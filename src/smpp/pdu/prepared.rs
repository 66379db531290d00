//! A submit_sm written ahead of time.

use std::fmt;
use std::time::Duration;

use super::{EncodeError, HEADER_LEN, Sms, encode_submit, time};

/// A submit_sm with everything but its sequence number, ready to be sent as often as it takes.
/// `Debug` leaves the octets out.
#[derive(Clone, PartialEq, Eq)]
pub struct Prepared {
    octets: Box<[u8]>,
    /// Where the validity period is to be written, if it is one that [`Prepared::valid_for`] can
    /// renew.
    validity: Option<u16>,
}

impl Prepared {
    /// Writes a submit_sm.
    ///
    /// # Errors
    /// A field does not fit the wire.
    pub fn new(sms: &Sms<'_>) -> Result<Prepared, EncodeError> {
        let mut octets = Vec::with_capacity(HEADER_LEN + sms.body_len());
        encode_submit(&mut octets, 0, sms)?;
        let relative = sms.validity.len() == time::RELATIVE_LEN;
        let validity = relative.then(|| HEADER_LEN + sms.validity_at());
        Ok(Prepared {
            octets: octets.into_boxed_slice(),
            validity: validity.and_then(|at| u16::try_from(at).ok()),
        })
    }

    /// Renews the validity period, where there is one of full length.
    pub fn valid_for(&mut self, period: Duration) {
        let Some(at) = self.validity.map(usize::from) else {
            return;
        };
        if let Some(place) = self.octets.get_mut(at..at + time::RELATIVE_LEN) {
            place.copy_from_slice(&time::relative(period));
        }
    }

    /// Copies it to the end of `out` under a sequence number.
    pub(crate) fn write(&self, out: &mut Vec<u8>, sequence: u32) {
        let start = out.len();
        out.extend_from_slice(&self.octets);
        if let Some(field) = out.get_mut(start + 12..start + HEADER_LEN) {
            field.copy_from_slice(&sequence.to_be_bytes());
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared[{}]", self.octets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Address, Body, Pdu};
    use super::*;

    #[test]
    fn it_is_the_same_submit_sm() {
        for (validity, renewed) in [
            (&b"000000001000000R"[..], &b"000000000230000R"[..]),
            (b"", b""),
        ] {
            let sms = Sms {
                service_type: b"OTP",
                source: Address::sender("Ringtrue"),
                destination: Address::international("447700900123"),
                validity,
                short_message: b"Your code is 123456",
                ..Sms::default()
            };
            let mut prepared = Prepared::new(&sms).unwrap();
            assert_eq!(prepared.octets.len(), HEADER_LEN + sms.body_len());
            let mut expected = b"before".to_vec();
            encode_submit(&mut expected, 77, &sms).unwrap();
            let mut written = b"before".to_vec();
            prepared.write(&mut written, 77);
            assert_eq!(written, expected);
            prepared.valid_for(Duration::from_secs(150));
            let mut written = Vec::new();
            prepared.write(&mut written, 78);
            let pdu = Pdu::decode(&written).unwrap();
            let expected = Sms {
                validity: renewed,
                ..sms
            };
            assert_eq!((pdu.sequence, pdu.body), (78, Body::SubmitSm(expected)));
            assert!(!format!("{prepared:?}").contains("123456"));
        }
        let long = Sms {
            short_message: &[0; 255],
            ..Sms::default()
        };
        assert_eq!(Prepared::new(&long), Err(EncodeError::MessageTooLong));
    }
}
