//! All pairs of images, group by group.

use super::GROUP;
use super::constants::GroupConstants;
use super::drivers::{ImageNetwork, KernelValues, members};
use super::images::Images;
use super::machine::{Machine, Workspace};
use super::pairs::{GroupPairs, Tiles};
use super::plan::{Plan, Purpose};
use super::run::{FEW, TOGETHER};
use super::sides::Sides;
use crate::error::Result;
use crate::parallel::{Job, for_each_index};
use crate::scalar::Scalar;

/// What a thread works with.
struct Thread<T> {
    workspaces: Vec<Workspace<T>>,
    /// Constants of blocks of images, and of images gathered from one. Made when they are needed: the third one is, where
    /// both blocks of a tile are the last and have gaps.
    sets: [GroupConstants<T>; 3],
    /// The blocks whose constants the first two are.
    blocks: [Option<usize>; 2],
}

/// Where a tile has the constants of both sides, and where they are gathered in other lanes.
#[derive(Clone, Copy)]
struct Places {
    sources: [usize; 2],
    gathered: [usize; 2],
    /// How many images the blocks have.
    sizes: [usize; 2],
}

impl Places {
    /// Those of the right side change lanes where they are, see [`Tiles`]. On the diagonal those of the left side, which
    /// the tiles before it have left there, serve both.
    fn new(diagonal: bool, sizes: [usize; 2]) -> Self {
        Self { sources: if diagonal { [0, 0] } else { [0, 1] }, gathered: [2, 1], sizes }
    }
}

impl ImageNetwork<'_> {
    /// Compute all pairs of two sets of images, or all pairs of different images of one, and hand each over.
    pub fn walk<T: Scalar>(
        &self,
        images: [&Images<T>; 2],
        same: bool,
        accept: &(impl Fn(usize, usize, KernelValues<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        let plan = Plan::new(self.program, &self.graph, Purpose::Pairs, job)?;
        let machine = self.machine(&plan);
        let tiles = Tiles::new(images.map(Images::count), same)?;
        // With few planes, what is made of the images of two blocks costs as much as their pairs: one thread does all
        // of these, unless others had nothing to do.
        let whole = !plan.is_large() && tiles.count() >= FEW;
        let pieces = if whole { tiles.count() } else { tiles.groups() };
        let shared = machine.shared(pieces);
        machine.afford::<T>(pieces)?;
        // What images were alone is done, and counts as one piece.
        job.begin(pieces + 1);
        job.advance();
        let body = |thread: &mut Option<Thread<T>>, index: usize| {
            let thread = thread.get_or_insert_with(Thread::new);
            let (tile, groups) = if whole {
                tiles.tile(index)
            } else {
                let (tile, group) = tiles.group(index);
                (tile, vec![group])
            };
            let sizes = [0, 1].map(|side| tiles.size(side, tile[side]));
            let places = Places::new(same && tile[0] == tile[1], sizes);
            self.load(&machine, images, tile, places, thread, job)?;
            // In this order, as it was for images alone: the same room serves both.
            if thread.workspaces.is_empty() {
                thread.workspaces = machine.workspaces(shared)?;
            }
            self.piece(&machine, &groups, places, thread, accept, job)
        };
        if !shared {
            return for_each_index(job, pieces, || None, body);
        }
        let mut thread = None;
        (0..pieces).try_for_each(|index| {
            body(&mut thread, index)?;
            job.advance();
            Ok(())
        })
    }

    /// The constants of the images of a tile.
    fn load<T: Scalar>(
        &self,
        machine: &Machine<'_>,
        images: [&Images<T>; 2],
        tile: [usize; 2],
        places: Places,
        thread: &mut Thread<T>,
        job: &Job,
    ) -> Result<()> {
        for side in [0, 1] {
            let place = places.sources[side];
            if thread.blocks[place] != Some(tile[side]) {
                thread.blocks[place] = None;
                let set = &mut thread.sets[place];
                machine.reserve(set)?;
                let known = &images[side].pools[tile[side]];
                self.source(images[side], known, job)
                    .constants(members(tile[side], images[side].count), set)?;
                thread.blocks[place] = Some(tile[side]);
            }
        }
        Ok(())
    }

    fn piece<T: Scalar>(
        &self,
        machine: &Machine<'_>,
        groups: &[GroupPairs],
        places: Places,
        thread: &mut Thread<T>,
        accept: &(impl Fn(usize, usize, KernelValues<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        let together = if machine.plan.runs.len() > 1 { 1 } else { TOGETHER };
        let mut rest = groups;
        while let Some(first) = rest.first() {
            let ones: Vec<_> = rest.iter().map_while(|pairs| stands(pairs)).take(together).collect();
            let (now, later) = rest.split_at(ones.len().max(1));
            rest = later;
            let mut chosen = places.sources;
            if ones.is_empty() {
                for side in [0, 1] {
                    chosen[side] = thread.arranged(machine, places, side, first)?;
                }
            }
            let [left, right] = chosen.map(|place| &thread.sets[place]);
            let sides: Vec<_> =
                (0..now.len()).map(|i| Sides { left, right, one: ones.get(i).copied() }).collect();
            for (pairs, [nngp, ntk]) in now.iter().zip(machine.run(&sides, &mut thread.workspaces, job)?) {
                for (lane, &[i, j]) in pairs.iter().enumerate() {
                    accept(i, j, self.kernels(i, [nngp[lane], ntk[lane]])?);
                }
            }
        }
        Ok(())
    }
}

/// The place of the left image in its block where a group is one left image with all images of a right block.
fn stands(pairs: &[[usize; 2]]) -> Option<usize> {
    let one = pairs.iter().enumerate().all(|(lane, pair)| pair[0] == pairs[0][0] && pair[1] % GROUP == lane);
    (one && pairs.len() == GROUP).then_some(pairs[0][0] % GROUP)
}

impl<T: Scalar> Thread<T> {
    fn new() -> Self {
        let sets = std::array::from_fn(|_| GroupConstants::default());
        Self { workspaces: Vec::new(), sets, blocks: [None; 2] }
    }

    /// The place of constants with the images of one side of a group of pairs in its lanes.
    fn arranged(
        &mut self,
        machine: &Machine<'_>,
        places: Places,
        side: usize,
        pairs: &[[usize; 2]],
    ) -> Result<usize> {
        let (source, target) = (places.sources[side], places.gathered[side]);
        let held = self.sets[source].images.map(|image| image % GROUP);
        // Lanes without a pair go on with the images that come next.
        let last = pairs.len() - 1;
        let image = |lane: usize| match pairs.get(lane) {
            Some(pair) => pair[side] % GROUP,
            None => (pairs[last][side] % GROUP + lane - last) % places.sizes[side],
        };
        let wanted: [usize; GROUP] = std::array::from_fn(image);
        if wanted == held {
            return Ok(source);
        }
        debug_assert!(wanted.iter().all(|image| held.contains(image)), "images of the block were lost");
        let lanes = wanted.map(|image| held.iter().position(|&other| other == image).unwrap_or(0));
        if source == target {
            self.sets[source].arrange(lanes);
            return Ok(source);
        }
        if let Some(block) = self.blocks.get_mut(target) {
            *block = None;
        }
        let mut set = std::mem::take(&mut self.sets[target]);
        machine.reserve(&mut set)?;
        set.gather(&self.sets[source], lanes);
        self.sets[target] = set;
        Ok(target)
    }
}
