//! The demonstration's last part: several targets in one process.

use std::time::Duration;

use crate::commands::demo::responders::Stage;
use crate::commands::{batch, paint};
use crate::policy::Policy;
use crate::settings;
use crate::settings::SettingsError;
use crate::settings::batch::BatchRequest;
use crate::settings::config::Configuration;
use crate::settings::overrides::Overrides;
use crate::settings::request::ProbeRequest;

/// How many of the fleet are up, and how many down.
pub const EXPECTED: (usize, usize) = (2, 3);

/// Probes some ports of the stage by one `batch`; how many are up and down, and what a person sees
/// under this number.
pub fn show(stage: &Stage, number: usize) -> Result<((usize, usize), String), SettingsError> {
    let target = target(stage);
    let probe = ProbeRequest {
        overrides: Overrides {
            timeout: Some(Duration::from_millis(500)),
            ..Overrides::default()
        },
        ..ProbeRequest::default()
    };
    let request = BatchRequest::table(vec![target.clone()], probe);
    let fleet = settings::batch::batch(request, &Configuration::default(), |_| Ok(Vec::new()))?;
    // Only our own responders are probed.
    let shown = batch::show(&fleet, &Policy::allow_all(), paint());
    let title = "A fleet in one process, failures first";
    let command = format!("zbx-tcp batch {target} -t 0.5 -o text");
    let page = format!("{number}. {title}\n$ {command}\n{}\n", shown.page);
    Ok(((shown.up, shown.down), page))
}

/// Some ports of the stage as one argument.
fn target(stage: &Stage) -> String {
    let Stage {
        greeting,
        silent,
        closed,
        full,
        ..
    } = stage;
    format!("127.0.0.1:{greeting},{greeting}/ssh,{silent},{closed},{full}")
}
