//! Engine: accepts challenges, hands them to gateways, applies outcomes.
