//! Insert-and-copy lengths and block counts (RFC 7932, 5 and 6).

/// Number of insert-and-copy symbols.
pub(super) const SYMBOLS: usize = 704;

/// What an insert-and-copy symbol stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    pub(super) insert_base: u16,
    pub(super) copy_base: u16,
    pub(super) insert_extra: u8,
    pub(super) copy_extra: u8,
    /// Which of the four contexts the distance code is read in.
    pub(super) distance_context: u8,
    /// The last distance is used again, and no distance code follows.
    pub(super) last_distance: bool,
}

/// Base value and number of extra bits of each insert length code.
#[rustfmt::skip]
const INSERTS: [(u16, u8); 24] = [
    (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 1), (8, 1),
    (10, 2), (14, 2), (18, 3), (26, 3), (34, 4), (50, 4), (66, 5), (98, 5),
    (130, 6), (194, 7), (322, 8), (578, 9), (1090, 10), (2114, 12), (6210, 14), (22594, 24),
];

/// Base value and number of extra bits of each copy length code.
#[rustfmt::skip]
const COPIES: [(u16, u8); 24] = [
    (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0),
    (10, 1), (12, 1), (14, 2), (18, 2), (22, 3), (30, 3), (38, 4), (54, 4),
    (70, 5), (102, 5), (134, 6), (198, 7), (326, 8), (582, 9), (1094, 10), (2118, 24),
];

/// First insert and copy length code of each group of 64 symbols. The symbols of the first two
/// groups imply the last distance.
#[rustfmt::skip]
const GROUPS: [(usize, usize); 11] = [
    (0, 0), (0, 8), (0, 0), (0, 8), (8, 0), (8, 8), (0, 16), (16, 0), (8, 16), (16, 8), (16, 16),
];

/// The commands by symbol.
pub(super) static COMMANDS: [Command; SYMBOLS] = {
    let none = Command {
        insert_base: 0,
        copy_base: 0,
        insert_extra: 0,
        copy_extra: 0,
        distance_context: 0,
        last_distance: false,
    };
    let mut all = [none; SYMBOLS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        let (insert, copy) = GROUPS[symbol >> 6];
        let (insert_base, insert_extra) = INSERTS[insert + (symbol >> 3 & 7)];
        let copy = copy + (symbol & 7);
        let (copy_base, copy_extra) = COPIES[copy];
        all[symbol] = Command {
            insert_base,
            copy_base,
            insert_extra,
            copy_extra,
            distance_context: match copy {
                0 => 0,
                1 => 1,
                2 => 2,
                _ => 3,
            },
            last_distance: symbol < 128,
        };
        symbol += 1;
    }
    all
};

/// Number of block count symbols.
pub(super) const BLOCK_COUNT_SYMBOLS: usize = 26;

/// Base value and number of extra bits of each block count symbol.
#[rustfmt::skip]
pub(super) const BLOCK_COUNTS: [(u32, u32); BLOCK_COUNT_SYMBOLS] = [
    (1, 2), (5, 2), (9, 2), (13, 2), (17, 3), (25, 3), (33, 3), (41, 3),
    (49, 4), (65, 4), (81, 4), (97, 4), (113, 5), (145, 5), (177, 5), (209, 5),
    (241, 6), (305, 6), (369, 7), (497, 8), (753, 9), (1265, 10), (2289, 11), (4337, 12),
    (8433, 13), (16625, 24),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Spot checks against the table of cells in RFC 7932, 5.
    #[test]
    fn symbols_stand_for_the_lengths_of_the_rfc() {
        let lengths = |symbol: usize| {
            let command = COMMANDS[symbol];
            (
                command.insert_base,
                command.copy_base,
                command.last_distance,
            )
        };
        assert_eq!(lengths(0), (0, 2, true));
        assert_eq!(lengths(127), (8, 54, true));
        assert_eq!(lengths(128), (0, 2, false));
        assert_eq!(lengths(384), (0, 70, false));
        assert_eq!(lengths(703), (22594, 2118, false));
    }

    #[test]
    fn ranges_of_lengths_follow_each_other_without_gaps() {
        for ranges in [&INSERTS, &COPIES] {
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].0 + (1 << pair[0].1), pair[1].0);
            }
        }
        for pair in BLOCK_COUNTS.windows(2) {
            assert_eq!(pair[0].0 + (1 << pair[0].1), pair[1].0);
        }
    }
}
