//! Writes one PDU at the end of a buffer, header first, its length filled in last.

use super::{Command, EncodeError, Status};

pub(super) struct Writer<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn begin(
        out: &'b mut Vec<u8>,
        command: Command,
        status: Status,
        sequence: u32,
        body: usize,
    ) -> Writer<'b> {
        let start = out.len();
        out.reserve(super::HEADER_LEN + body);
        let mut header = [0; super::HEADER_LEN];
        header[4..8].copy_from_slice(&command.0.to_be_bytes());
        header[8..12].copy_from_slice(&status.0.to_be_bytes());
        header[12..].copy_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&header);
        Writer { out, start }
    }

    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    /// A C-octet string of at most `most` octets without its NUL.
    pub(super) fn c_string(
        &mut self,
        field: &'static str,
        text: &[u8],
        most: usize,
    ) -> Result<(), EncodeError> {
        if text.len() > most {
            return Err(EncodeError::StringTooLong { field, most });
        }
        if text.contains(&0) {
            return Err(EncodeError::NulInString { field });
        }
        self.out.extend_from_slice(text);
        self.out.push(0);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), EncodeError> {
        let length = self.out.len() - self.start;
        let length = u32::try_from(length).map_err(|_| EncodeError::PduTooLong)?;
        if let Some(field) = self.out.get_mut(self.start..self.start + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}
