//! TLS: is the connection encrypted, is the certificate trusted, when does it end, and what is
//! wrong with it.
//!
//! [`options`] is what the user asked for. [`tls_facts`](crate::tls_facts) is what is reported. A
//! [`layer`](crate::plan::layer) built from the options runs on a connection of the engine, without
//! I/O of its own:
//!
//! ```text
//! client      the handshake by rustls, with a verifier that only records
//! hello       a ClientHello without cryptography, for peers that rustls cannot talk to
//! certificate the facts of one certificate (X.509, RFC 5280)
//! judge       the faults of a chain: dates, name, issuer, usage, strength, pin
//! roots       the trust store
//! ```

pub mod certificate;
pub mod hello;
pub mod judge;
pub mod options;
pub mod roots;
