//! The texts of the faults of certificates: the meaning and the remedy of each.

use crate::tls_facts::Fault;

/// The texts of a fault.
#[derive(Debug, Clone, Copy)]
pub struct FaultText {
    /// What is wrong.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl FaultText {
    /// Both in one sentence.
    pub fn sentence(self) -> String {
        format!("{}: {}", self.meaning, self.remedy)
    }
}

/// The texts of a fault, as constants.
pub fn words(fault: Fault) -> FaultText {
    let (meaning, remedy) = match fault {
        Fault::Expired => (
            "the last day of the certificate has passed",
            "renew it, and reload the service",
        ),
        Fault::NotYetValid => (
            "the first day of the certificate is in the future",
            "correct the clock of the machine that issued it, or wait for this day",
        ),
        Fault::NameMismatch => (
            "the certificate is for other names",
            "set one of its names with --sni, or issue a certificate for this name",
        ),
        Fault::SelfSigned => (
            "the certificate is signed with its own key, and is not trusted",
            "pin its key with --pin-sha256, or trust the certificate with --ca-file",
        ),
        Fault::UnknownIssuer => (
            "the issuer of the certificate is not in the trust store",
            "trust the certificate of the issuer with --ca-file",
        ),
        Fault::MissingIntermediate => (
            "the server does not send the intermediate certificate, so that other clients fail too",
            "add it to the certificate file of the server, after its own",
        ),
        Fault::BadSignature => (
            "a signature of the chain is wrong",
            "install the chain that the issuer provides",
        ),
        Fault::WrongUsage => (
            "the certificate is not for TLS servers, or an issuer is not a CA",
            "issue a certificate with the extKeyUsage serverAuth",
        ),
        Fault::Malformed => (
            "the form of the certificate is invalid: version 1, an unknown critical extension, or impossible dates",
            "issue it again with current software",
        ),
        Fault::WeakKey => (
            "a key is too short",
            "use an RSA key of 2048 bits or more, or ECDSA P-256",
        ),
        Fault::WeakSignature => (
            "a signature uses MD5 or SHA-1",
            "issue the certificate again, signed with SHA-256",
        ),
        Fault::ChainOrder => (
            "the chain is not in order, or has certificates that do not belong to it",
            "order the certificate file: the server's own, then each issuer, without the root",
        ),
        Fault::PinMismatch => (
            "the key of the certificate is not pinned",
            "if the key was replaced on purpose, pin the new one; otherwise find out which server answers",
        ),
        Fault::OldVersion => (
            "the server speaks TLS 1.1 or older",
            "enable TLS 1.2 or 1.3 on the server",
        ),
        Fault::MustStaple => (
            "the certificate requires an OCSP response from the server, which sends none",
            "enable OCSP stapling on the server",
        ),
    };
    FaultText { meaning, remedy }
}
