//! Guard: limits that are asked before a challenge is accepted.
//!
//! It stands between an identity provider that asks for calls and the phone that rings and the
//! bill that grows: no phone rings over and over until its owner gives in, nobody pumps calls
//! into a range of numbers that pays them, no tenant uses up what all share. A pure state machine:
//! the time is passed in. Numbers are kept by keyed hash alone, in bounded memory.

mod ledger;
mod policy;
mod recent;
mod refusal;
mod wish;

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use self::ledger::{Ledger, Name};
use self::recent::Recent;
use crate::phone::PhoneNumber;

pub use policy::{Policy, Rate};
pub use refusal::{Limit, Refusal};
pub use wish::Wish;

/// Digits at the end that do not count for a range: carriers allot numbers by the ten thousand.
const RANGE_DIGITS: usize = 4;

/// What is remembered of one number.
#[derive(Default)]
struct Number {
    asked: Recent,
    /// Challenges that ended without approval since the last that was approved.
    unconfirmed: Recent,
    /// When each open challenge must have ended.
    open: Vec<u64>,
    held_until: u64,
}

/// A challenge that was admitted. Hand it back to [`Guard::conclude`] when the challenge ends, or
/// to [`Guard::withdraw`] if it never began; lost, it counts as open until its time is up.
#[derive(Debug)]
#[must_use = "a challenge that is never concluded counts as open until its time is up"]
pub struct Admission {
    number: Name,
    range: Name,
    tenant: Name,
    at: u64,
    until: u64,
}

/// How an admitted challenge ended, as far as limits care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The person confirmed.
    Approved,
    /// The phone was called, and nobody confirmed.
    Unconfirmed,
    /// The person reported a sign-in that they did not start.
    Reported,
    /// The phone was never called, nor sent a text.
    NotCalled,
}

/// The limits and what counts towards them.
pub struct Guard {
    policy: Policy,
    /// Time is counted in milliseconds from here.
    epoch: Instant,
    hash: Hmac<Sha256>,
    numbers: Ledger<Number>,
    ranges: Ledger<Recent>,
    tenants: Ledger<Recent>,
    all: Recent,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.policy)
            .field("numbers", &self.numbers.len())
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that has seen nothing. The seed must be random and is used for nothing else: it is
    /// the key under which numbers are hashed.
    pub fn new(policy: Policy, seed: [u8; 32], now: Instant) -> Guard {
        // HMAC pads a key with zeros to its block (RFC 2104 2).
        let mut key = [0; 64];
        for (to, from) in key.iter_mut().zip(seed) {
            *to = from;
        }
        let hash = Hmac::new(&key.into());
        let entries = policy.most_numbers.max(1);
        Guard {
            epoch: now,
            hash,
            numbers: Ledger::new(entries, horizon(&policy)),
            ranges: Ledger::new(entries, longest(&policy.per_range)),
            tenants: Ledger::new(entries, longest(&policy.per_tenant)),
            all: Recent::default(),
            policy,
        }
    }

    /// Asks for a challenge to `number` that ends `until` then at the latest. What is admitted
    /// counts towards every limit; what is refused towards none.
    ///
    /// # Errors
    /// [`Refusal`], with the time after which to ask again if time helps.
    pub fn admit(
        &mut self,
        tenant: &str,
        number: &PhoneNumber,
        now: Instant,
        until: Instant,
    ) -> Result<Admission, Refusal> {
        self.policy.screen(number)?;
        let until = until.min(now + Policy::LONGEST_CHALLENGE);
        let admission = self.asked(tenant, number, now, until);
        self.check(&admission, true)?;
        let at = admission.at;
        let known = self.numbers.touch(admission.number, at);
        known.open.retain(|until| *until > at);
        known.open.push(admission.until);
        self.note(&admission);
        Ok(admission)
    }

    /// Asks for a further text of a challenge that is open: it counts towards every rate as a new
    /// challenge would, for it costs and disturbs as much.
    ///
    /// # Errors
    /// [`Refusal`], with the time after which to ask again if time helps.
    pub fn admit_again(
        &mut self,
        tenant: &str,
        number: &PhoneNumber,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.policy.screen(number)?;
        let again = self.asked(tenant, number, now, now);
        self.check(&again, false)?;
        self.note(&again);
        Ok(())
    }

    fn asked(&self, tenant: &str, number: &PhoneNumber, now: Instant, until: Instant) -> Admission {
        let e164 = number.e164();
        let range = e164.len().saturating_sub(RANGE_DIGITS);
        Admission {
            number: self.name(b"number", e164),
            range: self.name(b"range", e164.get(..range).unwrap_or("")),
            tenant: self.name(b"tenant", tenant),
            at: self.time(now),
            until: self.time(until),
        }
    }

    fn note(&mut self, admission: &Admission) {
        let policy = &self.policy;
        let at = admission.at;
        let known = self.numbers.touch(admission.number, at);
        known.asked.note(at, &policy.per_number);
        self.ranges
            .touch(admission.range, at)
            .note(at, &policy.per_range);
        self.tenants
            .touch(admission.tenant, at)
            .note(at, &policy.per_tenant);
        self.all.note(at, &policy.overall);
    }

    /// Everything that may refuse, the number's own limits last: they tell least about others. What
    /// is open counts against what is new.
    fn check(&self, asked: &Admission, is_new: bool) -> Result<(), Refusal> {
        let at = asked.at;
        let policy = &self.policy;
        limit(Limit::Overall, self.all.wait(at, &policy.overall))?;
        if let Some(tenant) = self.tenants.get(&asked.tenant) {
            limit(Limit::Tenant, tenant.wait(at, &policy.per_tenant))?;
        }
        if let Some(range) = self.ranges.get(&asked.range) {
            limit(Limit::Range, range.wait(at, &policy.per_range))?;
        }
        let Some(number) = self.numbers.get(&asked.number) else {
            return Ok(());
        };
        limit(Limit::Held, number.held_until.saturating_sub(at))?;
        let unconfirmed = number.unconfirmed.wait(at, &policy.unconfirmed_per_number);
        limit(Limit::Unconfirmed, unconfirmed)?;
        limit(Limit::Number, number.asked.wait(at, &policy.per_number))?;
        let mut open = number.open.iter().filter(|until| **until > at);
        if is_new && open.clone().count() >= policy.open_per_number as usize {
            let first = open.by_ref().min().copied().unwrap_or(at);
            limit(Limit::Open, first.saturating_sub(at))?;
        }
        Ok(())
    }

    /// A challenge has ended.
    pub fn conclude(&mut self, admission: Admission, ending: Ending, now: Instant) {
        let at = self.time(now);
        let number = self.numbers.touch(admission.number, at);
        close(number, admission.until);
        match ending {
            Ending::Approved => number.unconfirmed = Recent::default(),
            Ending::Unconfirmed => number
                .unconfirmed
                .note(at, &self.policy.unconfirmed_per_number),
            Ending::Reported => {
                number
                    .unconfirmed
                    .note(at, &self.policy.unconfirmed_per_number);
                number.held_until = at.saturating_add(milliseconds(self.policy.hold_after_report));
            }
            Ending::NotCalled => {}
        }
    }

    /// A challenge that was admitted never began: it counts no more.
    pub fn withdraw(&mut self, admission: Admission) {
        if let Some(number) = self.numbers.get_mut(&admission.number) {
            close(number, admission.until);
            number.asked.forget(admission.at);
        }
        if let Some(range) = self.ranges.get_mut(&admission.range) {
            range.forget(admission.at);
        }
        if let Some(tenant) = self.tenants.get_mut(&admission.tenant) {
            tenant.forget(admission.at);
        }
        self.all.forget(admission.at);
    }

    /// How many numbers are remembered, at most [`Policy::most_numbers`].
    pub fn remembered(&self) -> usize {
        self.numbers.len()
    }

    /// The policy it follows.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    fn time(&self, at: Instant) -> u64 {
        milliseconds(at.saturating_duration_since(self.epoch))
    }

    fn name(&self, what: &[u8], text: &str) -> Name {
        let mut hash = self.hash.clone();
        hash.update(what);
        hash.update(&[0]);
        hash.update(text.as_bytes());
        let mut name = Name::default();
        for (to, from) in name.iter_mut().zip(hash.finalize().into_bytes()) {
            *to = from;
        }
        name
    }
}

/// Refuses if there is a time to wait.
fn limit(limit: Limit, wait: u64) -> Result<(), Refusal> {
    if wait == 0 {
        return Ok(());
    }
    Err(Refusal::later(limit, Duration::from_millis(wait)))
}

fn close(number: &mut Number, until: u64) {
    if let Some(at) = number.open.iter().position(|open| *open == until) {
        number.open.swap_remove(at);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn longest(rates: &[Rate]) -> u64 {
    let windows = rates.iter().map(|r| milliseconds(r.window));
    windows.max().unwrap_or(0)
}

/// How long a number must be remembered after it was last asked for or its challenge ended.
fn horizon(policy: &Policy) -> u64 {
    longest(&policy.per_number)
        .max(longest(&policy.unconfirmed_per_number))
        .max(milliseconds(policy.hold_after_report))
        .max(milliseconds(Policy::LONGEST_CHALLENGE))
}

#[cfg(test)]
mod tests;
