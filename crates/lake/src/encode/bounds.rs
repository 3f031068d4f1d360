//! The least and the greatest value of a column chunk, by which queries pass over row groups.

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// Longer texts are no bounds: a reader keeps all footers in memory.
const TEXT_LIMIT: usize = 1_024;

/// Bounds of the values so far; none before the first one.
#[derive(Debug)]
pub(super) enum Bounds {
    Int32(Option<(i32, i32)>),
    Int64(Option<(i64, i64)>),
    Double(Option<(f64, f64)>),
    Text(Option<(Vec<u8>, Vec<u8>)>),
}

impl Bounds {
    pub(super) fn new(kind: Type) -> Self {
        match kind {
            Type::INT32 => Self::Int32(None),
            Type::INT64 => Self::Int64(None),
            Type::DOUBLE => Self::Double(None),
            _ => Self::Text(None),
        }
    }

    /// Takes values in the PLAIN encoding.
    pub(super) fn take(&mut self, plain: &[u8]) {
        match self {
            Self::Int32(bounds) => widen(bounds, numbers(plain).map(i32::from_le_bytes), i32::min, i32::max),
            Self::Int64(bounds) => widen(bounds, numbers(plain).map(i64::from_le_bytes), i64::min, i64::max),
            Self::Double(bounds) => widen(bounds, numbers(plain).map(f64::from_le_bytes), f64::min, f64::max),
            Self::Text(bounds) => {
                for text in texts(plain) {
                    let (least, greatest) = bounds.get_or_insert_with(|| (text.to_owned(), text.to_owned()));
                    if text < least.as_slice() {
                        text.clone_into(least);
                    } else if text > greatest.as_slice() {
                        text.clone_into(greatest);
                    }
                }
            }
        }
    }

    pub(super) fn statistics(self, nulls: u64) -> Statistics {
        let nulls = Some(nulls);
        match self {
            Self::Int32(bounds) => numeric(bounds, nulls).into(),
            Self::Int64(bounds) => numeric(bounds, nulls).into(),
            Self::Double(bounds) => {
                // The format's rule: a zero may be of either sign.
                let signed = |(least, greatest)| {
                    (if least == 0.0 { -0.0 } else { least }, if greatest == 0.0 { 0.0 } else { greatest })
                };
                numeric(bounds.map(signed), nulls).into()
            }
            Self::Text(bounds) => {
                let bounds = bounds.filter(|(least, greatest)| least.len().max(greatest.len()) <= TEXT_LIMIT);
                let (least, greatest) = bounds.unzip();
                Statistics::byte_array(least.map(ByteArray::from), greatest.map(ByteArray::from), None, nulls, false)
            }
        }
    }
}

/// Bounds of numbers: they stand in the fields that old readers know, too.
fn numeric<T: Copy>(bounds: Option<(T, T)>, nulls: Option<u64>) -> ValueStatistics<T> {
    let (least, greatest) = bounds.unzip();
    ValueStatistics::new(least, greatest, None, nulls, false).with_backwards_compatible_min_max(true)
}

fn widen<T: Copy>(
    bounds: &mut Option<(T, T)>,
    values: impl Iterator<Item = T>,
    min: fn(T, T) -> T,
    max: fn(T, T) -> T,
) {
    *bounds = values.fold(*bounds, |bounds, value| {
        let (least, greatest) = bounds.unwrap_or((value, value));
        Some((min(least, value), max(greatest, value)))
    });
}

fn numbers<const BYTES: usize>(plain: &[u8]) -> impl Iterator<Item = [u8; BYTES]> {
    plain.as_chunks().0.iter().copied()
}

fn texts(mut plain: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = plain.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        plain = rest;
        Some(text)
    })
}
