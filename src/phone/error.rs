//! Why text is not a number that we would dial: a closed list with stable codes.

use thiserror::Error;

/// Why text is not a direct-dial phone number. No variant carries the text: it may be somebody's
/// number, and errors reach logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum PhoneError {
    /// Nothing but white space.
    #[error("the phone number is empty")]
    Empty,
    /// More text than any number needs, or more than the 15 digits of E.164 6.2.
    #[error("the phone number is too long: E.164 allows 15 digits, country code included")]
    TooLong,
    /// Fewer digits than any number of its country has.
    #[error("the phone number is too short for its country")]
    TooShort,
    /// Characters that no phone number has.
    #[error("this is not a phone number")]
    NotANumber,
    /// Letters standing for digits, `+1 800 FLOWERS`.
    #[error("the phone number has letters in it: spell it in digits")]
    Letters,
    /// A national or local form where E.164 is required.
    #[error("the phone number must begin with + and its country code, as in +442079460123")]
    NoPlus,
    /// No country or network has this country code.
    #[error("the phone number's country code is not in use")]
    UnknownCountryCode,
    /// The right shape, and not a number of its country's numbering plan.
    #[error("the phone number is not valid in its country's numbering plan")]
    NotValidForRegion,
    /// An emergency number or a short code, which no person holds.
    #[error("emergency numbers and short codes cannot be called")]
    ShortCode,
    /// Something must be dialled after the call is answered, or the text orders a service.
    #[error("not a direct-dial number: {0}")]
    NotDirectDial(Indirection),
}

/// What makes a number anything but direct dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Indirection {
    /// `x123`, `ext. 123`, `#12`, `;ext=123`.
    #[error("it has an extension")]
    Extension,
    /// `,`, `;`, `p`, `w` or `~`: wait, then dial on.
    #[error("it has a pause in it")]
    Pause,
    /// `;postd=`, RFC 2806's digits to be dialled after the answer.
    #[error("it has digits to dial after the answer")]
    PostDial,
    /// `;isub=`, an ISDN subaddress (RFC 3966 5.1.3 context).
    #[error("it has an ISDN subaddress")]
    Subaddress,
    /// `*` or `#`: a service code of the network, such as `*21*` for forwarding.
    #[error("it has a service code in it")]
    ServiceCode,
    /// A `tel:` URI whose `phone-context` is a domain or missing: a private number.
    #[error("it is a local number of a private network")]
    LocalContext,
    /// A `tel:` URI with any other parameter.
    #[error("it has parameters that change where the call goes")]
    Parameter,
}

impl PhoneError {
    /// The stable code of this error in the API, `not_direct_dial`.
    pub const fn code(self) -> &'static str {
        match self {
            PhoneError::Empty => "empty",
            PhoneError::TooLong => "too_long",
            PhoneError::TooShort => "too_short",
            PhoneError::NotANumber => "not_a_number",
            PhoneError::Letters => "letters",
            PhoneError::NoPlus => "no_plus",
            PhoneError::UnknownCountryCode => "unknown_country_code",
            PhoneError::NotValidForRegion => "not_valid_for_region",
            PhoneError::ShortCode => "short_code",
            PhoneError::NotDirectDial(_) => "not_direct_dial",
        }
    }

    /// Every code that [`PhoneError::code`] can return, for documentation.
    pub const CODES: [&'static str; 10] = [
        "empty",
        "too_long",
        "too_short",
        "not_a_number",
        "letters",
        "no_plus",
        "unknown_country_code",
        "not_valid_for_region",
        "short_code",
        "not_direct_dial",
    ];
}
