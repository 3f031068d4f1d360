//! The prices that estimates are made with.

use std::path::PathBuf;

use millrace_cost::{PriceBook, Prices};
use millrace_host::exit::SettingError;
use millrace_host::setting_file;

/// Which prices count.
#[derive(Debug, clap::Args)]
pub(crate) struct PriceArgs {
    /// The region whose prices count: of the estimate alone
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) region: String,
    /// A file of prices, for other regions or newer ones: a copy of crates/cost/prices.json [default: the built-in ones]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl PriceArgs {
    /// The prices, and their day.
    pub(crate) fn read(&self) -> Result<(Prices, String), SettingError> {
        let mut book = match &self.prices {
            None => PriceBook::built_in(),
            Some(path) => setting_file::read("prices", path, PriceBook::read)?,
        };
        let known: Vec<_> = book.regions.keys().cloned().collect();
        let prices = book.regions.remove(&self.region).ok_or_else(|| {
            let problem = format!("no prices for {}: there are those of {}", self.region, known.join(", "));
            SettingError::of_flag("region", format!("{problem}; --prices names a file with others"))
        })?;
        Ok((prices, book.as_of))
    }
}
