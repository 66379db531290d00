//! Ringtrue: self-hosted phone verification.
//!
//! The crate is laid out in rooms, from the ground up; a room imports only rooms below it:
//!
//! | floor | rooms |
//! |---|---|
//! | 0 | [`document`], [`phone`], [`audio`], [`dtmf`] |
//! | 1 | [`answer`], [`rtp`], [`sdp`], [`sip`], [`smpp`] |
//! | 2 | [`challenge`], [`dialplan`], [`guard`] |
//! | 3 | [`sms`], [`store`], [`voice`], [`wording`] |
//! | 4 | [`engine`] |
//! | 5 | [`api`] |
//! | 6 | [`config`], [`cli`] |
//!
//! The protocol rooms hold no socket, clock, task, lock or random source: time and randomness
//! are passed in, bytes and events come out.
#![warn(missing_docs)]

pub mod answer;
pub mod api;
pub mod audio;
pub mod challenge;
pub mod cli;
pub mod config;
pub mod dialplan;
pub mod document;
pub mod dtmf;
pub mod engine;
pub mod guard;
pub mod phone;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod smpp;
pub mod sms;
pub mod store;
pub mod voice;
pub mod wording;
