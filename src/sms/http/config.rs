//! What an HTTP gateway is configured with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::callback::Callback;
use super::template::{self, Body, Template, TemplateError};

/// A provider that takes texts by HTTP.
#[derive(Debug, Clone)]
pub struct HttpLine {
    /// Its name in the configuration and in dialplans.
    pub name: Arc<str>,
    /// How it is asked.
    pub method: Method,
    /// Where requests go.
    pub target: Target,
    /// What they carry; `None` where the query says it all.
    pub body: Option<Body>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How we prove who we are.
    pub auth: Auth,
    /// A PEM file of the authorities that may have signed its certificate; `None` is those that
    /// the platform trusts.
    pub ca_file: Option<PathBuf>,
    /// The sender where an order names none.
    pub sender: Arc<str>,
    /// What an answer must say for the text to count as taken, beyond a status of 2xx.
    pub success: Option<Success>,
    /// Where an answer names the text (RFC 6901).
    pub id_pointer: Option<String>,
    /// How its receipts are taken, if they are.
    pub callback: Option<Callback>,
    /// How long an answer may take, connecting included.
    pub timeout: Duration,
    /// Texts a second; `None` is no limit.
    pub rate: Option<u32>,
    /// Requests at once, 1 at least.
    pub connections: u16,
    /// Messages that one text may take at most, 1 to 255.
    pub most_messages: u8,
}

/// How a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
    /// GET, without a body.
    Get,
}

/// An address whose query may have slots. `Debug` leaves the query out.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) url: Url,
    pub(super) query: Vec<(String, Template)>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.url)
    }
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no address of HTTP.
    #[error("this is no address of HTTP")]
    NotHttp,
    /// It holds a user or password.
    #[error("an address must not hold an account: use `auth`")]
    Account,
    /// A slot outside the query.
    #[error("slots like ${{to}} may stand in the query alone")]
    SlotOutside,
    /// Its query is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Target {
    /// Reads an address, `https://api.example.net/send?to=${to}`.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        if place.contains("${") {
            return Err(TargetError::SlotOutside);
        }
        let url = Url::parse(place).map_err(|_| TargetError::NotHttp)?;
        if !matches!(url.scheme(), "http" | "https") || url.fragment().is_some() {
            return Err(TargetError::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Account);
        }
        Ok(Target {
            url,
            query: template::pairs(query)?,
        })
    }

    /// Whether it is reached without TLS, over more than this machine.
    pub fn is_open(&self) -> bool {
        let local = match self.url.host_str() {
            Some("localhost" | "[::1]") => true,
            Some(host) => host.starts_with("127."),
            None => false,
        };
        self.url.scheme() == "http" && !local
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Scheme, host and path, without the query, which may hold a secret.
    pub fn shown(&self) -> String {
        self.url.to_string()
    }
}

/// How we prove who we are. `Debug` shows no secret.
#[derive(Clone)]
pub enum Auth {
    /// Not at all, or by what the other parts of the request say.
    None,
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A bearer token (RFC 6750).
    Bearer(Zeroizing<String>),
    /// A header of the provider's own.
    Header(HeaderName, Zeroizing<String>),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::None => "None",
            Auth::Basic { .. } => "Basic(..)",
            Auth::Bearer(_) => "Bearer(..)",
            Auth::Header(..) => "Header(..)",
        })
    }
}

/// What an answer must say for the text to count as taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// Where it says it (RFC 6901).
    pub pointer: String,
    /// Any of these; numbers and truth values as they are written.
    pub values: Vec<String>,
}
