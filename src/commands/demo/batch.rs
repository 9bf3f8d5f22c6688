//! The last part of the demo: several targets in one process.

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::batch::text_results;
use crate::commands::color_mode;
use crate::commands::demo::responders::DemoServers;
use crate::policy::Policy;
use crate::settings;
use crate::settings::SettingsError;

/// The expected numbers of targets that are up and down.
pub const EXPECTED: (usize, usize) = (2, 3);

/// Probes some ports of the servers with `batch`. Returns the numbers of targets that are up and down, and the text to
/// print under the heading `number`.
pub fn show(
    servers: &DemoServers,
    number: usize,
) -> Result<((usize, usize), String), SettingsError> {
    let arguments = arguments(servers);
    let batch = match Cli::try_parse_from(arguments.iter().map(String::as_str))
        .map_err(SettingsError::new)?
        .command
    {
        // Only the demo's own servers are probed, so no policy applies.
        Command::Batch(args) => settings::batch::batch(&args, |_| Ok(Vec::new()))?,
        _ => return Err(SettingsError::new("demo: not a batch")),
    };
    let results = text_results(&batch, &Policy::allow_all(), color_mode());
    let title = "Many targets in one process, failures first";
    let text = format!(
        "{number}. {title}\n$ {}\n{}\n",
        arguments.join(" "),
        results.text
    );
    Ok(((results.up, results.down), text))
}

/// The command line to show.
fn arguments(servers: &DemoServers) -> Vec<String> {
    let DemoServers {
        greeting,
        silent,
        closed,
        full,
        ..
    } = servers;
    let target = format!("127.0.0.1:{greeting},{greeting}/ssh,{silent},{closed},{full}");
    ["zbx-tcp", "batch", &target, "-t", "0.5", "-o", "text"]
        .map(str::to_owned)
        .into()
}
