//! The configuration file.
//!
//! One annotated `ringtrue.toml`, read strictly: an unknown key or a value that makes no sense is
//! a fault with file, line and fix, and nothing starts. Every key has a default, the one that
//! stands in the annotated file; without a file the defaults make the demonstration run: loopback
//! addresses, SQLite in `data`, the `sandbox` trunk and bind.

mod bind;
mod call;
mod challenge;
mod check;
mod dialplan;
mod guard;
mod log;
mod media;
mod prompts;
mod secret;
mod server;
mod show;
mod sip;
mod store;
mod text;
mod text_callback;
mod text_gateway;
mod trunk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

pub use self::bind::SANDBOX_CENTRE;
pub use self::challenge::Challenges;
pub use self::check::Checked;
pub use self::dialplan::DialplanFolder;
pub use self::log::{Log, LogFormat};
pub use self::media::{Media, PortRange};
pub use self::prompts::Prompts;
pub use self::server::Server;
pub use self::show::Shown;
pub use self::sip::Sip;
pub use self::store::Store;
pub use self::text::Texts;
pub use self::text_gateway::TextGateway;
pub use self::trunk::SANDBOX_PROXY;

use crate::document::{Document, Fault, Faults, read_text};
use crate::guard::Policy;
use crate::sms::SmppLine;
use crate::voice::{CallPolicy, Trunk};

/// The file that is read if none is named and it is there.
pub const FILE: &str = "ringtrue.toml";
/// The annotated file: every key with its default, to begin one's own from.
pub const ANNOTATED: &str = include_str!("../../ringtrue.toml");
/// The largest file that is read, in octets.
const LARGEST: u64 = 1 << 20;

/// Everything that an operator decides. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from; `None` for the defaults.
    pub file: Option<PathBuf>,
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: Store,
    /// `[sip]`
    pub sip: Sip,
    /// `[media]`
    pub media: Media,
    /// `[trunk.NAME]`, by name.
    pub trunks: BTreeMap<Arc<str>, Trunk>,
    /// `[bind.NAME]`, by name.
    pub binds: BTreeMap<Arc<str>, SmppLine>,
    /// `[text_gateway.NAME]`, by name.
    pub text_gateways: BTreeMap<Arc<str>, TextGateway>,
    /// `[call]`
    pub call: CallPolicy,
    /// `[challenge]`
    pub challenge: Challenges,
    /// `[text]`
    pub text: Texts,
    /// `[guard]`
    pub guard: Policy,
    /// `[prompts]`
    pub prompts: Prompts,
    /// `[dialplan]`
    pub dialplan: DialplanFolder,
    /// `[log]`
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        let sandbox = trunk::sandbox();
        let centre = bind::sandbox();
        Config {
            file: None,
            server: Server::default(),
            store: Store::default(),
            sip: Sip::default(),
            media: Media::default(),
            trunks: BTreeMap::from([(Arc::clone(&sandbox.name), sandbox)]),
            binds: BTreeMap::from([(Arc::clone(&centre.bind.name), centre)]),
            text_gateways: BTreeMap::new(),
            call: CallPolicy::default(),
            challenge: Challenges::default(),
            text: Texts::default(),
            guard: Policy::default(),
            prompts: Prompts::default(),
            dialplan: DialplanFolder::default(),
            log: Log::default(),
        }
    }
}

/// A file's text; `advice` is for one that cannot be read at all.
fn text(file: &Path, advice: &str) -> Result<Zeroizing<String>, Fault> {
    let mut text = Zeroizing::new(String::new());
    match read_text(file, LARGEST, &mut text) {
        Ok(()) => Ok(text),
        Err(fault) if fault.place.line == 0 => Err(fault.help(advice)),
        Err(fault) => Err(fault),
    }
}

impl Config {
    /// Reads the file that is named; else `ringtrue.toml` of the current folder if it is there;
    /// else takes the defaults.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn find(file: Option<&Path>) -> Result<Config, Faults> {
        match file {
            Some(file) => Config::load(file),
            None if Path::new(FILE).exists() => Config::load(Path::new(FILE)),
            None => Ok(Config::default()),
        }
    }

    /// Reads a file, and the files of secrets that it names. Relative paths in it are relative to
    /// the folder it is in.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(file: &Path) -> Result<Config, Faults> {
        let name = file.display().to_string();
        let text = text(
            file,
            "name a file that can be read, or none for the defaults",
        )?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut config = Config::parse(&name, &text, folder)?;
        config.file = Some(file.to_owned());
        Ok(config)
    }

    /// Reads a file's text; `name` is what faults call it, and relative paths are joined to
    /// `folder`. Files of secrets that it names are read.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Config, Faults> {
        let document = Document::parse(name, text)?;
        let config = {
            let root = document.root();
            let text_gateways = text_gateway::read(&root, folder);
            Config {
                file: None,
                server: server::read(&root.section("server")),
                store: store::read(&root.section("store"), folder),
                sip: sip::read(&root.section("sip")),
                media: media::read(&root.section("media")),
                trunks: trunk::read(&root, folder),
                binds: bind::read(&root, folder, text_gateways.is_empty()),
                text_gateways,
                call: call::read(&root.section("call"), folder),
                challenge: challenge::read(&root.section("challenge")),
                text: text::read(&root.section("text"), folder),
                guard: guard::read(&root.section("guard")),
                prompts: prompts::read(&root.section("prompts"), folder),
                dialplan: dialplan::read(&root.section("dialplan"), folder),
                log: log::read(&root.section("log")),
            }
        };
        document.close()?;
        Ok(config)
    }

    /// What it was read from, for people.
    pub fn origin(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "the built-in defaults".to_owned(),
        }
    }
}
