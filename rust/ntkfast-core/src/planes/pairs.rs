//! Which pairs of images are computed together.
//!
//! Images are in blocks of [`GROUP`]; pairs of two blocks are a tile, and a tile is cut into groups so that as few
//! constants as possible have to be copied into other lanes. Of two sets, the lanes of a group always have all images of
//! the right block, so that these can change places and come back. Which image of a pair is the left one does not depend on
//! the others: it decides the order of sums.

use super::GROUP;
use crate::error::Result;
use crate::memory;

/// A group of pairs, as the images of both sides; the last group of a tile may have fewer.
pub type GroupPairs = Vec<[usize; 2]>;

/// The tiles of all pairs of two sets, or of all pairs of different images of one.
pub struct Tiles {
    counts: [usize; 2],
    same: bool,
    /// Their blocks, and how many groups come before each. One side's block stays for a while; the tile on the diagonal
    /// is the last one with its block.
    tiles: Vec<([usize; 2], usize)>,
    groups: usize,
}

impl Tiles {
    /// All tiles of sets of so many images.
    ///
    /// # Errors
    /// [`crate::Error::Memory`].
    pub fn new(counts: [usize; 2], same: bool) -> Result<Self> {
        let blocks = counts.map(|count| count.div_ceil(GROUP));
        let others = |stays: usize| if same { stays + 1 } else { blocks[0] };
        // Of one set the right block is the earlier one, which is full.
        let tile = |stays: usize, other: usize| if same { [stays, other] } else { [other, stays] };
        let mut tiles = memory::empty((0..blocks[1]).map(others).sum())?;
        tiles.extend(
            (0..blocks[1]).flat_map(|stays| (0..others(stays)).map(move |other| (tile(stays, other), 0))),
        );
        let mut all = Self { counts, same, tiles, groups: 0 };
        for index in 0..all.tiles.len() {
            let tile = all.tiles[index].0;
            all.tiles[index].1 = all.groups;
            all.groups += all.pairs(tile).div_ceil(GROUP);
        }
        Ok(all)
    }

    /// Number of tiles.
    pub fn count(&self) -> usize {
        self.tiles.len()
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// A tile with its groups.
    pub fn tile(&self, index: usize) -> ([usize; 2], Vec<GroupPairs>) {
        let tile = self.tiles[index].0;
        (tile, self.cut(tile))
    }

    /// A group, by its number among all, with its tile.
    pub fn group(&self, number: usize) -> ([usize; 2], GroupPairs) {
        let (tile, before) = self.tiles[self.tiles.partition_point(|(_, before)| *before <= number) - 1];
        (tile, self.cut(tile).swap_remove(number - before))
    }

    /// How many images a block has.
    pub fn size(&self, side: usize, block: usize) -> usize {
        (self.counts[side] - block * GROUP).min(GROUP)
    }

    /// How many pairs a tile has.
    fn pairs(&self, [i, j]: [usize; 2]) -> usize {
        let [rows, columns] = [self.size(0, i), self.size(1, j)];
        if self.same && i == j { rows * (rows - 1) / 2 } else { rows * columns }
    }

    /// One left image with all of a full right block; else all of a full left block, every lane with the next image of the
    /// right one in each group; else one pair after the other.
    fn cut(&self, [i, j]: [usize; 2]) -> Vec<GroupPairs> {
        let [rows, columns] = [self.size(0, i), self.size(1, j)];
        let mut pairs = Vec::with_capacity(rows * columns);
        if self.same && i == j {
            pairs.extend(around().filter(|pair| pair.iter().all(|&lane| lane < rows)));
        } else if columns < GROUP && rows == GROUP {
            pairs.extend((0..columns).flat_map(|by| (0..rows).map(move |row| [row, (row + by) % columns])));
        } else {
            pairs.extend((0..rows).flat_map(|row| (0..columns).map(move |column| [row, column])));
        }
        let images = |[row, column]: &[usize; 2]| [i * GROUP + row, j * GROUP + column];
        pairs.chunks(GROUP).map(|pairs| pairs.iter().map(images).collect()).collect()
    }
}

/// Number of [`Tiles`] of sets of so many images. O(1).
pub fn tiles(counts: [usize; 2], same: bool) -> usize {
    let [down, across] = counts.map(|count| count.div_ceil(GROUP));
    if same { down.saturating_mul(down + 1) / 2 } else { down.saturating_mul(across) }
}

/// Number of groups in them. O(1).
pub fn groups(counts: [usize; 2], same: bool) -> usize {
    let [down, across] = counts.map(|count| count / GROUP);
    let [below, beside] = counts.map(|count| count % GROUP);
    let within = |rows: usize| (rows * rows.saturating_sub(1) / 2).div_ceil(GROUP);
    if same {
        // Tiles of two full blocks have a group for each row, as have those of a full block and the last one.
        let full = (down.saturating_sub(1)).saturating_mul(down) / 2 * GROUP;
        return full.saturating_add(down * (within(GROUP) + below) + within(below));
    }
    let full = down.saturating_mul(across).saturating_mul(GROUP);
    full.saturating_add(down * beside + across * below + (below * beside).div_ceil(GROUP))
}

/// All pairs of the lanes of one block, as of places on a circle: neighbours first, opposite ones last.
fn around() -> impl Iterator<Item = [usize; 2]> {
    let lanes = |apart| if apart == GROUP / 2 { GROUP / 2 } else { GROUP };
    (1..=GROUP / 2).flat_map(move |apart| (0..lanes(apart)).map(move |lane| [lane, (lane + apart) % GROUP]))
}
