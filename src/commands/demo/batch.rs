//! The demonstration's last part: several targets in one process.

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::demo::responders::Stage;
use crate::commands::{batch, paint};
use crate::policy::Policy;
use crate::settings;
use crate::settings::SettingsError;

/// How many of the fleet are up, and how many down.
pub const EXPECTED: (usize, usize) = (2, 3);

/// Probes some ports of the stage by one `batch`; how many are up and down, and what a person sees under this number.
pub fn show(stage: &Stage, number: usize) -> Result<((usize, usize), String), SettingsError> {
    let words = words(stage);
    let fleet = match Cli::try_parse_from(words.iter().map(String::as_str))
        .map_err(SettingsError::new)?
        .command
    {
        Command::Batch(args) => settings::batch::batch(&args, |_| Ok(Vec::new()))?,
        _ => return Err(SettingsError::new("demo: not a batch")),
    };
    // Only our own responders are probed.
    let shown = batch::show(&fleet, &Policy::allow_all(), paint());
    let title = "A fleet in one process, failures first";
    let page = format!("{number}. {title}\n$ {}\n{}\n", words.join(" "), shown.page);
    Ok(((shown.up, shown.down), page))
}

/// What somebody would type.
fn words(stage: &Stage) -> Vec<String> {
    let Stage {
        greeting,
        silent,
        closed,
        full,
        ..
    } = stage;
    let target = format!("127.0.0.1:{greeting},{greeting}/ssh,{silent},{closed},{full}");
    ["zbx-tcp", "batch", &target, "-t", "0.5", "-o", "text"]
        .map(str::to_owned)
        .into()
}
