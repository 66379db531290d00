//! How long to wait before connecting again.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::Closed;

/// Waits that double from `first` to `most`, each somewhere between half of itself and the whole,
/// so that many binds do not return at once. A bind that stood for `steady` begins anew.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// The shortest wait after the message centre has refused the credentials: trying again soon
    /// helps nobody and locks accounts.
    pub refused: Duration,
    /// How long a bind must have stood for its end to count as the first.
    pub steady: Duration,
    failures: u32,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::new(Duration::from_millis(500), Duration::from_secs(60))
    }
}

impl Backoff {
    /// Waits from `first` to `most`; half a minute at least after refused credentials.
    pub fn new(first: Duration, most: Duration) -> Backoff {
        Backoff {
            first,
            most: most.max(first),
            refused: Duration::from_secs(30),
            steady: Duration::from_secs(30),
            failures: 0,
        }
    }

    /// The wait after a connection that could not be made (`None`), or that ended for a reason
    /// after having been bound for `stood`.
    pub fn wait(
        &mut self,
        closed: Option<&Closed>,
        stood: Duration,
        random: &mut impl Rng,
    ) -> Duration {
        if stood >= self.steady {
            self.failures = 0;
        }
        let doubled = self
            .first
            .saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(self.most);
        self.failures = (self.failures + 1).min(31);
        let base = match closed {
            Some(Closed::Refused(status)) if status.refuses_credentials() => {
                doubled.max(self.refused)
            }
            _ => doubled,
        };
        let half = base / 2;
        half + base.saturating_sub(half).mul_f64(random.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::smpp::pdu::Status;

    #[test]
    fn doubles_with_jitter_up_to_the_most() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let mut base = Duration::from_millis(500);
        for _ in 0..50 {
            let wait = backoff.wait(None, Duration::ZERO, &mut random);
            assert!(wait >= base / 2 && wait <= base, "{wait:?} of {base:?}");
            base = (base * 2).min(Duration::from_secs(60));
        }
        let steady = backoff.wait(
            Some(&Closed::Disconnected),
            Duration::from_secs(30),
            &mut random,
        );
        assert!(steady <= Duration::from_millis(500));
    }

    #[test]
    fn refused_credentials_wait_long_at_once() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let mut backoff = Backoff::default();
        let refused = Closed::Refused(Status::INVALID_PASSWORD);
        let wait = backoff.wait(Some(&refused), Duration::ZERO, &mut random);
        assert!(wait >= Duration::from_secs(15));
        let mut backoff = Backoff::default();
        let busy = Closed::Refused(Status::BIND_FAILED);
        let wait = backoff.wait(Some(&busy), Duration::ZERO, &mut random);
        assert!(wait <= Duration::from_millis(500));
    }

    #[test]
    fn waits_differ_between_binds() {
        let wait = |seed| {
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            Backoff::default().wait(None, Duration::ZERO, &mut random)
        };
        assert_ne!(wait(1), wait(2));
    }
}
