//! The lake that a command reads.

use std::path::PathBuf;

use millrace_log_shipper::lake_folder;
use millrace_objects::Location;

use crate::discovery::DATA_DIR;

/// Which lake.
#[derive(Debug, clap::Args)]
pub(super) struct LakeArgs {
    /// The lake [default: lake in the data directory]
    #[arg(long, value_name = "DIR|URL", value_parser = Location::parse)]
    lake: Option<Location>,
    /// The data directory of `millrace dev`
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
}

impl LakeArgs {
    /// Where it is.
    ///
    /// # Errors
    /// It is a folder that is not there: opening it would make one.
    pub(super) fn location(self) -> anyhow::Result<Location> {
        let lake = self.lake.unwrap_or_else(|| Location::Folder(lake_folder(&self.data_dir)));
        match &lake {
            Location::Folder(folder) if !folder.is_dir() => {
                anyhow::bail!("--lake: there is no folder {}", folder.display())
            }
            _ => Ok(lake),
        }
    }
}
