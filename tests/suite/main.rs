//! Behaviour through the public surface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on is to fail")]

mod serve;
mod support;
