//! The native HTTP API.
