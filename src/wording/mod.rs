//! Wording: what texts say, in each locale, for each purpose and tenant.
//!
//! The words that come with the program can be put in other ones by a file of the operator. Both
//! are read in the same way: what a text may need in messages is known when the file is read, so
//! that no text is found to be too long when a person waits for it.

mod mark;
mod read;
mod template;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub use mark::{AppHash, Domain, Mark, NotADomain, NotAnAppHash};

use self::template::{Filling, Template};
use crate::audio::Locale;
use crate::challenge::{OneTimeCode, Purpose, Tenant};
use crate::document::Faults;
use crate::smpp::text::{Style, TextError, measure};

/// The file of words that comes with the program, to begin one's own from.
pub const BUILT_IN: &str = include_str!("builtin.toml");
/// What it is called where a file's name would stand.
pub const BUILT_IN_NAME: &str = "built-in:wording/builtin.toml";

/// A text for Android's SMS Retriever has at most so many octets.
const APP_OCTETS: usize = 140;

/// Every text that may be sent, ready to be filled. It never changes.
#[derive(Debug, Clone)]
pub struct Wording {
    brands: Brands,
    tenants: HashMap<Tenant, Own>,
    /// Templates by whose they are and what for; those of `None` are everybody's.
    texts: HashMap<(Option<Tenant>, Purpose), Localised>,
    /// The locales that there are words in for every purpose, in the order of their names.
    locales: Vec<Arc<str>>,
    most_messages: u8,
}

/// A text in each locale that it was written in.
type Localised = Vec<(Locale, Template)>;

/// What a tenant has of its own.
#[derive(Debug, Clone, Default)]
struct Own {
    brands: Option<Brands>,
    mark: Option<Mark>,
}

/// A brand, and others that a request may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Brands {
    usual: Arc<str>,
    others: Vec<Arc<str>>,
}

impl Brands {
    fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.usual).chain(&self.others)
    }
}

/// What a text is to say. `Debug` hides the code.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Whose challenge it is.
    pub tenant: Tenant,
    /// What the person is asked to confirm.
    pub purpose: Purpose,
    /// A locale that [`Wording::locale`] gave.
    pub locale: Arc<str>,
    /// The brand to name; `None` is the tenant's usual one.
    pub brand: Option<Arc<str>>,
    /// What the phone is told besides; `None` is the tenant's usual.
    pub mark: Option<Mark>,
    /// The code.
    pub code: OneTimeCode,
}

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordingError {
    /// There are no words in the locale; these there are.
    #[error("there are no words in this locale")]
    Locale(Vec<Arc<str>>),
    /// The tenant has no such brand; these it may name.
    #[error("the tenant has no such brand")]
    Brand(Vec<Arc<str>>),
    /// It takes more messages than allowed.
    #[error("the text takes {messages} messages, and {most} are allowed")]
    TooLong {
        /// What it would take.
        messages: usize,
        /// What is allowed.
        most: u8,
    },
    /// It has more octets than Android's SMS Retriever reads.
    #[error("the text has {0} octets, and Android's SMS Retriever reads 140")]
    TooLongForApp(usize),
}

impl Wording {
    /// The words that come with the program, each text one message.
    ///
    /// # Errors
    /// None as long as the tests pass.
    pub fn built_in() -> Result<Wording, Faults> {
        read::wording(None, 1)
    }

    /// The words of a file, in place of those that come with the program where it has some.
    /// `name` is what faults call it; a text may take `most_messages`, at least 1.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place and fix.
    pub fn parse(name: &str, text: &str, most_messages: u8) -> Result<Wording, Faults> {
        read::wording(Some((name, text)), most_messages)
    }

    /// As [`Wording::built_in`], with as many messages to a text as said, at least 1.
    ///
    /// # Errors
    /// None as long as the tests pass.
    pub fn built_in_within(most_messages: u8) -> Result<Wording, Faults> {
        read::wording(None, most_messages)
    }

    /// The locales that there are words in, for every purpose.
    pub fn locales(&self) -> &[Arc<str>] {
        &self.locales
    }

    /// The locale whose words a text has that is wanted in `wanted`: the same, or one of the same
    /// language; a tenant's own before everybody's.
    ///
    /// # Errors
    /// [`WordingError::Locale`].
    pub fn locale(
        &self,
        tenant: &Tenant,
        purpose: Purpose,
        wanted: &str,
    ) -> Result<Arc<str>, WordingError> {
        self.find(tenant, purpose, wanted)
            .map(|(locale, _)| locale.as_str().into())
            .ok_or_else(|| WordingError::Locale(self.locales.clone()))
    }

    /// The text, as valid for `left`. It is wiped when dropped.
    ///
    /// # Errors
    /// If there are no words in the locale, the tenant has no such brand, or the text gets longer
    /// than allowed.
    pub fn compose(
        &self,
        letter: &Letter,
        left: Duration,
    ) -> Result<Zeroizing<String>, WordingError> {
        let tenant = &letter.tenant;
        let (_, template) = self
            .find(tenant, letter.purpose, &letter.locale)
            .ok_or_else(|| WordingError::Locale(self.locales.clone()))?;
        let own = self.tenants.get(tenant);
        let brands = own
            .and_then(|own| own.brands.as_ref())
            .unwrap_or(&self.brands);
        let brand = match &letter.brand {
            None => &brands.usual,
            Some(wanted) => brands
                .all()
                .find(|brand| *brand == wanted)
                .ok_or_else(|| WordingError::Brand(brands.all().cloned().collect()))?,
        };
        let mark = letter.mark.as_ref();
        let filling = Filling {
            code: letter.code.reveal(),
            brand,
            minutes: minutes(left),
            mark: mark.or(own.and_then(|own| own.mark.as_ref())),
        };
        let text = template.fill(filling);
        fits(&text, filling.mark, self.most_messages)?;
        Ok(text)
    }

    fn find(&self, tenant: &Tenant, purpose: Purpose, wanted: &str) -> Option<&(Locale, Template)> {
        let of = |owner: Option<&Tenant>| {
            let texts = self.texts.get(&(owner.cloned(), purpose));
            texts.map(Vec::as_slice).unwrap_or_default()
        };
        let both = [of(Some(tenant)), of(None)];
        let all = || both.into_iter().flatten();
        let language = wanted.split(['-', '_']).next().unwrap_or(wanted);
        all()
            .find(|(locale, _)| locale.as_str().eq_ignore_ascii_case(wanted))
            .or_else(|| all().find(|(locale, _)| locale.language().eq_ignore_ascii_case(language)))
    }
}

/// Whole minutes of a time, rounded down so that no text promises too much, and at least one.
fn minutes(left: Duration) -> u64 {
    (left.as_secs() / 60).max(1)
}

/// Whether a text may be sent. It is measured as most carriers take it: in the GSM alphabet where it
/// fits that, else in UCS-2.
fn fits(text: &str, mark: Option<&Mark>, most_messages: u8) -> Result<(), WordingError> {
    let style = Style {
        most_messages,
        ..Style::default()
    };
    if let Err(TextError::TooLong { messages, most }) = measure(text, &style) {
        return Err(WordingError::TooLong { messages, most });
    }
    if matches!(mark, Some(Mark::App(_))) && text.len() > APP_OCTETS {
        return Err(WordingError::TooLongForApp(text.len()));
    }
    Ok(())
}

/// The words that come with the program.
impl Default for Wording {
    fn default() -> Self {
        // That they are sound is tested; without words, every locale would be refused.
        Wording::built_in().unwrap_or_else(|_| Wording {
            brands: Brands {
                usual: "Ringtrue".into(),
                others: Vec::new(),
            },
            tenants: HashMap::new(),
            texts: HashMap::new(),
            locales: Vec::new(),
            most_messages: 1,
        })
    }
}

#[cfg(test)]
mod tests;
