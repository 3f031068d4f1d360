//! Hours as folders: `PREFIX/dt=YYYY-MM-DD/hour=H`, the partitions of the lake's tables.

use std::io;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::parquet::HOUR;

/// The folder of an hour (hours since 1970): `PREFIX/dt=YYYY-MM-DD/hour=H`, without a leading zero, with which readers disagree on the
/// hour's type.
///
/// # Errors
///
/// Where the hour is in no calendar.
pub fn hour_folder(prefix: &str, hour: i64) -> io::Result<String> {
    let time = Timestamp::from_second(hour * HOUR).map_err(io::Error::other)?;
    Ok(format!("{prefix}/{}", time.strftime("dt=%Y-%m-%d/hour=%-H")))
}

/// The hour (since 1970) of a file `PREFIX/dt=YYYY-MM-DD/hour=H/NAME`, as [`hour_folder`] names its folder.
pub fn hour_of_file(prefix: &str, file: &str) -> Option<i64> {
    let (folder, _) = file.rsplit_once('/')?;
    let (day, hour) = folder.strip_prefix(prefix)?.strip_prefix("/dt=")?.split_once("/hour=")?;
    let day: Date = day.parse().ok()?;
    let hour: i64 = hour.parse().ok().filter(|hour| (0..24).contains(hour))?;
    let hour = i64::from(day.since(Date::constant(1970, 1, 1)).ok()?.get_days()) * 24 + hour;
    (hour_folder(prefix, hour).ok()? == folder).then_some(hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_of_a_file_is_that_of_its_folder() {
        for hour in [0, -1, 491_628, 2_562_047] {
            let file = format!("{}/x.parquet", hour_folder("cleaned", hour).unwrap());
            assert_eq!(hour_of_file("cleaned", &file), Some(hour), "{file}");
            assert_eq!(hour_of_file("metrics", &file), None);
        }
        for other in [
            "quarantine/cleaned/dt=2026-01-31/hour=1/x.parquet",
            "cleaned/dt=2026-01-31/hour=01/x.parquet",
            "cleaned/dt=2026-01-31/hour=24/x.parquet",
            "cleaned/dt=2026-01-31/hour=9223372036854775807/x.parquet",
            "cleaned/dt=2026-01-31/hour=1/more/x.parquet",
            "cleaned/dt=20260131/hour=1/x.parquet",
            "cleaned/dt=2026-01-31/hour=1",
            "cleaned/x.parquet",
        ] {
            assert_eq!(hour_of_file("cleaned", other), None, "{other}");
        }
    }
}
