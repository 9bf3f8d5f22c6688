//! A layer that is easy to read in a test. The client says `HELLO host`, or `INSPECT host` in an
//! inspection; the server answers with lines:
//!
//! | line | meaning |
//! | --- | --- |
//! | `WELCOME` | the handshake has completed |
//! | `WELCOME?` | the same, but the server may still refuse us |
//! | `CERT name` | a certificate; the handshake goes on |
//! | `ENOUGH` | nothing is left to do |
//! | `STRANGER` | the certificate is not trusted |
//! | `BYE` | if the server closes now, that is an error of the layer |
//! | `DEMANDS` | if the server closes now, that is a success |
//! | another one | the handshake fails |
//!
//! Then every byte is inverted, so that texts have no byte below 0x80 on the wire; the constants are
//! such bytes.

use std::sync::{Arc, Mutex};

use zbx_tcp::address::Host;
use zbx_tcp::failure::Status;
use zbx_tcp::plan::layer::{
    Inspected, Inspection, Layer, LayerConnection, LayerError, PeerHalf, SharedLayer,
};
use zbx_tcp::tls_facts::{CertificateFacts, FactSource, TlsFacts};

/// Closes a direction.
pub const CLOSE: u8 = 0;
/// Is invalid.
pub const INVALID: u8 = b'!';
/// The server accepts us.
pub const ACCEPTED: u8 = b'+';
/// The server refuses us.
pub const REFUSED: u8 = b'-';
/// Nothing is left to do.
pub const DONE: u8 = b'.';

pub fn layer() -> SharedLayer {
    Toy::default().shared()
}

/// Bytes as they are on the wire after the handshake, and back.
pub fn invert(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

/// An inspection that the layer asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asks {
    /// Only after a connection with this status.
    pub after: Option<Status>,
    pub decides: bool,
}

/// What the layer was asked with: status, name of the certificate, number of inspections.
pub type Asked = (Status, Option<String>, usize);

#[derive(Debug, Default)]
pub struct Toy {
    /// The inspections that it asks for, one after the other.
    pub asks: Vec<Asks>,
    /// What it was asked with so far.
    pub asked: Arc<Mutex<Vec<Asked>>>,
    pub is_inspection: bool,
}

impl Toy {
    pub fn shared(self) -> SharedLayer {
        SharedLayer(Arc::new(self))
    }
}

/// The name of the first certificate.
pub fn name(facts: &TlsFacts) -> Option<String> {
    facts.chain.first().map(|leaf| leaf.subject.to_string())
}

impl Layer for Toy {
    fn start(&self, host: &Host) -> Result<Box<dyn LayerConnection>, LayerError> {
        let word = if self.is_inspection {
            "INSPECT"
        } else {
            "HELLO"
        };
        Ok(Box::new(ToyConnection {
            stage: Stage::Handshaking(Vec::new()),
            is_probably_accepted: false,
            output: format!("{word} {host}\n").into_bytes(),
            facts: TlsFacts {
                how: if self.is_inspection {
                    FactSource::Hello
                } else {
                    FactSource::Handshake
                },
                ..TlsFacts::default()
            },
            received: 0,
            last: String::new(),
            messages: None,
        }))
    }

    fn inspection(&self, so_far: &Inspected<'_>) -> Option<Inspection> {
        let asked = (
            so_far.status,
            so_far.facts.and_then(name),
            so_far.inspections,
        );
        self.asked.lock().unwrap().push(asked);
        let asks = self.asks.get(so_far.inspections)?;
        let is_meant = asks.after.is_none_or(|status| status == so_far.status);
        is_meant.then(|| Inspection {
            layer: Toy {
                is_inspection: true,
                ..Toy::default()
            }
            .shared(),
            decides: asks.decides,
        })
    }
}

enum Stage {
    /// With the incomplete line.
    Handshaking(Vec<u8>),
    MayBeRefused,
    Secured,
}

struct ToyConnection {
    stage: Stage,
    is_probably_accepted: bool,
    output: Vec<u8>,
    facts: TlsFacts,
    /// Number of bytes of the handshake.
    received: usize,
    /// The last line of the handshake.
    last: String,
    messages: Option<Vec<String>>,
}

impl ToyConnection {
    /// Takes a line of the handshake.
    fn line(&mut self, line: &str) -> Result<PeerHalf, LayerError> {
        if let Some(messages) = &mut self.messages {
            messages.push(format!("line {line}"));
        }
        line.clone_into(&mut self.last);
        match line {
            "WELCOME" | "WELCOME?" => {
                self.facts.proved = true;
                self.stage = match line {
                    "WELCOME" => Stage::Secured,
                    _ => Stage::MayBeRefused,
                };
            }
            "ENOUGH" => return Ok(PeerHalf::Done),
            "STRANGER" => return Err(LayerError::untrusted("unknown issuer")),
            "BYE" | "DEMANDS" => {}
            other => {
                let Some(name) = other.strip_prefix("CERT ") else {
                    self.output.extend_from_slice(b"ALERT\n");
                    return Err(LayerError::failed("unexpected answer"));
                };
                self.facts.chain = vec![CertificateFacts {
                    subject: name.into(),
                    ..CertificateFacts::default()
                }];
            }
        }
        Ok(PeerHalf::Open)
    }

    fn byte(&mut self, byte: u8, plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError> {
        match byte {
            CLOSE => return Ok(PeerHalf::Closed),
            DONE => return Ok(PeerHalf::Done),
            INVALID => return Err(LayerError::failed("invalid byte")),
            REFUSED => {
                self.facts.client_cert = Some(true);
                return Err(LayerError::failed("certificate required"));
            }
            ACCEPTED => self.is_probably_accepted = true,
            byte => plain.push(!byte),
        }
        Ok(PeerHalf::Open)
    }
}

impl LayerConnection for ToyConnection {
    fn is_handshaking(&self) -> bool {
        matches!(self.stage, Stage::Handshaking(_))
    }

    fn may_be_refused(&self) -> bool {
        matches!(self.stage, Stage::MayBeRefused)
    }

    fn is_probably_accepted(&self) -> bool {
        self.is_probably_accepted
    }

    fn read(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<PeerHalf, LayerError> {
        for byte in wire {
            let half = match &mut self.stage {
                Stage::Handshaking(line) => {
                    self.received += 1;
                    if *byte == b'\n' {
                        let line = String::from_utf8(std::mem::take(line)).unwrap();
                        self.line(&line)?
                    } else {
                        line.push(*byte);
                        PeerHalf::Open
                    }
                }
                Stage::MayBeRefused | Stage::Secured => self.byte(*byte, plain)?,
            };
            if half != PeerHalf::Open {
                return Ok(half);
            }
        }
        Ok(PeerHalf::Open)
    }

    fn peer_closed(&mut self) -> Result<PeerHalf, LayerError> {
        match self.last.as_str() {
            "BYE" => Err(LayerError::failed("closed after BYE")),
            "DEMANDS" => Ok(PeerHalf::Done),
            _ => Ok(PeerHalf::Closed),
        }
    }

    fn write(&mut self, plain: &[u8]) {
        self.output.extend(invert(plain));
    }

    fn close(&mut self) {
        self.output.push(CLOSE);
    }

    fn take_output(&mut self, wire: &mut Vec<u8>) {
        wire.append(&mut self.output);
    }

    fn held(&self) -> usize {
        match &self.stage {
            Stage::Handshaking(line) => line.len(),
            Stage::MayBeRefused | Stage::Secured => 0,
        }
    }

    fn facts(&self) -> Option<Box<TlsFacts>> {
        let is_known = self.facts.proved || !self.facts.chain.is_empty();
        is_known.then(|| Box::new(self.facts.clone()))
    }

    fn progress(&self) -> Option<String> {
        Some(format!("received {} bytes", self.received))
    }

    fn keep_messages(&mut self) {
        self.messages = Some(vec!["start".to_owned()]);
    }

    fn take_messages(&mut self) -> Vec<String> {
        let kept = self.messages.as_mut().expect("asked without a transcript");
        std::mem::take(kept)
    }
}
