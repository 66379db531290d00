//! A name we give that the peer gives back: the branch of a request, the tag of a dialog. It says
//! where the entry lies, so that finding it needs no hashing, and holds 64 random bits, so that
//! nobody who has not seen it can guess it.

use std::fmt;

use super::slab::Handle;
use crate::sip::message::MAGIC_COOKIE;

/// Length of the text form, in octets.
const LENGTH: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) handle: Handle,
    pub(crate) secret: u64,
}

impl Cookie {
    /// From its text form; `None` where we never gave such a name.
    pub(crate) fn parse(text: &str) -> Option<Cookie> {
        let bytes: &[u8; LENGTH] = text.as_bytes().try_into().ok()?;
        let mut halves = [0u64; 2];
        for (half, digits) in halves.iter_mut().zip(bytes.chunks_exact(LENGTH / 2)) {
            for digit in digits {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *half = *half << 4 | u64::from(value);
            }
        }
        Some(Cookie {
            handle: Handle {
                index: (halves[0] >> 32) as u32,
                generation: halves[0] as u32,
            },
            secret: halves[1],
        })
    }

    /// From the branch that it makes up behind the magic cookie.
    pub(crate) fn from_branch(branch: &str) -> Option<Cookie> {
        let (magic, rest) = branch.split_at_checked(MAGIC_COOKIE.len())?;
        if !magic.eq_ignore_ascii_case(MAGIC_COOKIE) {
            return None;
        }
        Cookie::parse(rest)
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = u64::from(self.handle.index) << 32 | u64::from(self.handle.generation);
        let mut text = [0u8; LENGTH];
        let (first, second) = text.split_at_mut(LENGTH / 2);
        write_hex(place, first);
        write_hex(self.secret, second);
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// It is what keeps strangers out of a dialog, so it does not go into a log.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

fn write_hex(mut value: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        let nibble = (value & 15) as u8;
        *digit = if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        };
        value >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_back(index: u32, generation: u32, secret: u64) {
            let cookie = Cookie { handle: Handle { index, generation }, secret };
            let text = cookie.to_string();
            prop_assert_eq!(Cookie::parse(&text), Some(cookie));
            prop_assert_eq!(Cookie::from_branch(&format!("z9hG4bK{text}")), Some(cookie));
        }

        #[test]
        fn anything_else_is_none(text in ".{0,40}") {
            prop_assume!(text.len() != LENGTH);
            prop_assert_eq!(Cookie::parse(&text), None);
            prop_assert_eq!(Cookie::from_branch(&text), None);
        }
    }

    #[test]
    fn debug_keeps_the_secret() {
        let handle = Handle {
            index: 1,
            generation: 2,
        };
        let shown = format!(
            "{:?}",
            Cookie {
                handle,
                secret: 0x1234_5678_9abc_def0
            }
        );
        assert!(!shown.contains(&0x1234_5678_9abc_def0_u64.to_string()));
    }
}
