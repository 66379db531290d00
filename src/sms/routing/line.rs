//! The lines that texts go by, and which of their links take one now.

use std::sync::Arc;
use std::time::Instant;

/// A way to a carrier, as the routing knows it.
#[derive(Debug, Clone)]
pub struct LineConfig {
    /// Its name in the configuration and in dialplans.
    pub name: Arc<str>,
    /// Lines of the same account hear of each other's texts: a transmitter's receipts come to the
    /// receiver beside it.
    pub account: usize,
    /// How many links it has.
    pub links: u16,
    /// Texts that each link may have in hand, 1 at least.
    pub room: u32,
    /// Whether texts can be sent by it.
    pub sends: bool,
    /// Whether its links are up from the start, as those without a session are.
    pub up: bool,
}

/// Names one link of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId {
    /// The line, by its place in the configuration.
    pub line: u16,
    /// The link, from 0.
    pub link: u16,
}

#[derive(Debug, Clone)]
struct Link {
    up: bool,
    /// Told to slow down until then.
    slowed: Option<Instant>,
    /// Texts handed to it whose fate is not known yet.
    in_hand: u32,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: Arc<str>,
    pub(super) account: usize,
    room: u32,
    sends: bool,
    links: Vec<Link>,
}

impl Line {
    pub(super) fn new(config: LineConfig) -> Line {
        let link = Link {
            up: config.up,
            slowed: None,
            in_hand: 0,
        };
        Line {
            name: config.name,
            account: config.account,
            room: config.room.max(1),
            sends: config.sends,
            links: vec![link; usize::from(config.links)],
        }
    }

    /// The link that takes a text now, the one with the fewest in hand.
    pub(super) fn link(&self, now: Instant) -> Option<u16> {
        if !self.sends {
            return None;
        }
        let free = |link: &Link| {
            link.up && link.in_hand < self.room && link.slowed.is_none_or(|until| until <= now)
        };
        let links = self.links.iter().enumerate().filter(|(_, link)| free(link));
        let (at, _) = links.min_by_key(|(_, link)| link.in_hand)?;
        u16::try_from(at).ok()
    }

    /// Whether a link is up, be it full or slow.
    pub(super) fn is_up(&self) -> bool {
        self.sends && self.links.iter().any(|link| link.up)
    }

    /// Whether a link is up and not told to slow down, be it full.
    pub(super) fn is_quick(&self, now: Instant) -> bool {
        let quick = |link: &Link| link.up && link.slowed.is_none_or(|until| until <= now);
        self.sends && self.links.iter().any(quick)
    }

    pub(super) fn turn(&mut self, link: u16, up: bool) {
        if let Some(link) = self.links.get_mut(usize::from(link)) {
            link.up = up;
            if !up {
                link.slowed = None;
            }
        }
    }

    /// No more texts, for good.
    pub(super) fn close(&mut self) {
        self.sends = false;
    }

    pub(super) fn slow(&mut self, link: u16, until: Instant) {
        if let Some(link) = self.links.get_mut(usize::from(link)) {
            link.slowed = link.slowed.max(Some(until));
        }
    }

    pub(super) fn take(&mut self, link: u16) {
        if let Some(link) = self.links.get_mut(usize::from(link)) {
            link.in_hand += 1;
        }
    }

    pub(super) fn give_back(&mut self, link: u16) {
        if let Some(link) = self.links.get_mut(usize::from(link)) {
            link.in_hand = link.in_hand.saturating_sub(1);
        }
    }

    /// When the first of its slowed links is free again.
    pub(super) fn next_free(&self, now: Instant) -> Option<Instant> {
        let slowed = self.links.iter().filter(|link| link.up);
        slowed
            .filter_map(|link| link.slowed)
            .filter(|until| *until > now)
            .min()
    }
}
