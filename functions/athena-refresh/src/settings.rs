//! The function's settings: environment variables, as a function has no command line.

use clap::Parser;
use millrace_lambda::stage::LakeSettings;

/// Registers the partitions of the log lake's tables with Athena, as a Lambda function. Configured by environment variables.
#[derive(Debug, Parser)]
#[command(
    name = "millrace-athena-refresh",
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-athena-refresh --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-athena-refresh --env-var MILLRACE_LAKE=s3://lake --env-var MILLRACE_ATHENA_DATABASE=millrace \\\n    \
        --env-var MILLRACE_ATHENA_WORKGROUP=millrace\n\n\
        Tables whose partitions are projected do not need it."
)]
pub struct Settings {
    /// Those of the lake.
    #[command(flatten)]
    pub lake: LakeSettings,

    /// The database of the tables
    #[arg(long, value_name = "NAME")]
    pub athena_database: String,

    /// The workgroup whose queries add partitions; it says where their results go
    #[arg(long, value_name = "NAME")]
    pub athena_workgroup: String,
}
