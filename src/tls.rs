//! TLS: the handshake, the certificate of the server, its trust, its lifetime and its faults.
//!
//! [`options`] are the options of the user. [`tls_facts`](crate::tls_facts) are the reported facts. A
//! [`layer`](crate::plan::layer) built from the options runs on a connection of the engine, without
//! I/O of its own:
//!
//! ```text
//! client      the handshake by rustls
//! verifier    records what the server sends in a handshake, and decides whether it continues
//! identity    the certificate and key of the client
//! failures    what an error of rustls means, as a sentence; alerts: those of the server
//! first_bytes the bytes before it is known whether they are TLS
//! not_tls     recognizes the protocol of a peer that does not speak TLS
//! records     reads the unencrypted parts of a connection, for the transcript
//! provider    the cryptography, and the names of what was negotiated
//! hello       a ClientHello without cryptography, for peers that rustls does not support
//! certificate the facts of one certificate (X.509, RFC 5280)
//! verify      the faults of a chain: dates, name, issuer, usage, strength, pin
//! roots       the trust store
//! pem         files of certificates and keys; leaf_file: the certificate that should be served
//! ```

pub mod alerts;
pub mod certificate;
pub mod client;
mod failures;
mod first_bytes;
pub mod hello;
mod identity;
mod leaf_file;
mod not_tls;
pub mod options;
mod pem;
mod provider;
mod records;
pub mod roots;
mod verifier;
pub mod verify;

pub use client::layer;
