//! The last part of the demo: several targets in one process.

use std::time::Duration;

use crate::commands::batch::text_results;
use crate::commands::color_mode;
use crate::commands::demo::responders::DemoServers;
use crate::policy::Policy;
use crate::settings;
use crate::settings::SettingsError;
use crate::settings::batch::BatchRequest;
use crate::settings::config::Configuration;
use crate::settings::overrides::Overrides;
use crate::settings::request::ProbeRequest;

/// The expected numbers of targets that are up and down.
pub const EXPECTED: (usize, usize) = (2, 3);

/// Probes some ports of the servers with `batch`. Returns the numbers of targets that are up and
/// down, and the text to print under the heading `number`.
pub fn show(
    servers: &DemoServers,
    number: usize,
) -> Result<((usize, usize), String), SettingsError> {
    let target = target(servers);
    let probe = ProbeRequest {
        overrides: Overrides {
            timeout: Some(Duration::from_millis(500)),
            ..Overrides::default()
        },
        ..ProbeRequest::default()
    };
    let request = BatchRequest::table(vec![target.clone()], probe);
    let batch = settings::batch::batch(
        request,
        &Configuration::default(),
        |_| false,
        |_| Ok(Vec::new()),
    )?;
    // Only the demo's own servers are probed, so no policy applies.
    let results = text_results(&batch, &Policy::allow_all(), color_mode());
    let title = "Many targets in one process, failures first";
    let command = format!("zbx-tcp batch {target} -t 0.5 -o text");
    let text = format!("{number}. {title}\n$ {command}\n{}\n", results.text);
    Ok(((results.up, results.down), text))
}

/// Some ports of the servers as one argument.
fn target(servers: &DemoServers) -> String {
    let DemoServers {
        greeting,
        silent,
        closed,
        full,
        ..
    } = servers;
    format!("127.0.0.1:{greeting},{greeting}/ssh,{silent},{closed},{full}")
}
