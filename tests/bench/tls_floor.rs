//! The minimal cost of a verified TLS handshake with the libraries of zbx-tcp: connect, handshake of
//! rustls with ring, verification of the chain and the name by webpki, close. One thread, blocking
//! sockets, one target after another, no resumption. `tests/bench/run --only tls` starts it.
//!
//! Prints one line of JSON.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs
)]

use std::error::Error;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::SockRef;

const USAGE: &str =
    "usage: tls_floor rst|fin CA_FILE NAME ADDRESS:PORT...: start it by tests/bench/run";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    match measured(&arguments) {
        Ok(line) => println!("{line}"),
        Err(why) => {
            eprintln!("{why}");
            // `cargo bench` and `cargo test --benches` start it without arguments; that is no failure.
            return if arguments.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            };
        }
    }
    ExitCode::SUCCESS
}

fn measured(arguments: &[String]) -> Result<serde_json::Value, Box<dyn Error>> {
    let [close, ca_file, name, targets @ ..] = arguments else {
        return Err(USAGE.into());
    };
    let close = match close.as_str() {
        "rst" => FloorClose::Rst,
        "fin" => FloorClose::Fin,
        _ => return Err(USAGE.into()),
    };
    let targets = targets_of(targets)?;
    let config = Arc::new(config(ca_file)?);
    let name = ServerName::try_from(name.clone())?;
    let mut down = 0;
    for to in &targets {
        if let Err(why) = handshake(*to, &config, name.clone(), close) {
            eprintln!("{to}: {why}");
            down += 1;
        }
    }
    Ok(serde_json::json!({ "probes": targets.len(), "down": down }))
}

/// Targets of the arguments, or of a file, one a line: `@FILE`.
fn targets_of(words: &[String]) -> Result<Vec<SocketAddr>, Box<dyn Error>> {
    let mut targets = Vec::new();
    for word in words {
        match word.strip_prefix('@') {
            Some(file) => {
                for line in std::fs::read_to_string(file)?.lines() {
                    targets.push(line.parse()?);
                }
            }
            None => targets.push(word.parse()?),
        }
    }
    if targets.is_empty() {
        return Err(USAGE.into());
    }
    Ok(targets)
}

fn config(ca_file: &str) -> Result<ClientConfig, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file)? {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// How a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FloorClose {
    Rst,
    /// After a `close_notify`.
    Fin,
}

fn handshake(
    to: SocketAddr,
    config: &Arc<ClientConfig>,
    name: ServerName<'static>,
    close: FloorClose,
) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    let mut session = ClientConnection::new(Arc::clone(config), name)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    if close == FloorClose::Rst {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    } else {
        session.send_close_notify();
        session.complete_io(&mut stream)?;
    }
    Ok(())
}
