//! The least and the greatest value of a column chunk, by which queries pass over row groups.

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::statistics::Statistics;

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
            Self::Int32(bounds) => Statistics::int32(bounds.map(|it| it.0), bounds.map(|it| it.1), None, nulls, false),
            Self::Int64(bounds) => Statistics::int64(bounds.map(|it| it.0), bounds.map(|it| it.1), None, nulls, false),
            Self::Double(bounds) => {
                // The format's rule: a zero may be of either sign.
                let least = bounds.map(|(least, _)| if least == 0.0 { -0.0 } else { least });
                let greatest = bounds.map(|(_, greatest)| if greatest == 0.0 { 0.0 } else { greatest });
                Statistics::double(least, greatest, None, nulls, false)
            }
            Self::Text(bounds) => {
                let bounds = bounds.filter(|(least, greatest)| least.len().max(greatest.len()) <= TEXT_LIMIT);
                let (least, greatest) = bounds.unzip();
                Statistics::byte_array(least.map(ByteArray::from), greatest.map(ByteArray::from), None, nulls, false)
            }
        }
    }
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
