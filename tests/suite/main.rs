//! Behaviour through the public surface.
mod dns;
