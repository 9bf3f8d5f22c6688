//! `zbx-tcp doctor`: says what is missing for zbx-tcp to work with the Zabbix of this machine. It
//! reads files, and neither changes nor sends anything.

mod account;
mod zabbix;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::cli::doctor::DoctorArgs;
use crate::cli::values::non_empty;
use crate::commands::doctor::account::{Access, Account};
use crate::commands::doctor::zabbix::{Daemon, DaemonKind};
use crate::commands::{CommandResult, Exit, print};
use crate::escape::escaped_prefix;
use crate::os::clock;
use crate::os::files;
use crate::os::socket;
use crate::output::json::JsonWriter;
use crate::plan::ProbeSpec;
use crate::policy;
use crate::policy::Policy;
use crate::settings::config::Configuration;
use crate::settings::{SettingsError, validate};
use crate::tls::roots;

/// The least hard limit on descriptors that a batch of a thousand targets needs.
const FEW_DESCRIPTORS: u64 = 4096;
/// A trust store that is older lacks issuers of today, in seconds: 3 years.
const OLD_STORE: u64 = 3 * 365 * 86_400;
/// The longest file of the system that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Whether something is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FindingState {
    /// It works.
    Ok,
    /// It does not; the text says what to do.
    ToDo,
}

impl FindingState {
    /// The published name.
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToDo => "to do",
        }
    }
}

/// What was found about one subject.
#[derive(Debug)]
pub struct DoctorFinding {
    state: FindingState,
    subject: String,
    text: String,
}

/// The findings in the order in which they are printed.
#[derive(Debug, Default)]
pub struct DoctorFindings(Vec<DoctorFinding>);

impl DoctorFindings {
    /// Adds a subject that works.
    fn add_ok(&mut self, subject: &str, text: impl Into<String>) {
        self.add(FindingState::Ok, subject, text.into());
    }

    /// Adds what is to do.
    fn add_task(&mut self, subject: &str, text: impl Into<String>) {
        self.add(FindingState::ToDo, subject, text.into());
    }

    fn add(&mut self, state: FindingState, subject: &str, text: String) {
        self.0.push(DoctorFinding {
            state,
            subject: subject.to_owned(),
            text,
        });
    }
}

/// Prints the findings. The exit status is 0 if nothing is to do, otherwise 1.
///
/// # Errors
/// An unknown output.
pub fn run(args: &DoctorArgs) -> CommandResult {
    let is_json = match non_empty(&args.output) {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            let other = escaped_prefix(other, 40);
            let why = format!("unknown value `{other}`: use `text` or `json`");
            return Err(SettingsError::in_option("--output", why));
        }
    };
    let mut findings = DoctorFindings::default();
    examine(&mut findings);
    let is_done = findings.0.iter().all(|one| one.state == FindingState::Ok);
    let exit = if is_done { Exit::Up } else { Exit::Down };
    let text = if is_json {
        json(&findings)
    } else {
        text(&findings)
    };
    Ok(print(text.as_bytes(), exit))
}

fn examine(findings: &mut DoctorFindings) {
    let daemons = zabbix::daemons();
    if daemons.is_empty() {
        findings.add_task(
            "zabbix",
            "no configuration of a Zabbix server, proxy or agent was found in /etc/zabbix or /usr/local/etc: run this on the machine that runs the checks",
        );
    }
    let name = daemons.iter().find_map(|daemon| daemon.user.as_deref());
    let account = Account::of(name.unwrap_or("zabbix"));
    match &account {
        Some(account) => findings.add_ok("user", format!("{} exists", account.name)),
        None if daemons.is_empty() => {}
        None => {
            let name = name.unwrap_or("zabbix");
            findings.add_task("user", format!("the user {name} does not exist: Zabbix is not installed completely, or runs as another user"));
        }
    }
    let own = std::env::current_exe().ok();
    if let (Some(program), Some(account)) = (&own, &account) {
        may(findings, "program", account, program, Access::Execute);
    }
    for daemon in &daemons {
        if let Some(why) = &daemon.unread {
            let text = format!("{why}: run this as root");
            findings.add_task(daemon.kind.name(), text);
            continue;
        }
        match daemon.kind {
            DaemonKind::Server | DaemonKind::Proxy => server(findings, daemon, account.as_ref()),
            DaemonKind::Agent | DaemonKind::Agent2 => agent(findings, daemon, account.as_ref()),
        }
        timeout(findings, daemon);
    }
    configuration(findings, account.as_ref());
    policy(findings, account.as_ref());
    trust_store(findings);
    descriptors(findings);
    name_servers(findings);
}

/// Says whether the account has this access to a file.
fn may(
    findings: &mut DoctorFindings,
    subject: &str,
    account: &Account,
    path: &Path,
    access: Access,
) {
    let shown = path.display();
    match account.may(path, access) {
        Ok(()) => findings.add_ok(subject, format!("{} may {access} {shown}", account.name)),
        Err(why) => findings.add_task(
            subject,
            format!("{} may not {access} {shown}: {why}", account.name),
        ),
    }
}

/// Where a server or proxy looks for external checks, and whether this program is there.
fn server(findings: &mut DoctorFindings, daemon: &Daemon, account: Option<&Account>) {
    let subject = format!("{}: external checks", daemon.kind.name());
    let Some(directory) = daemon.external_scripts() else {
        findings.add_task(&subject, format!("none of the usual directories exists, and {} has no ExternalScripts: create a directory, and set ExternalScripts to it", daemon.file.display()));
        return;
    };
    let link = directory.join("zbx-tcp");
    if !link.exists() {
        findings.add_task(
            &subject,
            format!(
                "{0}/zbx-tcp does not exist: ln -s /usr/bin/zbx-tcp {0}/",
                directory.display()
            ),
        );
        return;
    }
    match account {
        Some(account) => may(findings, &subject, account, &link, Access::Execute),
        None => findings.add_ok(&subject, format!("{} exists", link.display())),
    }
}

/// Whether an agent has the item keys, by exactly one of the two ways.
fn agent(findings: &mut DoctorFindings, daemon: &Daemon, account: Option<&Account>) {
    let subject = format!("{}: item keys", daemon.kind.name());
    let parameter = daemon
        .values("UserParameter")
        .any(|value| value.starts_with("tcp.check["));
    let plugin = daemon.values("Plugins.Tcp.System.Path").last();
    match (parameter, plugin) {
        (true, Some(_)) => findings.add_task(&subject, "both the plugin (Plugins.Tcp.System.Path) and the UserParameters are active, so that the agent does not start: remove one of the two files"),
        (true, None) => findings.add_ok(&subject, "by UserParameters"),
        (false, Some(path)) => match account {
            Some(account) => may(findings, &subject, account, Path::new(path), Access::Execute),
            None => findings.add_ok(&subject, format!("by the plugin {}", escaped_prefix(path, 200))),
        },
        (false, None) => findings.add_task(&subject, format!("neither the UserParameters nor the plugin is active: copy zbx-tcp.conf to a directory that {} includes, and restart the agent", daemon.file.display())),
    }
}

/// Whether Zabbix waits longer than a check with the default timeout takes.
fn timeout(findings: &mut DoctorFindings, daemon: &Daemon) {
    let subject = format!("{}: timeout", daemon.kind.name());
    let own = ProbeSpec::TIMEOUT.as_secs_f32();
    let given = daemon.values("Timeout").last();
    let parsed = given.map_or(Ok(3), str::parse::<u64>);
    let origin = if given.is_some() {
        "Timeout"
    } else {
        "the default"
    };
    let Ok(seconds) = parsed else {
        let given = escaped_prefix(given.unwrap_or_default(), 40);
        findings.add_task(
            &subject,
            format!("Timeout=`{given}` is not a number of seconds"),
        );
        return;
    };
    if Duration::from_secs(seconds) > ProbeSpec::TIMEOUT {
        findings.add_ok(
            &subject,
            format!("{seconds} s ({origin}) is above {own} s, the default of zbx-tcp"),
        );
    } else {
        findings.add_task(&subject, format!("{seconds} s ({origin}) is not above {own} s, the default of zbx-tcp: Zabbix ends the check before it has a result; set Timeout=4 in {}, or a lower timeout in each check", daemon.file.display()));
    }
}

/// The configuration: whether Zabbix may read it, and whether it is valid.
#[allow(clippy::disallowed_methods)]
fn configuration(findings: &mut DoctorFindings, account: Option<&Account>) {
    const PATIENCE: Duration = Duration::from_secs(10);
    let subject = "configuration";
    let files: Vec<PathBuf> = Configuration::files(None)
        .into_iter()
        .filter(|path| path.is_file())
        .collect();
    if files.is_empty() {
        findings.add_ok(subject, "none; only your own services and targets need one");
        return;
    }
    for path in &files {
        if let Some(account) = account {
            may(findings, subject, account, path, Access::Read);
        }
    }
    let start = Instant::now();
    let config = Configuration::validated(None);
    let errors = validate::errors(&config, |_| start.elapsed() > PATIENCE);
    match (errors.first(), errors.len()) {
        (None, _) => findings.add_ok(
            subject,
            format!(
                "valid: services: {}, target entries: {}",
                config.services.len(),
                config.targets.len()
            ),
        ),
        (Some(error), 1) => findings.add_task(subject, error.to_string()),
        (Some(error), count) => findings.add_task(
            subject,
            format!(
                "{error} (and {} more: `zbx-tcp services --check` shows all)",
                count - 1
            ),
        ),
    }
}

fn policy(findings: &mut DoctorFindings, account: Option<&Account>) {
    let path = Path::new(policy::PATH);
    let policy = Policy::system();
    if let Some(error) = policy.error() {
        findings.add_task("policy", format!("every target is denied: {error}"));
    } else if files::is_absent(path) == Ok(true) {
        findings.add_ok(
            "policy",
            format!("there is no {}: every target is allowed", policy::PATH),
        );
    } else {
        findings.add_ok(
            "policy",
            format!(
                "{} is in force: `zbx-tcp services --policy HOST PORT` shows what it allows",
                policy::PATH
            ),
        );
        if let Some(account) = account {
            may(findings, "policy", account, path, Access::Read);
        }
    }
}

/// The trusted certificates, and how old they are.
fn trust_store(findings: &mut DoctorFindings) {
    let facts = match roots::load(None) {
        Ok(roots) => roots.facts(),
        Err(error) => {
            findings.add_task("certificates", error.to_string());
            return;
        }
    };
    let file = facts.file.display();
    let modified = fs::metadata(&facts.file).and_then(|about| about.modified());
    let now = Duration::from_micros(u64::try_from(clock::read().wall).unwrap_or_default());
    let modified = modified
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let age = modified.and_then(|modified| now.checked_sub(modified));
    let days = age.map(|age| age.as_secs() / 86_400);
    let number = facts.number;
    match (age, days) {
        (Some(age), Some(days)) if age.as_secs() > OLD_STORE => findings.add_task("certificates", format!("{file} with {number} trusted certificates is {days} days old: update the package ca-certificates")),
        (_, Some(days)) => findings.add_ok("certificates", format!("{number} trusted certificates in {file}, changed {days} days ago")),
        _ => findings.add_ok("certificates", format!("{number} trusted certificates in {file}")),
    }
}

fn descriptors(findings: &mut DoctorFindings) {
    match socket::descriptor_limit() {
        Ok(limit) if limit.hard >= FEW_DESCRIPTORS => findings.add_ok("descriptors", format!("at most {} in this shell", limit.hard)),
        Ok(limit) => findings.add_task("descriptors", format!("only {} in this shell, so that many targets are probed by several threads: raise the hard limit (LimitNOFILE of the systemd unit of Zabbix)", limit.hard)),
        Err(error) => findings.add_task("descriptors", format!("the limit is not known: {error}")),
    }
}

fn name_servers(findings: &mut DoctorFindings) {
    const FILE: &str = "/etc/resolv.conf";
    let content = files::read_optional(Path::new(FILE), MAX_FILE);
    if let Some(why) = content.unread {
        findings.add_task("name servers", format!("{FILE}: {why}"));
        return;
    }
    let text = String::from_utf8_lossy(&content.bytes).into_owned();
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some("nameserver"), Some(address)) = (words.next(), words.next()) {
            servers.push(escaped_prefix(address, 60));
        }
    }
    if servers.is_empty() {
        findings.add_task(
            "name servers",
            format!("{FILE} has no line `nameserver ADDRESS`, so that 127.0.0.1 is asked"),
        );
    } else {
        findings.add_ok("name servers", servers.join(", "));
    }
}

/// One line for each finding.
fn text(findings: &DoctorFindings) -> String {
    let width = findings.0.iter().map(|one| one.subject.len()).max();
    let width = width.unwrap_or_default();
    let line = |one: &DoctorFinding| {
        let text = escaped_prefix(&one.text, 1000);
        format!("{:<5}  {:<width$}  {text}\n", one.state.name(), one.subject)
    };
    findings.0.iter().map(line).collect::<Vec<_>>().concat()
}

/// `{"schema":1,"findings":[{"state":"ok","subject":"policy","text":"..."}]}`, on one line.
fn json(findings: &DoctorFindings) -> String {
    let mut bytes = Vec::new();
    let mut json = JsonWriter::new(&mut bytes);
    json.open_object();
    json.key("schema");
    json.value(|buffer| buffer.push(b'1'));
    json.key("findings");
    json.open_array();
    for one in &findings.0 {
        json.value(|buffer| {
            let mut json = JsonWriter::new(buffer);
            json.open_object();
            for (key, value) in [
                ("state", one.state.name()),
                ("subject", &one.subject),
                ("text", &one.text),
            ] {
                json.key(key);
                json.text(value);
            }
            json.close_object();
        });
    }
    json.close_array();
    json.close_object();
    bytes.push(b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}
