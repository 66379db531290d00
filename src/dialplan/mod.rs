//! Dialplans: rules from files that lead a number to a route or a refusal.
