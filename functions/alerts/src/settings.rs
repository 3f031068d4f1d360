//! The function's settings: environment variables, as a function has no command line.

use clap::Parser;
use millrace_host::telemetry::logs::LogSettings;
use millrace_objects::Location;
use url::Url;

/// Tells people of outages and alarms by mail, Slack and Teams, as a Lambda function. Configured by environment variables.
#[derive(Debug, Parser)]
#[command(
    name = "millrace-alerts",
    version,
    after_help = "Examples:\n  \
        cargo lambda build -p millrace-alerts --profile dist --compiler cargo\n  \
        cargo lambda deploy millrace-alerts --env-var MILLRACE_LAKE=s3://lake --env-var MILLRACE_ALERTS_TOPIC=arn:aws:sns:eu-central-1:123456789012:alerts\n\n\
        Outside Lambda, `millrace dev` prints alerts, and `millrace lake report` lists them."
)]
pub struct Settings {
    /// The lake, where it is kept what was told: `s3://BUCKET`
    #[arg(long, value_name = "URL", value_parser = Location::parse)]
    pub lake: Location,

    /// The topic of SNS, by its ARN, that mails alerts
    #[arg(long, value_name = "ARN")]
    pub alerts_topic: String,

    /// A secret of Secrets Manager, by its ARN, with the webhooks of chats: {"slack": URL, "teams": URL}, or one of them
    #[arg(long, value_name = "ARN", conflicts_with_all = ["slack_url", "teams_url"])]
    pub chats_secret: Option<String>,

    /// The incoming webhook of a Slack channel
    #[arg(long, value_name = "URL", hide_env_values = true)]
    pub slack_url: Option<Url>,

    /// The webhook of a Teams channel's workflow
    #[arg(long, value_name = "URL", hide_env_values = true)]
    pub teams_url: Option<Url>,

    /// The logs' settings.
    #[command(flatten)]
    pub logs: LogSettings,
}
