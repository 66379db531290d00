//! Texts: the GSM 7 bit alphabet and its national variants, UCS-2, counting, splitting and joining
//! (3GPP TS 23.038, 3GPP TS 23.040 9.2.3.24, SMPP 3.4 5.2.19).

mod alphabet;
mod header;
mod incoming;
mod outgoing;
mod tables;

pub use alphabet::{Alphabet, Language, Septets, pack, unpack};
pub use header::Part;
pub use incoming::{Assembler, Reading, read};
pub(crate) use outgoing::write_single;
pub use outgoing::{
    Coding, Concatenation, DefaultAlphabet, Measure, Message, Style, TextError, measure, write,
};

#[cfg(test)]
mod tests;
