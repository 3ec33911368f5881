//! The digest of several parts.

/// What an order, a bid and their fingerprints fit into, in bytes.
const USUAL_BYTES: usize = 1_024;

/// BLAKE3 of these parts, one after the other. What is short is hashed in one piece, which takes half
/// as long.
pub fn digest(parts: &[&[u8]]) -> blake3::Hash {
    let mut usual = [0; USUAL_BYTES];
    let mut used = 0;
    for part in parts {
        let Some(room) = usual.get_mut(used..used + part.len()) else {
            return of_much(parts);
        };
        room.copy_from_slice(part);
        used += part.len();
    }
    blake3::hash(&usual[..used])
}

#[cold]
fn of_much(parts: &[&[u8]]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hashed_as_one() {
        let long = "x".repeat(3 * USUAL_BYTES);
        for (first, second) in [
            (0, 0),
            (0, 1),
            (1, 0),
            (200, 823),
            (200, 824),
            (1_024, 0),
            (1_025, 0),
            (3, 1_500),
        ] {
            let (first, second) = (&long[..first], &long[..second]);
            let parts = [first.as_bytes(), b"|", second.as_bytes()];
            let whole = [first, "|", second].concat();
            assert_eq!(digest(&parts), blake3::hash(whole.as_bytes()));
        }
        assert_eq!(digest(&[]), blake3::hash(b""));
    }
}
