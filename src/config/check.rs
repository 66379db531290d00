//! What one part of the configuration says of another.

use std::net::IpAddr;

use super::bind::SANDBOX_CENTRE;
use super::trunk::{SANDBOX_PROXY, host};
use super::{Config, show};
use crate::audio::Locale;
use crate::challenge::{Purpose, Tenant};
use crate::dialplan::Dialplan;
use crate::document::{Fault, Faults, Place, resembling};
use crate::sms::SmppLine;
use crate::wording::Wording;

/// A configuration that holds together, with its dialplan and words.
#[derive(Debug)]
pub struct Checked {
    /// The rules, read.
    pub dialplan: Dialplan,
    /// The words of texts, read.
    pub wording: Wording,
    /// What will work and is likely not meant.
    pub warnings: Vec<Fault>,
}

impl Config {
    /// Reads the dialplan and the words, and checks that what they name is there: trunks, binds,
    /// prompts.
    ///
    /// # Errors
    /// Everything that would fail once calls are made.
    pub fn check(&self) -> Result<Checked, Faults> {
        let dialplan = self.dialplan.load()?;
        let wording = self.text.words()?;
        let mut faults = Faults::new();
        self.check_trunks(&dialplan, &mut faults);
        self.check_binds(&dialplan, &mut faults);
        let mut warnings = self.warnings(&dialplan);
        self.check_locales(&dialplan, &mut faults, &mut warnings);
        check_words(&dialplan, &wording, &mut faults);
        faults.check()?;
        // A locale is named by many rules.
        warnings.sort();
        warnings.dedup();
        Ok(Checked {
            dialplan,
            wording,
            warnings,
        })
    }

    fn place(&self) -> Place {
        Place::file(&self.origin())
    }

    fn check_trunks(&self, dialplan: &Dialplan, faults: &mut Faults) {
        for (name, place) in dialplan.trunks() {
            if self.trunks.contains_key(name) {
                continue;
            }
            let names = self.trunks.keys().map(|name| &**name);
            let help = match resembling(name, names) {
                _ if self.dialplan.dir.is_none() => {
                    "write rules of your own, beginning with what `ringtrue dialplan default` prints, \
                     and name their folder under [dialplan] dir"
                        .to_owned()
                }
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add [trunk.{name}] to the configuration, or name another trunk"),
            };
            let text = format!("there is no trunk {name} in {}", self.origin());
            faults.push(Fault::new(place.clone(), text).help(help));
        }
    }

    fn check_binds(&self, dialplan: &Dialplan, faults: &mut Faults) {
        for (name, place) in dialplan.binds() {
            if let Some(line) = self.binds.get(name) {
                if !line.bind.session.kind.sends() {
                    let fault = Fault::new(place.clone(), format!("bind {name} only receives"));
                    faults.push(fault.help("name a transmitter or transceiver"));
                }
                continue;
            }
            if self.text_gateways.contains_key(name) {
                continue;
            }
            let names = self.binds.keys().chain(self.text_gateways.keys());
            let names = names.map(|name| &**name);
            let help = match resembling(name, names) {
                _ if self.dialplan.dir.is_none() => {
                    "write rules of your own, beginning with what `ringtrue dialplan default` prints, \
                     and name their folder under [dialplan] dir"
                        .to_owned()
                }
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!(
                    "add [bind.{name}] or [text_gateway.{name}] to the configuration, or name another bind"
                ),
            };
            let text = format!("there is no bind {name} in {}", self.origin());
            faults.push(Fault::new(place.clone(), text).help(help));
        }
        for name in self.text_gateways.keys() {
            if self.binds.contains_key(name) {
                let text = format!("{name} is the name of a bind and of a text gateway");
                faults.push(Fault::new(self.place(), text).help("give one of them another name"));
            }
        }
    }

    fn warn_of_binds(&self, dialplan: &Dialplan, warn: &mut impl FnMut(String, &str)) {
        let is_sandbox = |line: &SmppLine| &*line.bind.address == SANDBOX_CENTRE;
        for (name, line) in &self.binds {
            let session = &line.bind.session;
            let used = dialplan.binds().any(|(used, _)| used == &**name);
            if !used && session.kind.sends() && !is_sandbox(line) {
                warn(
                    format!("bind {name} is not used: no rule of the dialplan leads to it"),
                    "add a rule, or remove the bind",
                );
            }
            let hears = |other: &SmppLine| {
                other.bind.session.kind.receives()
                    && other.bind.address == line.bind.address
                    && other.bind.session.system_id == session.system_id
            };
            if line.bind.receipts && !self.binds.values().any(hears) {
                warn(
                    format!("bind {name} asks for receipts, and no bind of its account receives"),
                    "add a receiver with the same address and system_id, make it a transceiver, or \
                     set receipts = false",
                );
            }
            if used && is_sandbox(line) && self.has_carriers() {
                warn(
                    format!(
                        "there are carriers, and texts by bind {name} go to the sandbox, which delivers to nobody"
                    ),
                    "lead texts to a carrier's bind, or set binds = false in the dialplan",
                );
            }
        }
    }

    fn warn_of_text_gateways(&self, dialplan: &Dialplan, warn: &mut impl FnMut(String, &str)) {
        for (name, gateway) in &self.text_gateways {
            if !dialplan.binds().any(|(used, _)| used == &**name) {
                warn(
                    format!("text gateway {name} is not used: no rule of the dialplan leads to it"),
                    "add a rule, or remove the text gateway",
                );
            }
            if gateway.line.target.is_open() {
                warn(
                    format!("numbers and codes go to text gateway {name} in the clear"),
                    "use an address that begins with https://",
                );
            }
        }
    }

    fn has_carriers(&self) -> bool {
        !self.text_gateways.is_empty()
            || self.trunks.values().any(|t| &*t.proxy != SANDBOX_PROXY)
            || self
                .binds
                .values()
                .any(|b| &*b.bind.address != SANDBOX_CENTRE)
    }

    fn check_locales(&self, dialplan: &Dialplan, faults: &mut Faults, warnings: &mut Vec<Fault>) {
        let dir = self.prompts.dir.as_deref();
        let locales = match self.prompts.locales() {
            Ok(locales) => locales,
            Err(error) => {
                let place = Place::file(&dir.map(show::path).unwrap_or_default());
                let fault = Fault::new(place, error.to_string());
                faults.push(fault.help("name a folder of prompts under [prompts] dir"));
                return;
            }
        };
        let known: Vec<&str> = locales.iter().map(Locale::as_str).collect();
        let missing = |locale: &str, place: &Place| {
            let text = format!("there are no prompts for {locale}");
            let help = match dir {
                Some(dir) => format!("record them in {}/{locale}", dir.display()),
                None => "name a folder that has them under [prompts] dir".to_owned(),
            };
            let fault = Fault::new(place.clone(), text);
            fault.help(format!("{help}, or use one of {}", known.join(", ")))
        };
        let default = self.prompts.default_locale.parse::<Locale>();
        if !default.is_ok_and(|locale| locales.contains(&locale)) {
            faults.push(missing(&self.prompts.default_locale, &self.place()));
        }
        for (tag, place) in dialplan.call_locales() {
            let Ok(locale) = tag.parse::<Locale>() else {
                continue;
            };
            // Those of another country stand in: people understand each other.
            let near = locales.iter().find(|l| l.language() == locale.language());
            match near {
                _ if locales.contains(&locale) => {}
                Some(near) => {
                    let fault = missing(tag, place);
                    let text = format!("{}: those for {near} stand in", fault.text);
                    warnings.push(Fault { text, ..fault });
                }
                None => faults.push(missing(tag, place)),
            }
        }
    }

    fn warnings(&self, dialplan: &Dialplan) -> Vec<Fault> {
        let mut warnings = Vec::new();
        let mut warn = |text: String, help: &str| {
            warnings.push(Fault::new(self.place(), text).help(help));
        };
        for name in self.trunks.keys() {
            if !dialplan.trunks().any(|(used, _)| used == &**name) {
                warn(
                    format!("trunk {name} is not used: no rule of the dialplan leads to it"),
                    "add a rule, or remove the trunk",
                );
            }
        }
        for trunk in self.trunks.values() {
            let host = host(&trunk.proxy);
            let local =
                ["localhost", "[::1]", SANDBOX_PROXY].contains(&host) || host.starts_with("127.");
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            if address.is_ok_and(|address| address.is_ipv4() != self.sip.bind.is_ipv4()) {
                warn(
                    format!(
                        "trunk {} is never reached: {host} is of another IP version than [sip] bind {}",
                        trunk.name, self.sip.bind
                    ),
                    "bind an address of the carrier's version, in [sip] and [media]",
                );
            }
            if self.sip.bind.ip().is_loopback() && !local {
                warn(
                    format!(
                        "trunk {} is elsewhere, and [sip] bind {} reaches this machine alone",
                        trunk.name, self.sip.bind
                    ),
                    "bind an address that the carrier reaches, in [sip] and [media]",
                );
            }
        }
        let sandboxes = self.trunks.values().filter(|t| &*t.proxy == SANDBOX_PROXY);
        let sandboxes = sandboxes.count();
        if sandboxes > 0 && sandboxes < self.trunks.len() {
            warn(
                "there are carriers, and a trunk that leads to the sandbox phone, which confirms whoever asks".to_owned(),
                "remove the trunk with proxy = \"sandbox\" unless you are trying things out",
            );
        }
        self.warn_of_binds(dialplan, &mut warn);
        self.warn_of_text_gateways(dialplan, &mut warn);
        let calls: usize = self.trunks.values().map(|t| t.max_calls).sum();
        if self.media.ports.calls() < calls {
            warn(
                format!(
                    "[media] ports {} are enough for {} calls at once, and the trunks may have {calls}",
                    self.media.ports,
                    self.media.ports.calls()
                ),
                "widen the range, or lower `max_calls` of the trunks",
            );
        }
        if !self.server.listen.ip().is_loopback() {
            warn(
                format!(
                    "[server] listen {} is reached from elsewhere, and API keys and numbers cross that way in the clear",
                    self.server.listen
                ),
                "listen on 127.0.0.1 behind a proxy that speaks TLS",
            );
        }
        if self.challenge.time_to_live < self.call.ring_time {
            warn(
                format!(
                    "[challenge] time_to_live {} is shorter than [call] ring_time {}: calls end before they are given up as not answered",
                    show::duration(self.challenge.time_to_live),
                    show::duration(self.call.ring_time)
                ),
                "let challenges live as long as a call takes, ringing included",
            );
        }
        warnings
    }
}

/// Checks that there are words in every locale in which a rule sends texts; words of another
/// country stand in.
fn check_words(dialplan: &Dialplan, wording: &Wording, faults: &mut Faults) {
    let tenant = Tenant::default();
    for (tag, place) in dialplan.text_locales() {
        if wording.locale(&tenant, Purpose::SignIn, tag).is_err() {
            let known = wording.locales().join(", ");
            let fault = Fault::new(
                place.clone(),
                format!("there are no words for texts in {tag}"),
            );
            faults.push(fault.help(format!(
                "write them in the file under [text] wording, or use one of {known}"
            )));
        }
    }
}
