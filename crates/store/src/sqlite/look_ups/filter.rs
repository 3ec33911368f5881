//! Sets that answer "surely not" or "perhaps", in a fixed size and with one look at 32 bytes: the
//! split-block Bloom filter of Apache Parquet
//! (<https://parquet.apache.org/docs/file-format/bloomfilter/>).
//!
//! What is put in is a hash already. That is why no crate stands here: those that are kept up
//! hash by themselves and look at several cache lines.

/// One bit in each of these words is set for a number.
type Block = [u32; 8];

/// Odd numbers that spread the lower half of a number over the words, as Parquet has them.
const SALT: Block = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

const BLOCK_BITS: usize = 256;

pub(super) struct Filter {
    blocks: Vec<Block>,
}

impl Filter {
    /// Room for so many numbers. With 16 bits a number about one of a thousand others is taken
    /// for one of them, with 8 bits about one of thirty.
    pub(super) fn new(numbers: usize, bits_each: usize) -> Self {
        let blocks = (numbers * bits_each).div_ceil(BLOCK_BITS).max(1);
        Self {
            blocks: vec![[0; 8]; blocks],
        }
    }

    fn place(&self, number: u64) -> (usize, impl Iterator<Item = u32> + use<>) {
        let hash = spread(number);
        let (high, low) = (hash >> 32, hash & u64::from(u32::MAX));
        let block = (high * self.blocks.len() as u64) >> 32;
        let block = usize::try_from(block).expect("less than the number of blocks");
        let low = u32::try_from(low).expect("masked to 32 bits");
        // Not `SALT.map`, which the compiler makes a call of.
        let bits = SALT
            .iter()
            .map(move |salt| 1 << (low.wrapping_mul(*salt) >> 27));
        (block, bits)
    }

    pub(super) fn insert(&mut self, number: u64) {
        let (block, bits) = self.place(number);
        for (word, bit) in self.blocks[block].iter_mut().zip(bits) {
            *word |= bit;
        }
    }

    pub(super) fn may_contain(&self, number: u64) -> bool {
        let (block, bits) = self.place(number);
        let words = &self.blocks[block];
        words.iter().zip(bits).all(|(word, bit)| word & bit != 0)
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&self.blocks[..])
    }
}

/// Numbers that differ in few bits come far apart: the last step of `SplitMix64`. Fingerprints need
/// it not; it costs two multiplications, and nothing depends on where a number came from.
pub(super) fn spread(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
