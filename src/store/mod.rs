//! Store: what was accepted survives; one trait, SQLite behind it.
