//! Distinguished names as text (RFC 4514), as `openssl x509 -nameopt RFC2253,-esc_msb` writes them:
//! the last attribute first, with the short names of OpenSSL.

use std::fmt::Write as _;

use crate::tls::certificate::der::{self, DerError, DerReader, DerValue};

/// The text of a `Name` (the content of its `SEQUENCE`).
///
/// # Errors
/// If it is not a sequence of sets of attributes.
pub fn text(name: &[u8]) -> Result<String, DerError> {
    let mut out = Vec::new();
    let mut sets = DerReader::new(name);
    while !sets.is_empty() {
        let mut attributes = DerReader::new(sets.expect(der::SET)?.content);
        let mut separator = ",";
        while !attributes.is_empty() {
            let mut attribute = DerReader::new(attributes.expect(der::SEQUENCE)?.content);
            let oid = attribute.expect(der::OID)?.content;
            out.push((separator, attribute_text(oid, attribute.value()?)));
            separator = "+";
        }
    }
    let mut text = String::new();
    let mut between = "";
    for (separator, attribute) in out.iter().rev() {
        text.push_str(between);
        text.push_str(attribute);
        between = separator;
    }
    Ok(text)
}

/// The value of the last `commonName`, which is the first in the text.
pub fn common_name(name: &[u8]) -> Option<String> {
    let mut found = None;
    let mut sets = DerReader::new(name);
    while let Ok(set) = sets.expect(der::SET) {
        let mut attributes = DerReader::new(set.content);
        while let Ok(attribute) = attributes.expect(der::SEQUENCE) {
            let mut attribute = DerReader::new(attribute.content);
            if let (Ok(oid), Ok(value)) = (attribute.expect(der::OID), attribute.value()) {
                if oid.content == COMMON_NAME {
                    found = string(&value).or(found);
                }
            }
        }
    }
    found
}

/// 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

fn attribute_text(oid: &[u8], value: DerValue<'_>) -> String {
    let oid = der::dotted(oid);
    let known = short_name(&oid).and_then(|name| Some((name, string(&value)?)));
    let mut out = String::new();
    if let Some((name, value)) = known {
        out.push_str(name);
        out.push('=');
        push_value(&mut out, &value);
    } else {
        out.push_str(short_name(&oid).unwrap_or(&oid));
        out.push_str("=#");
        for byte in value.whole {
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:02X}");
        }
    }
    out
}

/// Appends a value with the escapes of RFC 4514, section 2.4; control characters in hexadecimal.
fn push_value(out: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => {
                out.push('\\');
                out.push(character);
            }
            ' ' if index == 0 || index == last => out.push_str("\\ "),
            '#' if index == 0 => out.push_str("\\#"),
            '\0'..='\x1f' | '\x7f' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\{:02X}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
}

/// The text of a string value, if it is one. `TeletexString` is read as Latin-1, as most programs
/// write it.
fn string(value: &DerValue<'_>) -> Option<String> {
    let bytes = value.content;
    match value.tag {
        UTF8_STRING => String::from_utf8(bytes.to_vec()).ok(),
        NUMERIC_STRING
        | PRINTABLE_STRING
        | TELETEX_STRING
        | IA5_STRING
        | VISIBLE_STRING
        | der::UTC_TIME
        | der::GENERALIZED_TIME => Some(bytes.iter().copied().map(char::from).collect()),
        BMP_STRING if bytes.len() % 2 == 0 => {
            let units = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        UNIVERSAL_STRING if bytes.len() % 4 == 0 => bytes
            .chunks_exact(4)
            .map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        _ => None,
    }
}

const UTF8_STRING: u8 = 12;
const NUMERIC_STRING: u8 = 18;
const PRINTABLE_STRING: u8 = 19;
const TELETEX_STRING: u8 = 20;
const IA5_STRING: u8 = 22;
const VISIBLE_STRING: u8 = 26;
const UNIVERSAL_STRING: u8 = 28;
const BMP_STRING: u8 = 30;

/// The name of an attribute type in RFC 4514, section 3, else that of OpenSSL.
fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.15" => "businessCategory",
        "2.5.4.16" => "postalAddress",
        "2.5.4.17" => "postalCode",
        "2.5.4.18" => "postOfficeBox",
        "2.5.4.20" => "telephoneNumber",
        "2.5.4.41" => "name",
        "2.5.4.42" => "GN",
        "2.5.4.43" => "initials",
        "2.5.4.44" => "generationQualifier",
        "2.5.4.45" => "x500UniqueIdentifier",
        "2.5.4.46" => "dnQualifier",
        "2.5.4.65" => "pseudonym",
        "2.5.4.72" => "role",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.3" => "mail",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        "1.2.840.113549.1.9.8" => "unstructuredAddress",
        "1.3.6.1.4.1.311.60.2.1.1" => "jurisdictionL",
        "1.3.6.1.4.1.311.60.2.1.2" => "jurisdictionST",
        "1.3.6.1.4.1.311.60.2.1.3" => "jurisdictionC",
        _ => return None,
    })
}
