//! Guard: limits that are asked before a challenge is accepted.
