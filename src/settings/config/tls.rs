//! `tls`, `starttls` and the options of TLS, in services, targets and `[defaults]`. An option is
//! written by its long name, or without `tls_` in the table `tls = { ... }`.

use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::error::Located;
use crate::settings::option_table::{OptionForm, OptionName, OptionSource};
use crate::settings::origins::Origin;
use crate::settings::tls_build::EXPECT_CERT;
use crate::settings::tls_overrides::{TlsOverrides, TlsStart};

/// Reads the options of TLS; `None` if there are none.
pub fn tls(
    diagnostics: &mut Diagnostics<'_>,
    table: &mut TableReader<'_>,
) -> Option<Box<TlsOverrides>> {
    let field = table.take("tls");
    let inner = field
        .as_ref()
        .and_then(|field| inner_table(diagnostics, field));
    let has_table = inner.is_some();
    let starttls = table.text(diagnostics, "starttls");
    let mut keys = TlsKeys {
        diagnostics,
        outer: table,
        inner,
    };
    let expect_cert = keys.expect_cert();
    let (mut tls, errors) = TlsOverrides::parse(&mut keys);
    let TlsKeys { inner, .. } = keys;
    if let Some(inner) = inner {
        inner.finish(diagnostics);
    }
    diagnostics.errors.extend(errors);
    if let Some(given) = &expect_cert {
        tls.origins.add(EXPECT_CERT, Origin::of(given));
    }
    tls.expect_cert = expect_cert;
    tls.has_table = has_table.then_some(true);
    let is_on = field
        .as_ref()
        .and_then(|field| Some((field, field.value.flag()?)));
    if let Some((field, is_on)) = is_on {
        tls.origins
            .add("--tls", Origin::of(&diagnostics.located(field, "")));
        tls.start = Some(if is_on {
            TlsStart::AtConnect
        } else {
            TlsStart::Never
        });
        if !is_on
            && (tls
                != TlsOverrides {
                    start: Some(TlsStart::Never),
                    ..TlsOverrides::default()
                })
        {
            diagnostics.error(field, "is false, but there are options of TLS: remove them");
        }
    }
    if let Some(starttls) = starttls {
        if let Some((field, _)) = is_on {
            diagnostics.error(
                field,
                "cannot be combined with `starttls`: remove one of them",
            );
        }
        tls.origins.add("--starttls", Origin::of(&starttls));
        tls.start = Some(TlsStart::After(starttls));
    }
    (tls != TlsOverrides::default()).then(|| Box::new(tls))
}

/// The reader of the table `tls = { ... }`; `None` for `true` and `false`.
fn inner_table<'t>(
    diagnostics: &mut Diagnostics<'_>,
    field: &Field<'t>,
) -> Option<TableReader<'t>> {
    if field.value.flag().is_some() {
        return None;
    }
    if field.value.members().is_none() {
        diagnostics.wrong_type(field, "true, false or a table");
        return None;
    }
    TableReader::of(diagnostics, field)
}

/// Reads each option of TLS from the table `tls` or from the table around it.
struct TlsKeys<'k, 'd, 't> {
    diagnostics: &'k mut Diagnostics<'d>,
    outer: &'k mut TableReader<'t>,
    inner: Option<TableReader<'t>>,
}

impl TlsKeys<'_, '_, '_> {
    fn expect_cert(&mut self) -> Option<Located> {
        let name = OptionName {
            key: "expect_cert",
            option: EXPECT_CERT,
            form: OptionForm::Value,
        };
        self.value(name)
    }

    /// Takes the values of a key from the two tables in which options of TLS may be written. A key in
    /// both is an error.
    fn take(&mut self, name: OptionName) -> Vec<Located> {
        let outer = read(self.diagnostics, self.outer, name, name.key);
        let Some(inner) = &mut self.inner else {
            return outer;
        };
        let short = name.key.strip_prefix("tls_").unwrap_or(name.key);
        let inner = read(self.diagnostics, inner, name, short);
        match (outer.first(), inner.first()) {
            (Some(_), Some(given)) => {
                let why = format!("is also given as `{}`: remove one of them", name.key);
                self.diagnostics.error_in(given, why);
                inner
            }
            (Some(_), None) => outer,
            (None, _) => inner,
        }
    }
}

impl OptionSource for TlsKeys<'_, '_, '_> {
    fn value(&mut self, name: OptionName) -> Option<Located> {
        self.take(name).into_iter().next()
    }

    fn list(&mut self, name: OptionName) -> Vec<Located> {
        self.take(name)
    }
}

/// The options whose value is never a number.
const IS_TEXT: [&str; 5] = ["sni", "ca_file", "client_cert", "client_key", "expect_cert"];
/// An empty list of pins would pin nothing.
const PINS: &str = "pin_sha256";

fn not_empty(
    diagnostics: &mut Diagnostics<'_>,
    table: &mut TableReader<'_>,
    key: &'static str,
) -> Vec<Located> {
    let Some(field) = table.take(key) else {
        return Vec::new();
    };
    let whole = field.clone();
    let is_list = field.value.scalar().is_none();
    let elements = field.elements();
    let texts = elements.iter().filter_map(|field| diagnostics.text(field));
    let texts: Vec<_> = texts.collect();
    let is_empty = texts.iter().all(|given| given.text.trim().is_empty());
    if is_list && is_empty && texts.len() == elements.len() {
        diagnostics.error(
            &whole,
            "has no digest, so that no key would be pinned: write one, or remove the key",
        );
    }
    let given = texts.into_iter().filter(|given| !given.text.is_empty());
    given.collect()
}

fn read(
    diagnostics: &mut Diagnostics<'_>,
    table: &mut TableReader<'_>,
    name: OptionName,
    key: &'static str,
) -> Vec<Located> {
    match name.form {
        OptionForm::Value if IS_TEXT.contains(&name.key) => {
            table.text(diagnostics, key).into_iter().collect()
        }
        OptionForm::Value => table.scalar(diagnostics, key).into_iter().collect(),
        OptionForm::List if name.key == PINS => not_empty(diagnostics, table, key),
        OptionForm::Flag => table.located_flag(diagnostics, key).into_iter().collect(),
        OptionForm::List => table.texts(diagnostics, key),
    }
}
