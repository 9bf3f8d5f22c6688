//! TLS of services that have secrets: they are sent only to a server that has proved to be the one
//! that the configuration trusts. The caller can neither choose whom to trust nor disable the
//! verification.

use crate::settings::error::SettingsError;
use crate::settings::overrides::Overrides;
use crate::settings::tls_overrides::{TlsOverrides, TlsStart};

/// The options that change what is verified. They are accepted only from a file of the
/// configuration.
const OF_CONFIGURATION: [&str; 7] = [
    "--sni",
    "--ca-file",
    "--pin-sha256",
    "--client-cert",
    "--client-key",
    "--tls-min",
    "--starttls",
];

/// Refuses the options of TLS in a request that could send the secrets of its service to another
/// server.
///
/// # Errors
/// The first of these options.
pub fn reject_weaker(
    request: &Overrides,
    name: &str,
    service: &Overrides,
) -> Result<(), SettingsError> {
    let Some(tls) = request.tls.as_deref() else {
        return Ok(());
    };
    reject_unverified(tls, name)?;
    let of_service = service.tls.as_deref();
    let speaks = service.has_start_of_tls() || of_service.is_some_and(TlsOverrides::starts);
    if speaks && tls.start == Some(TlsStart::Never) {
        let message =
            format!("service `{name}` has secrets, and sends them only within TLS: remove this");
        return Err(tls.origins.error("--tls", message));
    }
    let from_caller = OF_CONFIGURATION.iter().find(|option| {
        let origin = tls.origins.get(option);
        origin.is_some_and(|origin| !origin.is_in_file())
    });
    let Some(option) = from_caller else {
        return Ok(());
    };
    let key = option.trim_start_matches('-').replace('-', "_");
    let message = format!(
        "cannot be given for service `{name}`, because it has secrets: write `{key}` into the service \
         (`[services.{name}]`)"
    );
    Err(tls.origins.error(option, message))
}

/// Refuses options that disable the verification of the server, wherever they were written.
///
/// # Errors
/// The first of these options.
pub fn reject_unverified(tls: &TlsOverrides, service: &str) -> Result<(), SettingsError> {
    for (option, is_given) in [
        ("--tls-report-only", tls.report_only == Some(true)),
        ("--tls-legacy", tls.legacy == Some(true)),
    ] {
        if is_given {
            let message = format!(
                "service `{service}` has secrets, which are sent only to a server that has proved \
                 to be trusted: remove this, and trust its key with `pin_sha256` in the service if \
                 its certificate has no trusted issuer"
            );
            return Err(tls.origins.error(option, message));
        }
    }
    Ok(())
}

/// The options that complete those of a service with secrets, such as `[defaults]`, without those
/// that disable the verification of the server.
pub fn verified(mut base: Overrides) -> Overrides {
    if let Some(tls) = &mut base.tls {
        (tls.report_only, tls.legacy) = (None, None);
    }
    base
}
