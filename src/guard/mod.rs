//! Guard: limits that are asked before a challenge is accepted.
//!
//! Counts of the last window for each number, each tenant and all together. Numbers are kept as a
//! keyed hash, never as they are; what a window no longer needs is dropped, and there is room for
//! so many numbers and no more.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use crate::challenge::Tenant;
use crate::phone::PhoneNumber;

/// Most numbers and tenants watched at once.
const MOST_WATCHED: usize = 200_000;

/// The limits, as configured under `[guard]`.
#[derive(Debug, Clone)]
pub struct GuardConfig {
    /// The window that all counts are of.
    pub window: Duration,
    /// Challenges for one number in a window.
    pub per_number: u32,
    /// Challenges of one tenant in a window.
    pub per_tenant: u32,
    /// Challenges of all in a window.
    pub total: u32,
}

impl Default for GuardConfig {
    fn default() -> Self {
        GuardConfig {
            window: Duration::from_secs(600),
            per_number: 10,
            per_tenant: 20_000,
            total: 50_000,
        }
    }
}

/// Why a challenge was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("too many challenges {what}; try again in {} s", .retry_after.as_secs().max(1))]
pub struct Refusal {
    code: &'static str,
    what: &'static str,
    retry_after: Duration,
}

impl Refusal {
    /// `too_many_for_number`, `too_many_for_tenant` or `too_many`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// How long until it may be admitted.
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

/// A count, and when its window began.
#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    count: u32,
}

/// Whoever is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Number(u64),
    Tenant(u64),
    All,
}

/// The counts.
#[derive(Debug)]
pub struct Guard {
    config: GuardConfig,
    hash: RandomState,
    counts: HashMap<Who, Count>,
    swept: Option<Instant>,
}

impl Guard {
    /// Nothing counted yet.
    pub fn new(config: GuardConfig) -> Guard {
        Guard {
            config,
            hash: RandomState::new(),
            counts: HashMap::new(),
            swept: None,
        }
    }

    /// Whether a challenge may begin now; counted if so.
    ///
    /// # Errors
    /// When a limit is reached.
    pub fn admit(
        &mut self,
        tenant: &Tenant,
        number: &PhoneNumber,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.sweep(now);
        let asked = [
            (
                Who::Number(self.hash.hash_one(number.e164())),
                self.config.per_number,
                ("too_many_for_number", "for this number"),
            ),
            (
                Who::Tenant(self.hash.hash_one(tenant.as_str())),
                self.config.per_tenant,
                ("too_many_for_tenant", "from this tenant"),
            ),
            (Who::All, self.config.total, ("too_many", "at once")),
        ];
        for (who, limit, (code, what)) in asked {
            let Some(count) = self.counts.get(&who) else {
                continue;
            };
            let age = now.saturating_duration_since(count.since);
            if age < self.config.window && count.count >= limit {
                return Err(Refusal {
                    code,
                    what,
                    retry_after: self.config.window - age,
                });
            }
        }
        // Full of numbers of this very window: closed rather than blind.
        if self.counts.len() >= MOST_WATCHED && !self.counts.contains_key(&asked[0].0) {
            return Err(Refusal {
                code: "too_many",
                what: "at once",
                retry_after: self.config.window,
            });
        }
        for (who, _, _) in asked {
            let count = self.counts.entry(who).or_insert(Count {
                since: now,
                count: 0,
            });
            if now.saturating_duration_since(count.since) >= self.config.window {
                *count = Count {
                    since: now,
                    count: 0,
                };
            }
            count.count = count.count.saturating_add(1);
        }
        Ok(())
    }

    /// Drops counts of windows that are over, once a window or when there is no room.
    fn sweep(&mut self, now: Instant) {
        let window = self.config.window;
        let due = self
            .swept
            .is_none_or(|at| now.saturating_duration_since(at) >= window / 4);
        if due {
            self.counts
                .retain(|_, count| now.saturating_duration_since(count.since) < window);
            self.swept = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_limit_and_gets_it_back() {
        let config = GuardConfig {
            per_number: 2,
            ..GuardConfig::default()
        };
        let mut guard = Guard::new(config);
        let tenant = Tenant::new("t").expect("a tenant");
        let number = PhoneNumber::parse("+447400123456").expect("a number");
        let other = PhoneNumber::parse("+447400123457").expect("a number");
        let now = Instant::now();
        for _ in 0..2 {
            assert_eq!(guard.admit(&tenant, &number, now), Ok(()));
        }
        let later = now + Duration::from_secs(100);
        let refused = guard.admit(&tenant, &number, later).expect_err("a third");
        assert_eq!(refused.code(), "too_many_for_number");
        assert_eq!(refused.retry_after(), Duration::from_secs(500));
        assert_eq!(guard.admit(&tenant, &other, later), Ok(()));
        assert_eq!(
            guard.admit(&tenant, &number, now + Duration::from_secs(600)),
            Ok(())
        );
    }

    #[test]
    fn a_tenant_has_its_limit() {
        let config = GuardConfig {
            per_tenant: 1,
            ..GuardConfig::default()
        };
        let mut guard = Guard::new(config);
        let tenant = Tenant::new("t").expect("a tenant");
        let other = Tenant::new("u").expect("a tenant");
        let number = PhoneNumber::parse("+447400123456").expect("a number");
        let now = Instant::now();
        assert_eq!(guard.admit(&tenant, &number, now), Ok(()));
        let refused = guard.admit(&tenant, &number, now).expect_err("a second");
        assert_eq!(refused.code(), "too_many_for_tenant");
        assert_eq!(guard.admit(&other, &number, now), Ok(()));
    }
}
