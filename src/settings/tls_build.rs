//! Builds the layer of TLS from merged options. Contradictions between them are found here.

use std::collections::HashMap;
use std::path::PathBuf;

use foldhash::fast::RandomState;

use crate::plan::layer::SharedLayer;
use crate::settings::error::{Located, SettingsError};
use crate::settings::option_table::OptionName;
use crate::settings::overrides::Overrides;
use crate::settings::tls_overrides::{TlsOverrides, TlsStart};
use crate::tls;
use crate::tls::options::{ClientCertificate, TlsOption, TlsOptions};
use crate::tls_facts::TlsVersion;

/// The layers of a run: equal options share one, so that files are read once.
#[derive(Debug, Default)]
pub struct TlsLayers(HashMap<TlsOptions, SharedLayer, RandomState>);

/// The TLS of a probe.
#[derive(Debug)]
pub struct TlsPlan<'o> {
    /// When it starts.
    pub start: PlannedStart<'o>,
    /// The layer.
    pub layer: SharedLayer,
}

/// When TLS starts.
#[derive(Debug, Clone, Copy)]
pub enum PlannedStart<'o> {
    /// Directly after the connect.
    AtConnect,
    /// After the STARTTLS dialogue of this protocol.
    After(&'o Located),
    /// In a step of the dialogue.
    InSteps,
}

impl TlsLayers {
    /// The TLS of these options; `None` without TLS.
    ///
    /// # Errors
    /// The first contradiction; a file that cannot be used.
    pub fn plan<'o>(
        &mut self,
        overrides: &'o Overrides,
    ) -> Result<Option<TlsPlan<'o>>, SettingsError> {
        let Some(start) = start(overrides)? else {
            return Ok(None);
        };
        let none = TlsOverrides::default();
        let given = overrides.tls.as_deref().unwrap_or(&none);
        let options = options(given)?;
        if let Some(layer) = self.0.get(&options) {
            let layer = layer.clone();
            return Ok(Some(TlsPlan { start, layer }));
        }
        let layer = tls::layer(options.clone())
            .map_err(|why| given.origins.error(name_of(why.option), why.message))?;
        self.0.insert(options, layer.clone());
        Ok(Some(TlsPlan { start, layer }))
    }
}

/// The errors of the options of TLS: contradictions, and each file that cannot be used. Probes read
/// the trusted certificates later, so that many can share them.
pub fn errors(overrides: &Overrides, layers: &mut TlsLayers) -> Vec<SettingsError> {
    let planned = layers.plan(overrides);
    let given = overrides.tls.as_deref();
    let ca_file = given.and_then(|tls| tls.ca_file.as_ref());
    let unusable = ca_file
        .filter(|_| !matches!(planned, Ok(None)))
        .and_then(|file| {
            let why = tls::roots::load(Some(file.text.as_ref())).err()?;
            Some(file.error(why))
        });
    planned.err().into_iter().chain(unusable).collect()
}

/// The name of an option of the layer on the command line.
fn name_of(option: TlsOption) -> &'static str {
    let mut names = TlsOverrides::NAMES.iter();
    let named = names.find(|name| name.key == option.key());
    named.map_or(EXPECT_CERT, |name| name.option)
}

fn start(overrides: &Overrides) -> Result<Option<PlannedStart<'_>>, SettingsError> {
    let in_steps = overrides.has_start_of_tls();
    let Some(tls) = overrides.tls.as_deref() else {
        return Ok(in_steps.then_some(PlannedStart::InSteps));
    };
    let origins = &tls.origins;
    match &tls.start {
        Some(TlsStart::Never) if in_steps => Err(origins.error(
            "--tls",
            "is false, but a step of the dialogue starts TLS: change the steps, or remove this option",
        )),
        Some(TlsStart::Never) => Ok(None),
        Some(TlsStart::AtConnect) if in_steps => Err(origins.error(
            "--tls",
            "cannot be combined with a dialogue that starts TLS itself (STARTTLS): remove one of them",
        )),
        Some(TlsStart::After(protocol)) if in_steps => Err(protocol.error(
            "cannot be combined with a dialogue that starts TLS itself (STARTTLS): remove one of them",
        )),
        Some(TlsStart::AtConnect) => Ok(Some(PlannedStart::AtConnect)),
        Some(TlsStart::After(protocol)) => Ok(Some(PlannedStart::After(protocol))),
        None if in_steps => Ok(Some(PlannedStart::InSteps)),
        None if tls.starts() => Ok(Some(PlannedStart::AtConnect)),
        None => Err(without_tls(tls)),
    }
}

/// The error of an option of TLS in a probe without TLS.
fn without_tls(tls: &TlsOverrides) -> SettingsError {
    let names = TlsOverrides::NAMES
        .iter()
        .map(|name: &OptionName| name.option);
    let given = names
        .chain([EXPECT_CERT])
        .find(|option| tls.origins.get(option).is_some());
    let option = given.unwrap_or("--tls");
    let remedy = if tls.origins.can_be_overridden(option) {
        "requires TLS: add `tls = true` or `starttls`, or use a service with TLS"
    } else {
        "requires TLS: give `--tls` or `--starttls`, or use a service with TLS"
    };
    tls.origins.error(option, remedy)
}

/// The name of `expect_cert` among the origins; it is not an option of the command line.
pub const EXPECT_CERT: &str = "--expect-cert";

/// The options of the layer.
fn options(given: &TlsOverrides) -> Result<TlsOptions, SettingsError> {
    reject_contradictions(given)?;
    let path = |file: &Located| PathBuf::from(&file.text);
    // A file may hold both the certificate and its key.
    let client = given.client_cert.as_ref().map(|cert| ClientCertificate {
        cert: path(cert),
        key: path(given.client_key.as_ref().unwrap_or(cert)),
    });
    Ok(TlsOptions {
        sni: given.sni.clone(),
        alpn: given.alpn.clone().unwrap_or_default(),
        ca_file: given.ca_file.as_ref().map(path),
        client,
        pins: given.pins.clone().unwrap_or_default(),
        min_version: given.min_version,
        report_only: given.report_only == Some(true),
        legacy: given.legacy == Some(true),
        expect_client_cert: given.expect_client_cert == Some(true),
        scan: given.scan == Some(true),
        expect_cert: given.expect_cert.as_ref().map(path),
    })
}

fn reject_contradictions(given: &TlsOverrides) -> Result<(), SettingsError> {
    let origins = &given.origins;
    let together = |option: &'static str, other: &'static str, why: &str| {
        let other = origins.name_beside(option, other);
        Err(origins.error(
            option,
            format!("cannot be combined with {other}, {why}: remove one of them"),
        ))
    };
    if given.pins.is_some() && given.report_only == Some(true) {
        return together(
            "--pin-sha256",
            "--tls-report-only",
            "which does not require trust",
        );
    }
    if given.client_key.is_some() && given.client_cert.is_none() {
        let cert = origins.name_beside("--client-key", "--client-cert");
        let message = format!("requires {cert}: give the certificate of this key");
        return Err(origins.error("--client-key", message));
    }
    if given.expect_client_cert == Some(true) && given.client_cert.is_some() {
        return together(
            "--expect-client-cert",
            "--client-cert",
            "which the server would accept",
        );
    }
    if given.pins.is_some() && given.ca_file.is_some() {
        return together(
            "--pin-sha256",
            "--ca-file",
            "since a pinned key needs no trusted issuer",
        );
    }
    match given.min_version {
        Some(version) if version < TlsVersion::Tls12 && given.legacy != Some(true) => {
            let legacy = origins.name_beside("--tls-min", "--tls-legacy");
            let message = format!(
                "{version} requires {legacy}: without it no version before TLSv1.2 is accepted"
            );
            Err(origins.error("--tls-min", message))
        }
        _ => Ok(()),
    }
}
