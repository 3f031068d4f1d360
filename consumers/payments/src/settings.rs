//! The settings of payments, for every host.

use std::time::Duration;

use clap::Args;
use millrace_host::settings::duration;

/// The settings of payments.
#[derive(Debug, Clone, PartialEq, Args)]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
#[command(next_help_heading = "Payments")]
pub struct Settings {
    /// Delay of each charge in the simulated gateway, such as 250ms
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub payment_delay: Duration,

    /// Largest amount that the simulated gateway accepts; larger ones are declined
    #[arg(long, value_name = "AMOUNT", default_value = "10000", value_parser = amount)]
    pub decline_above: f64,
}

fn amount(text: &str) -> Result<f64, String> {
    let amount: Option<f64> = text.parse().ok();
    let is_amount = |amount: &f64| amount.is_finite() && *amount >= 0.0;
    amount.filter(is_amount).ok_or_else(|| "expected a non-negative number, such as 99.50".to_owned())
}

impl Default for Settings {
    fn default() -> Self {
        Self { payment_delay: Duration::ZERO, decline_above: 10_000.0 }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(arguments: &[&str]) -> Result<Settings, clap::Error> {
        CommandLine::try_parse_from([&["payments"], arguments].concat()).map(|line| line.settings)
    }

    #[test]
    fn command_line_defaults_equal_the_types_defaults() {
        assert_eq!(parse(&[]).unwrap(), Settings::default());
    }

    #[test]
    fn amounts_are_decimal_and_not_negative() {
        let above = |text| parse(&[&format!("--decline-above={text}")]).map(|settings| settings.decline_above);
        assert!((above("99.50").unwrap() - 99.5).abs() < f64::EPSILON);
        for wrong in ["", "-1", "ten", "inf", "NaN", "1e999"] {
            let error = above(wrong).unwrap_err().to_string();
            assert!(error.contains("--decline-above"), "{wrong}: {error}");
        }
    }
}
