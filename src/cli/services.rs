//! `zbx-tcp services`: what is typed.

use clap::Args;

/// What named services exist, and what each says and expects
#[derive(Debug, Args)]
pub struct ServicesArgs {
    /// Show one service: what it sends and expects, and what it captures
    #[arg(value_name = "NAME", conflicts_with_all = ["check", "policy"])]
    pub name: Option<String>,

    /// `text` or `json` [default: text]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    /// Validate the configuration: every mistake, with file, line and key
    #[arg(long, conflicts_with = "policy")]
    pub check: bool,

    /// Explain what the policy says of this target
    #[arg(long, num_args = 2, value_names = ["HOST", "PORT"])]
    pub policy: Option<Vec<String>>,

    /// The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}
