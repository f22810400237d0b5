//! Recent distances (RFC 7932, 4).

/// Number of distance symbols that refer to recent distances.
pub(super) const RECENT_SYMBOLS: usize = 16;

/// What op-node's decoder takes for a distance that is zero or less. No stream can hold it.
pub(super) const IMPOSSIBLE: usize = 0x7fff_ffff;

/// Which recent distance each of the symbols refers to, and what to add to it.
#[rustfmt::skip]
const SYMBOLS: [(u8, i8); RECENT_SYMBOLS] = [
    (0, 0), (1, 0), (2, 0), (3, 0), (0, -1), (0, 1), (0, -2), (0, 2),
    (0, -3), (0, 3), (1, -1), (1, 1), (1, -2), (1, 2), (1, -3), (1, 3),
];

/// The last four distances, the last one first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recent([usize; 4]);

impl Recent {
    pub(super) const fn new() -> Self {
        Self([4, 11, 15, 16])
    }

    #[inline(always)]
    pub(super) const fn last(&self) -> usize {
        self.0[0]
    }

    /// The distance that a symbol below [`RECENT_SYMBOLS`] stands for.
    #[inline(always)]
    pub(super) fn get(&self, symbol: usize) -> usize {
        let (which, change) = SYMBOLS[symbol % RECENT_SYMBOLS];
        let distance = self.0[usize::from(which)].wrapping_add_signed(change.into());
        // Distances are below 2^28.
        if distance == 0 || distance > usize::MAX / 2 {
            IMPOSSIBLE
        } else {
            distance
        }
    }

    #[inline(always)]
    pub(super) const fn push(&mut self, distance: usize) {
        self.0 = [distance, self.0[0], self.0[1], self.0[2]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_refer_to_the_four_last_distances_and_their_neighbours() {
        let mut recent = Recent::new();
        assert_eq!(recent.last(), 4);
        assert_eq!(
            [0, 1, 2, 3].map(|symbol| recent.get(symbol)),
            [4, 11, 15, 16]
        );
        recent.push(100);
        assert_eq!(
            [0, 1, 2, 3].map(|symbol| recent.get(symbol)),
            [100, 4, 11, 15]
        );
        let near_last = [4, 5, 6, 7, 8, 9].map(|symbol| recent.get(symbol));
        assert_eq!(near_last, [99, 101, 98, 102, 97, 103]);
        let near_second = [10, 11, 12, 13, 14, 15].map(|symbol| recent.get(symbol));
        assert_eq!(near_second, [3, 5, 2, 6, 1, 7]);
    }

    #[test]
    fn there_is_no_distance_of_zero_or_less() {
        let mut recent = Recent::new();
        recent.push(2);
        assert_eq!(recent.get(4), 1);
        assert_eq!(recent.get(6), IMPOSSIBLE);
        assert_eq!(recent.get(8), IMPOSSIBLE);
    }
}
