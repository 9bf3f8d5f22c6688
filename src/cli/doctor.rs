//! Arguments of `zbx-tcp doctor`.

use clap::Args;

/// Check how zbx-tcp is set up on this machine. Nothing is changed, and nothing is sent
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Output: `text` or `json` [default: text]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,
}
