//! Behaviour through the public surface.
