//! CRC-64/NVME under the names by which `object_store` calls it.
//!
//! The crate of this name has the tables of 49 more checksums, which a linker cannot leave out, since a table is looked up when the
//! program runs: 0.7 MB of a function's zip, for a checksum that is off unless it is asked for.

/// The checksums that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// CRC-64/NVME, S3's own.
    Crc64Nvme,
}

/// A checksum of what it was updated with.
pub struct Digest(crc64fast_nvme::Digest);

impl Digest {
    /// The checksum of nothing.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        match algorithm {
            CrcAlgorithm::Crc64Nvme => Self(crc64fast_nvme::Digest::new()),
        }
    }

    /// Appends bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The checksum.
    pub fn finalize(&self) -> u64 {
        self.0.sum64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of <https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme>.
    #[test]
    fn a_checksum_is_that_of_the_catalogue() {
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        digest.update(b"12345");
        digest.update(b"6789");
        assert_eq!(digest.finalize(), 0xAE8B_1486_0A79_9888);
    }

    /// Long texts are summed by vector instructions, where there are any.
    #[test]
    fn a_long_text_has_the_checksum_of_its_definition() {
        // Reflected polynomial; all bits are set before and turned over behind it.
        const POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;
        let text: Vec<u8> = (0..10_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
        let expected = text.iter().fold(u64::MAX, |sum, &byte| {
            (0..8).fold(sum ^ u64::from(byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 })
        });
        let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        text.chunks(777).for_each(|part| digest.update(part));
        assert_eq!(digest.finalize(), !expected);
    }
}
