//! What the engine counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::begin::BeginError;
use super::handle::CheckError;
use crate::answer::AnsweredBy;
use crate::challenge::{Challenge, Reason, State, TextNews};
use crate::guard::Wish;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEnd {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClass {
    by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByNews {
    news: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWish {
    wish: &'static str,
}

/// Counters of an engine; cheap to clone, all clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    asked: Family<ByAnswer, Counter>,
    ended: Family<ByEnd, Counter>,
    seconds: Family<ByOutcome, Histogram>,
    answered: Family<ByClass, Counter>,
    pub(super) open: Gauge,
    pub(super) late_reports: Counter,
    pub(super) store_retries: Counter,
    texts: Family<ByNews, Counter>,
    delivery: Histogram,
    checked: Family<ByAnswer, Counter>,
    pub(super) resends: Counter,
    inbound: Family<ByWish, Counter>,
}

fn durations() -> Histogram {
    Histogram::new([
        0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 300.0, 600.0,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            asked: Family::default(),
            ended: Family::default(),
            seconds: Family::new_with_constructor(durations),
            answered: Family::default(),
            open: Gauge::default(),
            late_reports: Counter::default(),
            store_retries: Counter::default(),
            texts: Family::default(),
            delivery: durations(),
            checked: Family::default(),
            resends: Counter::default(),
            inbound: Family::default(),
        }
    }
}

impl Metrics {
    pub(super) fn answered_by(&self, by: AnsweredBy) {
        self.answered
            .get_or_create(&ByClass { by: by.name() })
            .inc();
    }

    /// Makes the counters known to a registry.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        registry.register(
            "challenges_asked",
            "Challenges asked for, by what was answered",
            metrics.asked.clone(),
        );
        registry.register(
            "challenges_ended",
            "Challenges that have ended, by outcome and reason",
            metrics.ended.clone(),
        );
        registry.register(
            "challenge_duration_seconds",
            "Seconds from a challenge's beginning to its end, by outcome",
            metrics.seconds.clone(),
        );
        registry.register(
            "calls_answered_by",
            "Answered calls, by who or what their sounds told had answered",
            metrics.answered.clone(),
        );
        registry.register(
            "challenges_open",
            "Challenges open now",
            metrics.open.clone(),
        );
        registry.register(
            "gateway_late_reports",
            "Reports about calls and texts whose challenge was over",
            metrics.late_reports.clone(),
        );
        registry.register(
            "store_retries",
            "Writes of a challenge that had to be tried again",
            metrics.store_retries.clone(),
        );
        registry.register(
            "text_news",
            "What was reported of texts of open challenges",
            metrics.texts.clone(),
        );
        registry.register(
            "text_delivery_seconds",
            "Seconds from a text's leaving to the receipt that says it arrived",
            metrics.delivery.clone(),
        );
        registry.register(
            "codes_checked",
            "Codes that were entered, by what was answered",
            metrics.checked.clone(),
        );
        registry.register(
            "text_resends",
            "Texts that were sent again",
            metrics.resends.clone(),
        );
        registry.register(
            "inbound_messages",
            "Messages that people sent, by what they wish",
            metrics.inbound.clone(),
        );
        metrics
    }

    pub(super) fn text(&self, news: TextNews) {
        let name = match news {
            TextNews::Sent { .. } => "sent",
            TextNews::Unsure => "unsure",
            TextNews::Accepted { .. } => "accepted",
            TextNews::Unknown { .. } => "unknown",
            TextNews::Delivered { took_ms } => {
                self.delivery.observe(took_ms as f64 / 1000.0);
                "delivered"
            }
            TextNews::Undeliverable { .. } => "undeliverable",
            TextNews::Failed { .. } => "failed",
        };
        self.texts.get_or_create(&ByNews { news: name }).inc();
    }

    pub(super) fn checked(&self, refused: Option<&CheckError>) {
        let answer = match refused {
            None => "approved",
            Some(CheckError::Wrong { .. }) => "wrong",
            Some(CheckError::Ended(ended)) => match ended.state() {
                State::Ended(Reason::CodeMatched) => "spent",
                State::Ended(Reason::TooManyAttempts) => "too_many_attempts",
                State::Ended(Reason::TimedOut) => "expired",
                _ => "ended",
            },
            Some(CheckError::Unknown | CheckError::NotText) => "no_code",
            Some(CheckError::Engine(_)) => "unavailable",
        };
        self.checked.get_or_create(&ByAnswer { answer }).inc();
    }

    pub(super) fn inbound(&self, wish: Option<Wish>) {
        let wish = match wish {
            None => "none",
            Some(Wish::Stop) => "stop",
            Some(Wish::Start) => "start",
        };
        self.inbound.get_or_create(&ByWish { wish }).inc();
    }

    pub(super) fn asked(&self, refused: Option<&BeginError>) {
        let answer = refused.map_or("accepted", BeginError::code);
        self.asked.get_or_create(&ByAnswer { answer }).inc();
    }

    pub(super) fn ended(&self, challenge: &Challenge, reason: Reason) {
        let outcome = reason.outcome().name();
        let reason = reason.name();
        self.ended.get_or_create(&ByEnd { outcome, reason }).inc();
        if let Some(ended) = challenge.life().ended() {
            let lasted = ended.duration_since(challenge.details().created);
            let seconds = self.seconds.get_or_create(&ByOutcome { outcome });
            seconds.observe(lasted.as_secs_f64());
        }
    }
}
