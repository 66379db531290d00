//! The configuration file: one TOML file, read strictly.
//!
//! Everything has a default; without a file Ringtrue keeps its store under `data/` and calls its
//! own sandbox phone. A key that does not exist is an error that names the one probably meant.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::audio::Codec;
use crate::dialplan::with_suggestion;
use crate::dtmf::Digit;
use crate::guard::GuardConfig;
use crate::sip::transaction::Account;
use crate::voice::{CallPolicy, Trunk};

/// What is wrong with the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 for the file itself.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub what: String,
}

/// The whole configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: StoreFiles,
    /// `[sip]`
    pub sip: Sip,
    /// `[media]`
    pub media: Media,
    /// `[trunk.NAME]`; none means the sandbox phone.
    pub trunk: BTreeMap<String, TrunkText>,
    /// `[call]`
    pub call: Call,
    /// `[challenge]`
    pub challenge: ChallengeLimits,
    /// `[guard]`
    pub guard: GuardText,
    /// `[prompts]`
    pub prompts: Folder,
    /// `[dialplan]`
    pub dialplan: Folder,
}

/// Every key there is, for suggestions.
const KEYS: [&str; 44] = [
    "server",
    "store",
    "sip",
    "media",
    "trunk",
    "call",
    "challenge",
    "guard",
    "prompts",
    "dialplan",
    "listen",
    "path",
    "key_file",
    "bind",
    "advertise",
    "ports",
    "shards",
    "proxy",
    "domain",
    "username",
    "password",
    "password_file",
    "caller_id",
    "codecs",
    "latch",
    "max_calls",
    "plus",
    "ring_time",
    "longest_call",
    "prompt_plays",
    "pause_between_plays",
    "listen_first",
    "wrong_keys",
    "confirm",
    "refuse",
    "refuse_forwarded",
    "media_timeout",
    "time_to_live",
    "max_open",
    "window",
    "per_number",
    "per_tenant",
    "total",
    "dir",
];

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where HTTP is served.
    pub listen: SocketAddr,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreFiles {
    /// The SQLite file.
    pub path: PathBuf,
    /// The key that numbers are encrypted with; made when missing.
    pub key_file: PathBuf,
}

impl Default for StoreFiles {
    fn default() -> Self {
        StoreFiles {
            path: "data/ringtrue.db".into(),
            key_file: "data/ringtrue.key".into(),
        }
    }
}

/// `[sip]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// Where SIP is spoken; port 0 takes any.
    pub bind: SocketAddr,
    /// The address told to trunks, where it is not the bound one.
    pub advertise: Option<SocketAddr>,
}

impl Default for Sip {
    fn default() -> Self {
        Sip {
            bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060)),
            advertise: None,
        }
    }
}

/// `[media]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// The address of the media sockets.
    pub bind: IpAddr,
    /// `first-last`; even ports of it are used.
    #[serde(deserialize_with = "ports")]
    pub ports: (u16, u16),
    /// Threads.
    pub shards: usize,
}

impl Default for Media {
    fn default() -> Self {
        Media {
            bind: Ipv4Addr::UNSPECIFIED.into(),
            ports: (20_000, 29_999),
            shards: 2,
        }
    }
}

/// `[trunk.NAME]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkText {
    proxy: String,
    domain: Option<String>,
    username: Option<String>,
    password: Option<Zeroizing<String>>,
    password_file: Option<PathBuf>,
    caller_id: Option<String>,
    #[serde(default = "both_codecs")]
    codecs: Vec<String>,
    #[serde(default)]
    latch: bool,
    #[serde(default = "thousand")]
    max_calls: usize,
    #[serde(default = "yes")]
    plus: bool,
}

/// The password never shows.
impl std::fmt::Debug for TrunkText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trunk")
            .field("proxy", &self.proxy)
            .field("domain", &self.domain)
            .field("username", &self.username)
            .field("caller_id", &self.caller_id)
            .field("codecs", &self.codecs)
            .field("latch", &self.latch)
            .field("max_calls", &self.max_calls)
            .field("plus", &self.plus)
            .finish_non_exhaustive()
    }
}

/// `[call]`; see [`CallPolicy`].
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of CallPolicy with its name")]
pub struct Call {
    #[serde(deserialize_with = "duration")]
    pub ring_time: Duration,
    #[serde(deserialize_with = "duration")]
    pub longest_call: Duration,
    pub prompt_plays: u32,
    #[serde(deserialize_with = "duration")]
    pub pause_between_plays: Duration,
    #[serde(deserialize_with = "duration")]
    pub listen_first: Duration,
    pub wrong_keys: u32,
    #[serde(deserialize_with = "key")]
    pub confirm: Digit,
    #[serde(deserialize_with = "key_or_none")]
    pub refuse: Option<Digit>,
    pub refuse_forwarded: bool,
    #[serde(deserialize_with = "duration")]
    pub media_timeout: Duration,
}

impl Default for Call {
    fn default() -> Self {
        let p = CallPolicy::default();
        Call {
            ring_time: p.ring_time,
            longest_call: p.longest_call,
            prompt_plays: p.prompt_plays,
            pause_between_plays: p.pause_between_plays,
            listen_first: p.listen_first,
            wrong_keys: p.wrong_keys,
            confirm: p.confirm,
            refuse: p.refuse,
            refuse_forwarded: p.refuse_forwarded,
            media_timeout: p.media_timeout,
        }
    }
}

/// `[challenge]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChallengeLimits {
    /// The life of a challenge that names none.
    #[serde(deserialize_with = "duration")]
    pub time_to_live: Duration,
    /// Most challenges open at once.
    pub max_open: usize,
}

impl Default for ChallengeLimits {
    fn default() -> Self {
        ChallengeLimits {
            time_to_live: Duration::from_secs(120),
            max_open: 10_000,
        }
    }
}

/// `[guard]`; see [`GuardConfig`].
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each is the field of GuardConfig with its name"
)]
pub struct GuardText {
    #[serde(deserialize_with = "duration")]
    pub window: Duration,
    pub per_number: u32,
    pub per_tenant: u32,
    pub total: u32,
}

impl Default for GuardText {
    fn default() -> Self {
        let g = GuardConfig::default();
        GuardText {
            window: g.window,
            per_number: g.per_number,
            per_tenant: g.per_tenant,
            total: g.total,
        }
    }
}

/// A folder; without one, what comes with the program.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Folder {
    /// The folder.
    pub dir: Option<PathBuf>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            file: file.clone(),
            line: 0,
            what: format!("cannot be read: {error}"),
        })?;
        Config::parse(&file, &text)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start).min(text.len());
            ConfigError {
                file: file.into(),
                line: text.as_bytes()[..start]
                    .iter()
                    .filter(|b| **b == b'\n')
                    .count()
                    + 1,
                what: with_suggestion(error.message(), &KEYS),
            }
        })?;
        let fault = |what: &str| ConfigError {
            file: file.into(),
            line: 0,
            what: what.into(),
        };
        if config.call.prompt_plays == 0 || config.call.wrong_keys == 0 {
            return Err(fault("[call] prompt_plays and wrong_keys are at least 1"));
        }
        if config.call.refuse == Some(config.call.confirm) {
            return Err(fault("[call] confirm and refuse must be two keys"));
        }
        if !config.trunk.is_empty() && config.dialplan.dir.is_none() {
            return Err(fault(
                "with a trunk, [dialplan] dir must say where the dialplans are",
            ));
        }
        config.trunks().map_err(|what| fault(&what))?;
        Ok(config)
    }

    /// The trunks, their secrets read.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn trunks(&self) -> Result<Vec<Trunk>, String> {
        self.trunk
            .iter()
            .map(|(name, text)| text.trunk(name))
            .collect()
    }

    /// The policy of calls.
    pub fn policy(&self) -> CallPolicy {
        let c = &self.call;
        CallPolicy {
            ring_time: c.ring_time,
            longest_call: c.longest_call,
            prompt_plays: c.prompt_plays,
            pause_between_plays: c.pause_between_plays,
            listen_first: c.listen_first,
            wrong_keys: c.wrong_keys,
            confirm: c.confirm,
            refuse: c.refuse,
            refuse_forwarded: c.refuse_forwarded,
            media_timeout: c.media_timeout,
        }
    }

    /// The limits of the guard.
    pub fn guard(&self) -> GuardConfig {
        GuardConfig {
            window: self.guard.window,
            per_number: self.guard.per_number,
            per_tenant: self.guard.per_tenant,
            total: self.guard.total,
        }
    }
}

impl TrunkText {
    fn trunk(&self, name: &str) -> Result<Trunk, String> {
        let at = |what: &str| format!("[trunk.{name}] {what}");
        let password = match (&self.password, &self.password_file) {
            (Some(_), Some(_)) => return Err(at("has password and password_file; keep one")),
            (Some(password), None) => Some(password.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| at(&format!("password_file {}: {error}", path.display())))?;
                Some(Zeroizing::new(
                    text.trim_end_matches(['\r', '\n']).to_owned(),
                ))
            }
            (None, None) => None,
        };
        let credentials = match (&self.username, password) {
            (Some(username), Some(password)) => Some(
                Account {
                    username: username.as_str().into(),
                    password,
                }
                .into(),
            ),
            (None, None) => None,
            _ => return Err(at("needs username and password together, or neither")),
        };
        let mut codecs = Vec::new();
        for codec in &self.codecs {
            codecs.push(match codec.to_ascii_uppercase().as_str() {
                "PCMU" => Codec::Pcmu,
                "PCMA" => Codec::Pcma,
                _ => {
                    return Err(at(&format!(
                        "knows no codec `{codec}`; there are PCMU and PCMA"
                    )));
                }
            });
        }
        if codecs.is_empty() {
            return Err(at("needs a codec: PCMU, PCMA or both"));
        }
        // The host without its port.
        let host = match self.proxy.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() && !host.ends_with(':') => host,
            _ => &self.proxy,
        };
        Ok(Trunk {
            name: name.into(),
            proxy: self.proxy.as_str().into(),
            domain: self.domain.as_deref().unwrap_or(host).into(),
            credentials,
            caller_id: self.caller_id.as_deref().map(Into::into),
            codecs,
            latch: self.latch,
            max_calls: self.max_calls,
            plus: self.plus,
        })
    }
}

fn both_codecs() -> Vec<String> {
    vec!["PCMU".into(), "PCMA".into()]
}

fn thousand() -> usize {
    1000
}

fn yes() -> bool {
    true
}

/// `1m30s`, `30s`, `500ms`.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{text}` is no duration; write 500ms, 30s or 1m30s"
        ))
    })
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let value: u32 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match rest.get(..end)? {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return None,
        };
        rest = rest.get(end..)?;
        total = total.checked_add(unit.checked_mul(value)?)?;
    }
    (total <= Duration::from_secs(86_400)).then_some(total)
}

fn ports<'de, D: Deserializer<'de>>(from: D) -> Result<(u16, u16), D::Error> {
    let text = String::deserialize(from)?;
    text.split_once('-')
        .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)))
        .filter(|(first, last): &(u16, u16)| *first > 0 && last > first)
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no range; write 20000-29999")))
}

fn key<'de, D: Deserializer<'de>>(from: D) -> Result<Digit, D::Error> {
    let text = String::deserialize(from)?;
    let mut chars = text.chars();
    match (chars.next().and_then(Digit::from_char), chars.next()) {
        (Some(digit), None) => Ok(digit),
        _ => Err(serde::de::Error::custom(format!(
            "`{text}` is no key; write \"#\", \"*\" or a digit"
        ))),
    }
}

/// An empty string means no key.
fn key_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Digit>, D::Error> {
    let text = String::deserialize(from)?;
    match text.as_str() {
        "" => Ok(None),
        text => key(serde::de::value::StrDeserializer::new(text)).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in ["", "30", "s", "1d", "-1s", "99999h", "1s1"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_that_suggests_the_right_one() {
        let error = Config::parse("r.toml", "[call]\nring_tme = \"3s\"\n").expect_err("a fault");
        assert_eq!(
            error.to_string(),
            "r.toml:2: there is no key `ring_tme`; did you mean `ring_time`?"
        );
    }

    #[test]
    fn a_trunk_is_read_and_its_password_never_shown() {
        let text = "[dialplan]\ndir = \"d\"\n[trunk.a]\nproxy = \"sip.example.org:5062\"\nusername = \"u\"\npassword = \"hunter2\"\n";
        let config = Config::parse("r.toml", text).expect("sound");
        let trunks = config.trunks().expect("trunks");
        assert_eq!(&*trunks[0].domain, "sip.example.org");
        assert!(trunks[0].credentials.is_some());
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn faults_say_what_to_do() {
        for (text, what) in [
            ("[media]\nports = \"5\"\n", "write 20000-29999"),
            ("[call]\nconfirm = \"x\"\n", "is no key"),
            ("[call]\nconfirm = \"0\"\n", "must be two keys"),
            ("[trunk.a]\nproxy = \"h\"\n", "[dialplan] dir"),
            (
                "[dialplan]\ndir = \"d\"\n[trunk.a]\nproxy = \"h\"\nusername = \"u\"\n",
                "together",
            ),
        ] {
            let error = Config::parse("r.toml", text).expect_err(text).to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
