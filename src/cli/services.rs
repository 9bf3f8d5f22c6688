//! Arguments of `zbx-tcp services`.

use clap::Args;

/// List named services, validate the configuration (--check), or check a target against the policy
/// (--policy)
#[derive(Debug, Args)]
pub struct ServicesArgs {
    /// Show the steps of this service
    #[arg(value_name = "NAME", conflicts_with_all = ["check", "policy"])]
    pub name: Option<String>,

    /// Output: `text` or `json` [default: text]
    #[arg(short, long, value_name = "WHAT")]
    pub output: Option<String>,

    /// Validate the configuration: print all errors with file, line and key
    #[arg(long, conflicts_with = "policy")]
    pub check: bool,

    /// Print whether the policy allows this target, and the rule that applies
    #[arg(long, num_args = 2, value_names = ["HOST", "PORT"])]
    pub policy: Option<Vec<String>>,

    /// Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and
    /// conf.d/*.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
}
