//! `millrace cost`: what a workload costs on AWS.

mod report;

use std::io::Write as _;
use std::num::NonZeroU32;
use std::process::ExitCode;

use clap::ValueEnum;
use millrace_cost::{CostError, Edge, Installation, Kind, Workload, crossover, estimate, example};
use millrace_host::exit::SettingError;
use millrace_host::settings::whole_number;

use self::report::Report;
use crate::prices::PriceArgs;

const EXAMPLES: &str = "\
Examples:
  millrace cost                            the production example at 2,000/s
  millrace cost --batch 100                100 events a request
  millrace cost --example dev --rate 0     a development system at rest
  millrace cost --edge load-balancer       serve in API Gateway's place
  millrace cost --kind log --batch 500 --size 300 --record-days 3
                                           log records, through the lake
  millrace cost --kind order --json | jq .dollars_a_million_events

JSON: {\"example\", \"region\", \"prices_as_of\", \"events_a_second\", \"million_events_a_month\", \"stages\": {STAGE: {\"dollars_a_month\", \
\"dollars_a_million_events\", \"items\": [{\"name\", \"quantity\", \"unit\", \"dollars_a_month\"}]}}, \"dollars_a_month\", \
\"dollars_a_million_events\", \"load_balancer_from_events_a_second\", \"warnings\"}. What would be a number of dollars a million \
events is null where there are none.

docs/costs.md names what is assumed, and what is not counted.";

/// What a workload costs on AWS, a month and a million events
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Events a second, all month
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = whole_number::<u32>(0..=10_000_000))]
    rate: u32,
    /// Events in a request
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole_number::<NonZeroU32>(1..=5_000))]
    batch: NonZeroU32,
    /// Bytes of an event
    #[arg(long, value_name = "BYTES", default_value_t = 1_024, value_parser = whole_number::<u32>(1..=262_144))]
    size: u32,
    /// What the events are, and with that where they go
    #[arg(long, value_enum, default_value_t = KindArg::Event)]
    kind: KindArg,
    /// Days for which topics keep records
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = whole_number::<u32>(1..=3_650))]
    record_days: u32,
    /// Days for which the database keeps rows (the consumers' --retain)
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = whole_number::<u32>(1..=36_500))]
    row_days: u32,
    /// Days for which the lake keeps rows of log records
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = whole_number::<u32>(1..=36_500))]
    lake_days: u32,
    /// How long the function takes for a request
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 10, value_parser = whole_number::<u32>(1..=30_000))]
    function_ms: u32,
    /// The function writes no metrics to its log
    #[arg(long)]
    no_function_metrics: bool,
    /// The installation, by its folder in infra/examples
    #[arg(long, value_enum, default_value_t = ExampleArg::Production)]
    example: ExampleArg,
    /// What answers HTTPS [default: the example's]
    #[arg(long, value_enum)]
    edge: Option<EdgeArg>,
    /// Brokers [default: the example's]
    #[arg(long, value_name = "N", value_parser = whole_number::<u32>(1..=90))]
    brokers: Option<u32>,
    /// The brokers' type, such as kafka.m7g.large [default: the example's]
    #[arg(long, value_name = "TYPE")]
    broker_type: Option<String>,
    /// Instances for the consumers, at least [default: the example's]
    #[arg(long, value_name = "N", value_parser = whole_number::<u32>(1..=1_000))]
    instances: Option<u32>,
    /// Their type, such as m7g.large [default: the example's]
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,
    #[command(flatten)]
    prices: PriceArgs,
    /// Write it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    Event,
    Notification,
    Order,
    Login,
    Log,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExampleArg {
    Dev,
    Production,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EdgeArg {
    ApiGateway,
    LoadBalancer,
}

impl Args {
    fn workload(&self) -> Workload {
        Workload {
            events_per_second: f64::from(self.rate),
            batch: self.batch.get(),
            value_bytes: self.size,
            kind: match self.kind {
                KindArg::Event => Kind::Event,
                KindArg::Notification => Kind::Notification,
                KindArg::Order => Kind::Order,
                KindArg::Login => Kind::Login,
                KindArg::Log => Kind::Log,
            },
            kafka_days: self.record_days,
            row_days: self.row_days,
            lake_days: self.lake_days,
            function_ms: f64::from(self.function_ms),
            has_function_metrics: !self.no_function_metrics,
        }
    }

    fn example_name(&self) -> &'static str {
        match self.example {
            ExampleArg::Dev => "dev",
            ExampleArg::Production => "production",
        }
    }

    fn installation(&self) -> anyhow::Result<Installation> {
        let name = self.example_name();
        let mut made = example(name).ok_or_else(|| anyhow::anyhow!("there is no example {name}"))?;
        match self.edge {
            Some(EdgeArg::ApiGateway) => made.edge = Edge::ApiGateway,
            Some(EdgeArg::LoadBalancer) => made.edge = Edge::LoadBalancer,
            None => {}
        }
        if let Some(brokers) = self.brokers {
            made.brokers = brokers;
        }
        if let Some(broker_type) = &self.broker_type {
            made.broker_type.clone_from(broker_type);
        }
        if let Some(instances) = self.instances {
            made.instances = instances;
        }
        if let Some(instance_type) = &self.instance_type {
            made.instance_type.clone_from(instance_type);
        }
        Ok(made)
    }
}

/// Estimates and writes the bill.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    /// The edge's limit of a request.
    const REQUEST_LIMIT: u64 = 5 << 20;
    let request = u64::from(args.batch.get()) * u64::from(args.size);
    if request > REQUEST_LIMIT {
        let problem = format!("{} events of {} bytes are more than the 5 MiB of a request", args.batch, args.size);
        return Err(SettingError::of_flag("batch", problem).into());
    }
    let (prices, prices_as_of) = args.prices.read()?;
    let (installation, workload) = (args.installation()?, args.workload());
    let estimate = estimate(&prices, &installation, &workload).map_err(|error| wrong_type(&error))?;
    let load_balancer_from = crossover(&prices, &installation, &workload).map_err(|error| wrong_type(&error))?;
    let example = args.example_name();
    let report = Report {
        example,
        region: &args.prices.region,
        prices_as_of: &prices_as_of,
        workload,
        estimate,
        load_balancer_from,
    };
    let text = if args.json { format!("{:#}\n", report.to_json()) } else { report.to_text() };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn wrong_type(error: &CostError) -> SettingError {
    let CostError::UnknownType { kind, .. } = error;
    SettingError::of_flag(if *kind == "brokers" { "broker-type" } else { "instance-type" }, error.to_string())
}
