//! The region a number belongs to.

use std::fmt;

use rlibphonenumber::PHONE_NUMBER_UTIL;
use thiserror::Error;

/// A region of a numbering plan: an ISO 3166-1 country, or `001` for numbers of no country
/// (satellite phones, international freephone).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(rlibphonenumber::Region);

/// Text that names no region with a numbering plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a region with a numbering plan: write two capital letters, as in GB")]
pub struct UnknownRegion;

impl Region {
    /// Numbers of no country.
    pub const WORLD: Region = Region(rlibphonenumber::Region::World);

    /// From an ISO 3166-1 alpha-2 code in either case.
    ///
    /// # Errors
    /// [`UnknownRegion`] if it is no such code or the country has no numbering plan of its own.
    pub fn parse(code: &str) -> Result<Region, UnknownRegion> {
        // Two letters alone: `001` is a place of the plan, and no place to dial from.
        if code.len() != 2 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(UnknownRegion);
        }
        let region = rlibphonenumber::Region::from_code(code).map_err(|_| UnknownRegion)?;
        PHONE_NUMBER_UTIL
            .get_country_code_for_region(region)
            .map(|_| Region(region))
            .ok_or(UnknownRegion)
    }

    /// Its code: two capital letters, or `001`.
    pub fn code(self) -> String {
        self.0.to_string()
    }

    pub(super) fn inner(self) -> rlibphonenumber::Region {
        self.0
    }

    pub(super) fn from_inner(region: rlibphonenumber::Region) -> Region {
        Region(region)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
