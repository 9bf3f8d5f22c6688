//! The fields of a certificate from which its facts and its verification are derived.

use std::net::IpAddr;

use crate::tls::certificate::algorithm::PublicKey;
use crate::tls::certificate::der::{self, DerError, DerReader, DerValue};
use crate::tls::certificate::time;

/// A certificate (RFC 5280, section 4.1), of any version.
#[derive(Debug)]
pub struct ParsedCertificate<'a> {
    /// The certificate without trailing bytes.
    pub der: &'a [u8],
    /// What is signed.
    pub tbs: &'a [u8],
    /// The version, such as 3.
    pub version: u64,
    /// The serial number, in two's complement.
    pub serial: &'a [u8],
    /// The content of the issuer's `Name`.
    pub issuer: &'a [u8],
    /// The content of the subject's `Name`.
    pub subject: &'a [u8],
    /// The first second, since 1970.
    pub not_before: i64,
    /// The last second, since 1970.
    pub not_after: i64,
    /// The whole `SubjectPublicKeyInfo`.
    pub spki: DerValue<'a>,
    /// The key in it.
    pub key: PublicKey<'a>,
    /// The content of the outer `AlgorithmIdentifier` of the signature.
    pub signature_algorithm: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
    /// The extensions.
    pub extensions: Extensions<'a>,
    /// What a verifier refuses in its form: version, extensions, dates.
    pub flaws: Vec<String>,
}

/// The known extensions (RFC 5280, section 4.2).
#[derive(Debug, Default)]
pub struct Extensions<'a> {
    /// The names of the subjectAltName.
    pub names: GeneralNames<'a>,
    /// `cA` of basicConstraints.
    pub is_ca: Option<bool>,
    /// `pathLenConstraint` of basicConstraints.
    pub path_length: Option<usize>,
    /// keyUsage, the first bit (digitalSignature) as 0x80.
    pub key_usage: Option<u8>,
    /// Whether extKeyUsage has serverAuth.
    pub for_servers: Option<bool>,
    /// subjectKeyIdentifier.
    pub key_id: Option<&'a [u8]>,
    /// The keyIdentifier of authorityKeyIdentifier.
    pub issuer_key_id: Option<&'a [u8]>,
    /// Whether authorityInfoAccess contains the URL of the issuer's certificate.
    pub has_issuer_url: bool,
    /// Whether a stapled OCSP response is required (RFC 7633).
    pub must_staple: bool,
}

/// `digitalSignature`, `keyEncipherment` or `keyAgreement`: one of them is needed for TLS servers.
pub const SERVER_KEY_USAGE: u8 = 0x80 | 0x20 | 0x08;
/// `keyCertSign`.
pub const CERTIFICATE_SIGNING: u8 = 0x04;

/// The names of a subjectAltName extension.
#[derive(Debug, Clone, Copy, Default)]
pub struct GeneralNames<'a> {
    content: &'a [u8],
}

/// A name that a server can be verified by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerIdentity<'a> {
    /// A dNSName; any bytes.
    Dns(&'a [u8]),
    /// An iPAddress.
    Address(IpAddr),
}

impl<'a> GeneralNames<'a> {
    /// The DNS names and addresses, up to the first that cannot be read.
    pub fn iter(self) -> impl Iterator<Item = ServerIdentity<'a>> {
        let mut reader = DerReader::new(self.content);
        let names = std::iter::from_fn(move || reader.value().ok());
        names.filter_map(|name| match name.tag {
            DNS_NAME => Some(ServerIdentity::Dns(name.content)),
            IP_ADDRESS => address(name.content).map(ServerIdentity::Address),
            _ => None,
        })
    }
}

const DNS_NAME: u8 = der::context(2);
const IP_ADDRESS: u8 = der::context(7);

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The longest serial number that is accepted, in bytes. RFC 5280, section 4.1.2.2, allows 20; some
/// issuers exceed that, and clients accept it.
const MAX_SERIAL: usize = 64;

impl<'a> ParsedCertificate<'a> {
    /// Reads a certificate.
    ///
    /// # Errors
    /// Which part cannot be read, and why.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let part = |name: &'static str| move |why: DerError| format!("{name}: {why}");
        let whole = DerReader::new(bytes)
            .expect(der::SEQUENCE)
            .map_err(part("certificate"))?;
        let mut outer = DerReader::new(whole.content);
        let tbs = outer
            .expect(der::SEQUENCE)
            .map_err(part("tbsCertificate"))?;
        let algorithm = outer
            .expect(der::SEQUENCE)
            .map_err(part("signatureAlgorithm"))?;
        let signature = outer
            .expect(der::BIT_STRING)
            .and_then(|bits| der::whole_bytes(bits.content))
            .map_err(part("signatureValue"))?;

        let mut flaws = Vec::new();
        let mut fields = DerReader::new(tbs.content);
        let version = version(&mut fields).map_err(part("version"))?;
        if version != 3 {
            flaws.push(format!("it is of version {version}, not 3"));
        }
        if bytes.len() > whole.whole.len() {
            flaws.push("bytes follow it".to_owned());
        }
        let serial = fields.expect(der::INTEGER).map_err(part("serialNumber"))?;
        if serial.content.len() > MAX_SERIAL {
            flaws.push(format!(
                "its serial number has {} bytes, where 20 are allowed",
                serial.content.len()
            ));
        }
        let inner_algorithm = fields.expect(der::SEQUENCE).map_err(part("signature"))?;
        if inner_algorithm.content != algorithm.content {
            flaws.push("its two signature algorithms differ".to_owned());
        }
        let issuer = fields.expect(der::SEQUENCE).map_err(part("issuer"))?;
        let (not_before, not_after) = validity(&mut fields)?;
        if not_after < not_before {
            flaws.push("its last day is before its first day".to_owned());
        }
        let subject = fields.expect(der::SEQUENCE).map_err(part("subject"))?;
        let spki = fields
            .expect(der::SEQUENCE)
            .map_err(part("subjectPublicKeyInfo"))?;
        let key = PublicKey::parse(spki.content).map_err(part("subjectPublicKeyInfo"))?;
        let mut extensions = Extensions::default();
        if let Err(why) = extensions.read(fields, &mut flaws) {
            flaws.push(format!("its extensions cannot be read: {why}"));
        }
        Ok(Self {
            der: whole.whole,
            tbs: tbs.whole,
            version,
            serial: serial.content,
            issuer: issuer.content,
            subject: subject.content,
            not_before,
            not_after,
            spki,
            key,
            signature_algorithm: algorithm.content,
            signature,
            extensions,
            flaws,
        })
    }

    /// Whether the subject and the issuer are the same name (RFC 5280, section 6.1).
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether the time (seconds since 1970) is inside the validity.
    pub fn is_valid_at(&self, at: i64) -> bool {
        (self.not_before..=self.not_after).contains(&at)
    }

    /// Whether this can be the issuer of `other`, by its name and key identifier.
    pub fn can_issue(&self, other: &ParsedCertificate<'_>) -> bool {
        let ids = (self.extensions.key_id, other.extensions.issuer_key_id);
        self.subject == other.issuer && !matches!(ids, (Some(own), Some(wanted)) if own != wanted)
    }
}

/// The version of the certificate, from 1; a certificate without the field has version 1.
fn version(fields: &mut DerReader<'_>) -> Result<u64, DerError> {
    let Some(version) = fields.optional(der::constructed(0))? else {
        return Ok(1);
    };
    let number = DerReader::new(version.content).expect(der::INTEGER)?;
    match number.content {
        [number] => Ok(u64::from(*number) + 1),
        _ => Err("it is not a small number"),
    }
}

fn validity(fields: &mut DerReader<'_>) -> Result<(i64, i64), String> {
    let validity = fields.expect(der::SEQUENCE);
    let mut times = DerReader::new(validity.map_err(|why| format!("validity: {why}"))?.content);
    let mut next = |name: &str| {
        let value = times.value().map_err(|why| format!("{name}: {why}"))?;
        time::seconds(value.tag, value.content).ok_or_else(|| {
            let text = String::from_utf8_lossy(value.content);
            let text = crate::escape::escaped_prefix(&text, 40);
            format!("{name} `{text}` is not a time")
        })
    };
    Ok((next("notBefore")?, next("notAfter")?))
}

/// One extension.
struct Extension<'a> {
    oid: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

impl<'a> Extension<'a> {
    fn next(list: &mut DerReader<'a>) -> Result<Self, DerError> {
        let mut parts = DerReader::new(list.expect(der::SEQUENCE)?.content);
        let oid = parts.expect(der::OID)?.content;
        let critical = parts.optional(der::BOOLEAN)?;
        Ok(Self {
            oid,
            critical: critical.is_some_and(|value| value.content != [0]),
            value: parts.expect(der::OCTET_STRING)?.content,
        })
    }
}

impl<'a> Extensions<'a> {
    /// Reads what follows the key in a `TBSCertificate`.
    fn read(&mut self, mut fields: DerReader<'a>, flaws: &mut Vec<String>) -> Result<(), DerError> {
        fields.optional(der::context(1))?;
        fields.optional(der::context(2))?;
        let Some(list) = fields.optional(der::constructed(3))? else {
            return if fields.is_empty() {
                Ok(())
            } else {
                Err("an unknown field follows the key")
            };
        };
        let mut list = der::sequence(list.content)?;
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let extension = Extension::next(&mut list)?;
            let oid = der::dotted(extension.oid);
            // The number of extensions that are compared is limited: a certificate of 64 KiB can
            // have 8,000.
            if seen.contains(&extension.oid) {
                flaws.push(format!("it has the extension {} twice", name(&oid)));
            } else if seen.len() < 64 {
                seen.push(extension.oid);
            }
            match self.interpret(&oid, extension.value) {
                Ok(Known::Supported) => {}
                Ok(Known::Informative) if !extension.critical => {}
                Ok(Known::Informative) => {
                    flaws.push(format!("its critical extension {} is unknown", name(&oid)));
                }
                Err(why) => {
                    flaws.push(format!(
                        "its extension {} cannot be read: {why}",
                        name(&oid)
                    ));
                }
            }
            if flaws.len() > 16 {
                break;
            }
        }
        Ok(())
    }

    /// Reads one extension. Returns [`Known::Supported`] for an extension that the verification
    /// evaluates; other extensions must not be critical.
    fn interpret(&mut self, oid: &str, value: &'a [u8]) -> Result<Known, DerError> {
        match oid {
            "2.5.29.14" => self.key_id = Some(only(value, der::OCTET_STRING)?),
            "2.5.29.15" => {
                let bits = only(value, der::BIT_STRING)?;
                self.key_usage = Some(bits.get(1).copied().unwrap_or(0));
                return Ok(Known::Supported);
            }
            "2.5.29.17" => {
                let content = only(value, der::SEQUENCE)?;
                self.names = GeneralNames { content };
                check_names(content)?;
                return Ok(Known::Supported);
            }
            "2.5.29.19" => {
                let mut constraints = der::sequence(value)?;
                let is_ca = constraints.optional(der::BOOLEAN)?;
                self.is_ca = Some(is_ca.is_some_and(|value| value.content != [0]));
                self.path_length = constraints.optional(der::INTEGER)?.map(|length| {
                    let number = length.content.iter().take(9);
                    number.fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
                });
                return Ok(Known::Supported);
            }
            "2.5.29.30" | "2.5.29.31" => return Ok(Known::Supported),
            "2.5.29.35" => {
                let mut parts = der::sequence(value)?;
                self.issuer_key_id = parts.optional(der::context(0))?.map(|id| id.content);
            }
            "2.5.29.37" => {
                let mut purposes = der::sequence(value)?;
                let mut for_servers = false;
                while !purposes.is_empty() {
                    for_servers |= purposes.expect(der::OID)?.content == SERVER_AUTH;
                }
                self.for_servers = Some(for_servers);
                return Ok(Known::Supported);
            }
            // No verifier refuses a certificate because these cannot be read.
            "1.3.6.1.5.5.7.1.1" => self.has_issuer_url = has_issuer_url(value).unwrap_or(false),
            "1.3.6.1.5.5.7.1.24" => self.must_staple = must_staple(value).unwrap_or(false),
            _ => {}
        }
        Ok(Known::Informative)
    }
}

/// Whether authorityInfoAccess has caIssuers.
fn has_issuer_url(value: &[u8]) -> Result<bool, DerError> {
    let mut descriptions = der::sequence(value)?;
    let mut found = false;
    while !descriptions.is_empty() {
        let description = descriptions.expect(der::SEQUENCE)?;
        found |= DerReader::new(description.content)
            .expect(der::OID)?
            .content
            == CA_ISSUERS;
    }
    Ok(found)
}

/// Whether the TLS features have `status_request` (RFC 6066) or `status_request_v2` (RFC 6961).
fn must_staple(value: &[u8]) -> Result<bool, DerError> {
    let mut features = der::sequence(value)?;
    let mut found = false;
    while !features.is_empty() {
        found |= matches!(features.expect(der::INTEGER)?.content, [5 | 17]);
    }
    Ok(found)
}

/// How an extension is treated if it is critical.
enum Known {
    /// It is processed.
    Supported,
    /// It must not be critical.
    Informative,
}

/// 1.3.6.1.5.5.7.3.1.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// 1.3.6.1.5.5.7.48.2.
const CA_ISSUERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 2];

/// The content of the only value, which has this tag.
fn only(bytes: &[u8], tag: u8) -> Result<&[u8], DerError> {
    let mut reader = DerReader::new(bytes);
    let content = reader.expect(tag)?.content;
    if reader.is_empty() {
        Ok(content)
    } else {
        Err("it has trailing bytes")
    }
}

fn check_names(content: &[u8]) -> Result<(), DerError> {
    let mut names = DerReader::new(content);
    while !names.is_empty() {
        let name = names.value()?;
        if name.tag == IP_ADDRESS && address(name.content).is_none() {
            return Err("an address in it is neither of 4 nor of 16 bytes");
        }
    }
    Ok(())
}

/// An extension's name for a sentence.
fn name(oid: &str) -> &str {
    match oid {
        "2.5.29.14" => "subjectKeyIdentifier",
        "2.5.29.15" => "keyUsage",
        "2.5.29.17" => "subjectAltName",
        "2.5.29.18" => "issuerAltName",
        "2.5.29.19" => "basicConstraints",
        "2.5.29.30" => "nameConstraints",
        "2.5.29.31" => "cRLDistributionPoints",
        "2.5.29.32" => "certificatePolicies",
        "2.5.29.35" => "authorityKeyIdentifier",
        "2.5.29.36" => "policyConstraints",
        "2.5.29.37" => "extKeyUsage",
        "2.5.29.54" => "inhibitAnyPolicy",
        "1.3.6.1.5.5.7.1.1" => "authorityInfoAccess",
        "1.3.6.1.5.5.7.1.24" => "TLS feature",
        "1.3.6.1.4.1.11129.2.4.3" => "CT poison (a precertificate)",
        _ => oid,
    }
}
