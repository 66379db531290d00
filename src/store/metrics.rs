//! What the store counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Counters of a store; cheap to clone, all clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(super) batch: Histogram,
    pub(super) commit: Histogram,
    pub(super) failures: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            commit: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            failures: Counter::default(),
        }
    }
}

impl Metrics {
    /// Makes the counters known to a registry.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        registry.register(
            "store_batch_operations",
            "Operations committed in one transaction",
            metrics.batch.clone(),
        );
        registry.register(
            "store_commit_seconds",
            "Seconds that one transaction took, its sync to disk included",
            metrics.commit.clone(),
        );
        registry.register(
            "store_failures",
            "Transactions that could not be committed",
            metrics.failures.clone(),
        );
        metrics
    }
}
