//! The value of `tail --from`: where to start reading.

use std::str::FromStr;

/// `beginning`, `end`, or `-N` for the last N records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The oldest available record.
    Beginning,
    /// New records only.
    End,
    /// The last N records of the topic, over all its partitions.
    Last(u64),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => Ok(Self::Beginning),
            "end" => Ok(Self::End),
            text => {
                let number = text.strip_prefix('-').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let number = number.and_then(|digits| digits.parse().ok());
                number
                    .map(Self::Last)
                    .ok_or_else(|| "write beginning, end, or -N for the last N records, like -10".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_is_a_word_or_a_number_of_records() {
        assert_eq!("beginning".parse(), Ok(From::Beginning));
        assert_eq!("end".parse(), Ok(From::End));
        assert_eq!("-10".parse(), Ok(From::Last(10)));
        for wrong in ["", "-", "10", "-+1", "--1", "-1.5", "start", "-99999999999999999999"] {
            assert!(wrong.parse::<From>().unwrap_err().contains("-10"), "{wrong}");
        }
    }
}
