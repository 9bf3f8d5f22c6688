//! Errors of webpki as faults.

use webpki::Error;

use crate::tls_facts::Fault;

/// What an error of webpki means, with the remedy.
pub fn reason(error: &Error) -> (Fault, &'static str) {
    match error {
        Error::CertExpired { .. } => (
            Fault::Expired,
            "a certificate of its chain has expired: renew it",
        ),
        Error::CertNotValidYet { .. } => (
            Fault::NotYetValid,
            "a certificate of its chain is not valid yet: check the clocks",
        ),
        Error::CertNotValidForName(_) => (Fault::NameMismatch, "it is for other names: replace it"),
        Error::InvalidSignatureForPublicKey => (
            Fault::BadSignature,
            "a signature of its chain is wrong: configure the right chain",
        ),
        Error::CaUsedAsEndEntity => (
            Fault::WrongUsage,
            "it is that of a CA: issue one for the server, with basicConstraints CA:FALSE",
        ),
        Error::EndEntityUsedAsCa | Error::IssuerNotCrlSigner => (
            Fault::WrongUsage,
            "an issuer in its chain is not a CA: use another issuer",
        ),
        Error::NameConstraintViolation => (
            Fault::WrongUsage,
            "an issuer in its chain must not issue certificates for this name (nameConstraints): use another issuer",
        ),
        Error::PathLenConstraintViolated => (
            Fault::WrongUsage,
            "an issuer in its chain must not have so many CAs below it (pathLenConstraint): use another issuer",
        ),
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => (
            Fault::WrongUsage,
            "a certificate of its chain is not for TLS servers (extKeyUsage): replace it",
        ),
        Error::UnknownIssuer => (
            Fault::UnknownIssuer,
            "no trusted root was found for it: configure its full chain, or trust its root with `--ca-file`",
        ),
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => (
            Fault::UnknownIssuer,
            "a signature of its chain cannot be verified by zbx-tcp: pin the key of the server with `--pin-sha256`",
        ),
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded => (
            Fault::UnknownIssuer,
            "its chain is too long to be verified: configure the right chain",
        ),
        Error::BadDerTime | Error::InvalidCertValidity => (
            Fault::Malformed,
            "a date in its chain is invalid: replace the certificate",
        ),
        Error::UnsupportedCriticalExtension => (
            Fault::Malformed,
            "a certificate of its chain has an unknown critical extension: replace it",
        ),
        Error::UnsupportedCertVersion => (
            Fault::Malformed,
            "a certificate of its chain is not of version 3: replace it",
        ),
        _ => (
            Fault::Malformed,
            "the form of a certificate in its chain is invalid (RFC 5280): replace it",
        ),
    }
}
