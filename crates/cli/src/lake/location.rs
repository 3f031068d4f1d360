//! The lake that a command reads.

use std::path::PathBuf;

use millrace_host::exit::SettingError;
use millrace_log_shipper::lake_folder;
use millrace_objects::Location;

use crate::discovery::DATA_DIR;

/// Which lake.
#[derive(Debug, clap::Args)]
pub(super) struct LakeArgs {
    /// The lake [default: lake in the data directory]
    #[arg(long, value_name = "DIR|URL", value_parser = parse)]
    lake: Option<Location>,
    /// The data directory of `millrace dev`
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
}

impl LakeArgs {
    /// Where it is.
    ///
    /// # Errors
    /// As [`existing`].
    pub(super) fn location(self) -> Result<Location, SettingError> {
        existing(self.lake.unwrap_or_else(|| Location::Folder(lake_folder(&self.data_dir))))
    }
}

/// Parses the location of a lake, for `--lake`.
///
/// # Errors
/// What is expected instead, or what this build lacks.
pub(crate) fn parse(text: &str) -> Result<Location, String> {
    match Location::parse(text)? {
        Location::Bucket { .. } if !millrace_objects::HAS_S3 => {
            Err("a bucket needs a build with the cargo feature `aws`".to_owned())
        }
        location => Ok(location),
    }
}

/// The lake, which is there.
///
/// # Errors
/// It is a folder that is not there: opening it would make one.
pub(crate) fn existing(lake: Location) -> Result<Location, SettingError> {
    match &lake {
        Location::Folder(folder) if !folder.is_dir() => {
            Err(SettingError::of_flag("lake", format!("there is no folder {}", folder.display())))
        }
        _ => Ok(lake),
    }
}
