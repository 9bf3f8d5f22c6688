//! `[services.NAME]`: a named service. Built-in services and those of the configuration have the
//! same format.

use std::sync::Arc;

use crate::address::Port;
use crate::escape::escaped_prefix;
use crate::os::files::Refusal;
use crate::plan::steps::Secret;
use crate::policy::{Network, Policy};
use crate::settings::built_in;
use crate::settings::config::file::{self, Privacy};
use crate::settings::config::options::overrides;
use crate::settings::config::table::{Diagnostics, Field, Syntax, TableReader};
use crate::settings::config::value::toml_member;
use crate::settings::error::Key;
use crate::settings::overrides::Overrides;
use crate::settings::parse;
use crate::settings::secret_tls;
use crate::settings::step_spec::{Secrets, StepSpec};
use crate::suggest::did_you_mean;

/// A named service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its options, completed by those of the service that it extends.
    pub overrides: Overrides,
    /// The name of the built-in service that it extends.
    pub base: Option<String>,
    /// Whether its steps are the user's own, not those of a built-in service.
    pub has_own_steps: bool,
    /// The hosts that it may be used with; any host if the service has no `hosts`.
    pub hosts: Option<Policy>,
}

/// Reads one service; `None` if its name is invalid or it is no table. Its patterns and references
/// are not compiled.
pub fn service(
    diagnostics: &mut Diagnostics<'_>,
    name: &str,
    field: &Field<'_>,
    privacy: Privacy,
) -> Option<Service> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        diagnostics.error(
            field,
            "a service name can contain only letters, digits, `_` and `-`, and at most 64 characters",
        );
        return None;
    }
    let mut table = TableReader::of(diagnostics, field)?;
    let description = table
        .text(diagnostics, "description")
        .map(|given| given.text);
    let base = base(diagnostics, &mut table);
    let (base_name, base_description, base) = base.map_or_else(Default::default, |base| {
        (Some(base.name), base.description, base.overrides)
    });
    let port = table.parsed(diagnostics, "port", parse::port).or(base.port);
    let secrets: Secrets = secrets(diagnostics, &mut table, privacy).into();
    let hosts = hosts(diagnostics, name, &mut table, port, &secrets);
    let own = overrides(diagnostics, &mut table);
    let mut base = base;
    if !secrets.is_empty() {
        let tls = own.tls.as_deref();
        let refused = tls.and_then(|tls| secret_tls::reject_unverified(tls, name).err());
        diagnostics.errors.extend(refused);
        base = secret_tls::verified(base);
    }
    let overrides = with_secrets(own, &secrets);
    table.finish(diagnostics);
    let has_own_steps = overrides.steps.is_some();
    Some(Service {
        name: name.to_owned(),
        description: description.unwrap_or(base_description),
        overrides: Overrides { port, ..overrides }.or(base),
        base: base_name,
        has_own_steps,
        hosts,
    })
}

/// Reads `extends = "smtp"`: the built-in service whose options this one has unless it has its own.
/// One of the configuration may have secrets, for the hosts that its `hosts` names; it cannot be
/// extended.
fn base(diagnostics: &mut Diagnostics<'_>, table: &mut TableReader<'_>) -> Option<Service> {
    let name = table.text(diagnostics, "extends")?;
    let Some(section) = built_in::section(&name.text) else {
        let hint = match did_you_mean(&name.text, built_in::names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`zbx-tcp services` lists them".to_owned(),
        };
        let written = escaped_prefix(&name.text, 40);
        diagnostics.error_in(
            &name,
            format_args!("`{written}` is no built-in service: {hint}"),
        );
        return None;
    };
    let mut read = Diagnostics::of_file(built_in::FILE_NAME, section);
    let parsed = read.parse_toml();
    let services = toml_member(parsed.iter().next()?).value;
    let member = services.members()?.into_iter().next()?;
    let field = Field {
        key: Key::NONE.member(member.name),
        value: member.value,
    };
    service(&mut read, member.name, &field, Privacy::Private)
}

/// Lets the texts of a service refer to its secrets.
fn with_secrets(overrides: Overrides, secrets: &Secrets) -> Overrides {
    if secrets.is_empty() {
        return overrides;
    }
    let step = |step| match step {
        StepSpec::Send(send) => StepSpec::Send(send.with_secrets(secrets)),
        other @ (StepSpec::Expect(_) | StepSpec::Silence(_) | StepSpec::StartTls) => other,
    };
    Overrides {
        steps: overrides
            .steps
            .map(|steps| steps.into_iter().map(step).collect()),
        quit: overrides.quit.map(|quit| quit.with_secrets(secrets)),
        secrets: Some(Arc::clone(secrets)),
        ..overrides
    }
}

/// Reads `hosts = ["192.0.2.0/24", "192.0.2.7:2529"]`, which has the form of a policy list. An
/// entry without ports means the service's own port.
fn hosts(
    diagnostics: &mut Diagnostics<'_>,
    service: &str,
    table: &mut TableReader<'_>,
    port: Option<Port>,
    secrets: &Secrets,
) -> Option<Policy> {
    let Some(field) = table.take("hosts") else {
        if !secrets.is_empty() && diagnostics.syntax() == Syntax::Valid {
            // Otherwise, a user who chooses the host of a check could send the secrets to any host.
            let why = "a service with secrets requires `hosts`: list the addresses that may receive them, such as hosts = [\"192.0.2.0/24\"]";
            table.error(diagnostics, why);
        }
        return None;
    };
    let elements = field.clone().elements();
    if elements.is_empty() {
        diagnostics.error(
            &field,
            "is an empty list: remove the key to allow the service on all hosts",
        );
    }
    let mut networks = Vec::new();
    for element in &elements {
        let Some(given) = diagnostics.text(element) else {
            continue;
        };
        match given.text.parse::<Network>() {
            Ok(network) if !network.has_all_ports() => networks.push(network),
            Ok(network) => match port {
                Some(port) => networks.push(network.or_port(port)),
                None if secrets.is_empty() => networks.push(network),
                None => diagnostics.error(
                    element,
                    "requires a port, because the service has secrets and no `port`: write `192.0.2.7:22`",
                ),
            },
            Err(why) => diagnostics.error(element, why),
        }
    }
    Some(Policy::of_service(service, networks))
}

/// Reads `secrets = { password = "inline", token = { file = "/path" } }`.
fn secrets(
    diagnostics: &mut Diagnostics<'_>,
    table: &mut TableReader<'_>,
    privacy: Privacy,
) -> Vec<(String, Secret)> {
    let Some(field) = table.take("secrets") else {
        return Vec::new();
    };
    let Some(mut table) = TableReader::of(diagnostics, &field) else {
        return Vec::new();
    };
    let fields = table.take_all();
    let secrets = fields.into_iter().map(|(name, field)| {
        // If the file is not valid TOML, errors here could quote a secret.
        let secret = match diagnostics.syntax() {
            Syntax::Valid => secret(diagnostics, &field, privacy),
            Syntax::Broken => None,
        };
        (name.to_owned(), secret.unwrap_or_else(placeholder))
    });
    secrets.collect()
}

/// Replaces an invalid secret, so that steps that refer to it are no further errors.
fn placeholder() -> Secret {
    Secret::new(*b"")
}

fn secret(
    diagnostics: &mut Diagnostics<'_>,
    field: &Field<'_>,
    privacy: Privacy,
) -> Option<Secret> {
    const FORMS: &str = "must be a text, or a table `{ file = \"/path\" }`";
    if let Some(inline) = field.value.text() {
        if inline.is_empty() {
            diagnostics.error(field, "is empty: write the secret, or remove the key");
            return None;
        }
        if privacy == Privacy::Public {
            diagnostics.error(
                field,
                "a secret in a world-readable file: `chmod 640` the file, or put the secret into a separate file",
            );
            return None;
        }
        return Some(Secret::new(inline.as_bytes()));
    }
    if field.value.members().is_none() {
        diagnostics.error(field, FORMS);
        return None;
    }
    let mut table = TableReader::of(diagnostics, field)?;
    let path = table.take("file");
    table.finish(diagnostics);
    let Some(path) = path.and_then(|path| diagnostics.text(&path)) else {
        diagnostics.error(field, FORMS);
        return None;
    };
    read_secret(&path.text)
        .map_err(|why| diagnostics.error(field, why))
        .ok()
}

/// Reads a secret from its own file, without the final line end.
fn read_secret(path: &str) -> Result<Secret, String> {
    const MAX_BYTES: u64 = 64 * 1024;
    let (bytes, privacy) = file::read(path.as_ref(), MAX_BYTES).map_err(|why| match why {
        Refusal::TooLarge(_) => format!("{}: {why}", escaped_prefix(path, 200)),
        _ => format!("{}: {}", escaped_prefix(path, 200), Refusal::SENTENCE),
    })?;
    if privacy == Privacy::Public {
        return Err("the file is world-readable: `chmod 640` it".to_owned());
    }
    let is_content = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let end = bytes
        .iter()
        .rposition(is_content)
        .map_or(0, |last| last + 1);
    match bytes.get(..end) {
        Some(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
        _ => Err("the file is empty: write the secret into it".to_owned()),
    }
}
