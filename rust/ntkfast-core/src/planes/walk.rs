//! All pairs of images, group by group.

use super::GROUP;
use super::constants::Constants;
use super::drivers::{Kernels, Network, members};
use super::images::Images;
use super::pairs::{Pairs, Tiles};
use super::plan::{Plan, Purpose};
use super::run::{FEW, Machine, Sides, TOGETHER, Workspace};
use crate::error::Result;
use crate::parallel::{Job, for_each_index};
use crate::scalar::Scalar;

/// What a thread works with.
struct Thread<T> {
    workspaces: Vec<Workspace<T>>,
    /// Constants of the blocks of images of both sides, and of images gathered from them. Made when they are needed:
    /// those of one set need two, and a third one for its last block.
    sets: [Constants<T>; 4],
    /// The blocks whose constants the first two are.
    blocks: [Option<usize>; 2],
}

/// Where a tile has its constants.
#[derive(Clone, Copy)]
struct Places {
    sources: [usize; 2],
    gathered: [usize; 2],
}

/// Both sides have constants of their own.
const APART: Places = Places { sources: [0, 1], gathered: [3, 2] };

/// On the diagonal those of the left side, which the tiles before it have left there, serve both.
const DIAGONAL: Places = Places { sources: [0, 0], gathered: [2, 1] };

/// What is done with every pair of images and its kernels.
pub trait Accept<T>: Fn(usize, usize, Kernels<T>) + Sync {}

impl<T, F: Fn(usize, usize, Kernels<T>) + Sync> Accept<T> for F {}

impl Network<'_> {
    /// Compute all pairs of two sets of images, or all pairs of different images of one.
    pub fn walk<T: Scalar>(
        &self,
        images: [&Images<T>; 2],
        same: bool,
        accept: &impl Accept<T>,
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
            let places = if same && tile[0] == tile[1] { DIAGONAL } else { APART };
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
        groups: &[Pairs],
        places: Places,
        thread: &mut Thread<T>,
        accept: &impl Accept<T>,
        job: &Job,
    ) -> Result<()> {
        let mut rest = groups;
        while let Some(first) = rest.first() {
            let ready = if machine.plan.runs.len() > 1 {
                1
            } else {
                rest.iter().take(TOGETHER).take_while(|pairs| stands(pairs).is_some()).count().max(1)
            };
            let (now, later) = rest.split_at(ready);
            rest = later;
            let mut chosen = places.sources;
            if stands(first).is_none() {
                for side in [0, 1] {
                    // Lanes without a pair may have any image.
                    let image = |lane: usize| first.get(lane).map_or(lane, |pair| pair[side] % GROUP);
                    let lanes = std::array::from_fn(image);
                    if lanes != std::array::from_fn(|lane| lane) {
                        chosen[side] = places.gathered[side];
                        thread.gather(machine, places.sources[side], chosen[side], lanes)?;
                    }
                }
            }
            let [left, right] = chosen.map(|place| &thread.sets[place]);
            let sides: Vec<_> = now.iter().map(|pairs| Sides { left, right, one: stands(pairs) }).collect();
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
        let sets = std::array::from_fn(|_| Constants::default());
        Self { workspaces: Vec::new(), sets, blocks: [None; 2] }
    }

    /// Take the images of one set that are in these lanes to another set.
    fn gather(&mut self, machine: &Machine<'_>, from: usize, to: usize, lanes: [usize; GROUP]) -> Result<()> {
        if let Some(block) = self.blocks.get_mut(to) {
            *block = None;
        }
        let mut set = std::mem::take(&mut self.sets[to]);
        machine.reserve(&mut set)?;
        set.gather(&self.sets[from], lanes);
        self.sets[to] = set;
        Ok(())
    }
}
