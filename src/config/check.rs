//! What one part of the configuration says of another.

use super::trunk::{SANDBOX_PROXY, host};
use super::{Config, show};
use crate::audio::Locale;
use crate::dialplan::Dialplan;
use crate::document::{Fault, Faults, Place, resembling};
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
    /// Reads the dialplan and the words, and checks that what they name is there: trunks, prompts.
    ///
    /// # Errors
    /// Everything that would fail once calls are made.
    pub fn check(&self) -> Result<Checked, Faults> {
        let dialplan = self.dialplan.load()?;
        let wording = self.text.words()?;
        let mut faults = Faults::new();
        self.check_trunks(&dialplan, &mut faults);
        let mut warnings = self.warnings(&dialplan);
        self.check_locales(&dialplan, &mut faults, &mut warnings);
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
        for (tag, place) in dialplan.locales() {
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
