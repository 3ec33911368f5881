//! The random bits of a batch.

/// What the stream is made in.
const BLOCK_BYTES: usize = 64;

/// An endless stream, made a block at a time: a secret takes a quarter of one.
pub(super) struct Entropy {
    stream: blake3::OutputReader,
    block: [u8; BLOCK_BYTES],
    used: usize,
}

impl Entropy {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self {
            stream: blake3::Hasher::new_keyed(seed).finalize_xof(),
            block: [0; BLOCK_BYTES],
            used: BLOCK_BYTES,
        }
    }

    pub(super) fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bits = [0; N];
        let mut filled = 0;
        while filled < N {
            if self.used == BLOCK_BYTES {
                self.stream.fill(&mut self.block);
                self.used = 0;
            }
            let count = (N - filled).min(BLOCK_BYTES - self.used);
            let drawn = &self.block[self.used..self.used + count];
            bits[filled..filled + count].copy_from_slice(drawn);
            filled += count;
            self.used += count;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_is_drawn_twice_and_none_left_out() {
        let mut entropy = Entropy::new(&[7; 32]);
        let mut drawn = Vec::new();
        for _ in 0..40 {
            drawn.extend(entropy.draw::<16>());
            drawn.extend(entropy.draw::<8>());
            drawn.extend(entropy.draw::<32>());
            drawn.extend(entropy.draw::<100>());
        }
        let mut stream = vec![0; drawn.len()];
        blake3::Hasher::new_keyed(&[7; 32])
            .finalize_xof()
            .fill(&mut stream);
        assert_eq!(drawn, stream);
    }
}
