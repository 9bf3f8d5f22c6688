//! The first bytes of a server, until they show whether the server speaks TLS.

use crate::plan::layer::LayerError;
use crate::tls::not_tls;

/// Fewer bytes than a record header has, or bytes that are not TLS.
#[derive(Debug, Default)]
pub struct FirstBytes(Vec<u8>);

impl FirstBytes {
    /// Adds received bytes. Returns all of them once they have the header of a record.
    ///
    /// # Errors
    /// If they are not TLS.
    pub fn add(&mut self, wire: &[u8]) -> Result<Option<Vec<u8>>, LayerError> {
        let Self(first) = self;
        first.extend_from_slice(wire);
        if !not_tls::may_be_tls(first) && not_tls::is_enough(first) {
            return Err(LayerError::failed(not_tls::sentence(first)));
        }
        Ok((first.len() >= not_tls::HEADER).then(|| std::mem::take(first)))
    }

    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The error of a connection that ended after these bytes.
    pub fn ended(&self) -> String {
        if self.is_empty() {
            "the connection ended without an answer to the ClientHello: check that this is a TLS \
             port, and the log of the server"
                .to_owned()
        } else {
            not_tls::sentence(&self.0)
        }
    }

    /// The reason why the handshake has not completed.
    pub fn progress(&self) -> String {
        match self.0.as_slice() {
            [] => "nothing was received; check that this is a TLS port".to_owned(),
            first if not_tls::may_be_tls(first) => {
                format!("only {} bytes were received", first.len())
            }
            first => not_tls::sentence(first),
        }
    }
}
