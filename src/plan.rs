//! What a probe is to do.
pub mod bytes;

/// Which addresses of a name are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Family {
    /// Both; whoever connects chooses.
    #[default]
    Any,
    /// IPv4 only (A records).
    V4,
    /// IPv6 only (AAAA records).
    V6,
}
