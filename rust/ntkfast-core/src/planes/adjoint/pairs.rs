//! Gradients by all images of one set or two.

use super::alone::Alone;
use super::backward::{Backward, Group, Room};
use super::local::{Half, Local};
use super::sums::Sums;
use crate::error::{Error, Result};
use crate::kernel::Wanted;
use crate::memory;
use crate::parallel::{Job, for_each_item, threads};
use crate::planes::GROUP;
use crate::planes::drivers::{ImageNetwork, members};
use crate::planes::images::Images;
use crate::planes::pairs::{GroupPairs, Tiles};
use crate::planes::plan::{Plan, Purpose};
use crate::planes::run::FEW;
use crate::program::Prepared;
use std::sync::{Mutex, PoisonError};

/// Groups of pairs that one thread does before their sums are added to those of others, where there are few: the number
/// must not depend on threads, as bits would.
const GROUPS: usize = 4;

/// The gradient by each entry of a kernel.
#[derive(Clone, Copy)]
pub struct ImageWeights<'a> {
    /// Row after row.
    pub values: &'a [f64],
    /// How many there are in a row.
    pub columns: usize,
    /// Whether they are those of the NTK.
    pub ntk: bool,
}

/// What a thread works with.
struct Thread {
    room: Room,
    /// Blocks of images, and images gathered from them.
    sets: [Local; 4],
    blocks: [Option<[usize; 2]>; 2],
    /// Of the group at hand.
    sums: [Sums; 2],
}

/// The gradient of the weighted sum of the kernels of all pairs by the images: of one set with itself, or of two. Image after
/// image, position after position.
///
/// O(pairs · positions · steps) for networks that end with Flatten; for others positions squared.
///
/// # Errors
/// [`Error::Network`] for functions that are integrated; [`Error::Shape`] where images differ in shape;
/// [`Error::PlaneMemory`], [`Error::Overflow`], [`Error::Cancelled`].
pub fn gradients(
    prepared: &Prepared<'_, f64>,
    sets: &mut [Images<f64>],
    weights: ImageWeights<'_>,
    job: &Job,
) -> Result<Vec<Vec<f64>>> {
    let program = prepared.program();
    program.check_differentiable()?;
    let Some(first) = sets.first() else { return Ok(Vec::new()) };
    check_alike(sets)?;
    let wanted = Wanted { nngp: !weights.ntk, ntk: weights.ntk };
    let mut network = ImageNetwork::new(program, first, wanted);
    network.layout = network.layout.keeping_all();
    for images in &mut *sets {
        network.prepare(images, program.steps.len(), job)?;
    }
    let plan = Plan::new(program, &network.graph, Purpose::Pairs, job)?;
    let all = All {
        network: &network,
        sets,
        weights,
        backward: Backward::new(&network, &plan, false, prepared.level()),
    };
    let mut totals = Vec::new();
    for images in all.sets {
        let blocks = images.count().div_ceil(GROUP);
        memory::afford(blocks.saturating_mul(all.sums_bytes()))?;
        let block = |_| Sums::new(program, &network.graph, network.channels);
        totals.push((0..blocks).map(block).collect::<Result<Vec<_>>>()?);
    }
    all.pairs(&mut totals, job)?;
    all.alone(&mut totals, job)
}

fn check_alike(sets: &[Images<f64>]) -> Result<()> {
    let shape =
        |images: &Images<f64>| [images.count(), images.grid()[0], images.grid()[1], images.channels()];
    match sets.iter().map(shape).find(|other| other[1..] != shape(&sets[0])[1..]) {
        None => Ok(()),
        Some(given) => {
            let [_, height, width, channels] = shape(&sets[0]);
            let expected = format!("(n, {height}, {width}, {channels}), as in x");
            Err(Error::Shape { argument: "x2", given: given.to_vec(), expected })
        }
    }
}

/// Both sets, and how they are computed with.
struct All<'a> {
    network: &'a ImageNetwork<'a>,
    sets: &'a [Images<f64>],
    weights: ImageWeights<'a>,
    backward: Backward<'a>,
}

impl All<'_> {
    /// Of one side of the pairs: the only set may be on both.
    fn set(&self, side: usize) -> usize {
        side.min(self.sets.len() - 1)
    }

    fn sums_bytes(&self) -> usize {
        Sums::bytes(self.network.program, &self.network.graph, self.network.channels)
    }

    fn sums(&self) -> Result<[Sums; 2]> {
        let new = || Sums::new(self.network.program, &self.network.graph, self.network.channels);
        Ok([new()?, new()?])
    }

    fn thread(&self, backward: &Backward<'_>) -> Result<Thread> {
        let sets = std::array::from_fn(|_| Local::default());
        Ok(Thread { room: backward.room()?, sets, blocks: [None; 2], sums: self.sums()? })
    }

    /// Refuse more threads than there is memory for.
    fn afford(&self, backward: &Backward<'_>, pieces: usize) -> Result<()> {
        let bytes = backward.bytes().saturating_add(self.sums_bytes().saturating_mul(12));
        memory::afford(bytes.saturating_mul(threads().min(pieces))).map_err(|_| Error::PlaneMemory { bytes })
    }

    /// Sums over all pairs.
    fn pairs(&self, totals: &mut [Vec<Sums>], job: &Job) -> Result<()> {
        let same = self.sets.len() == 1;
        let tiles = Tiles::new([0, 1].map(|side| self.sets[self.set(side)].count()), same)?;
        // With few planes, what is made of the images of two blocks costs as much as their pairs.
        let together = match (self.backward.plan.is_large(), tiles.count() < FEW) {
            (true, _) => 1,
            (false, true) => GROUPS,
            (false, false) => GROUP * GROUP,
        };
        let mut pieces = Vec::new();
        for index in 0..tiles.count() {
            let (tile, groups) = tiles.tile(index);
            pieces.extend((0..groups.len()).step_by(together).map(|first| (index, tile, first)));
        }
        self.afford(&self.backward, pieces.len())?;
        job.begin(pieces.len());
        let waiting = Mutex::new(Vec::new());
        for wave in pieces.chunks(threads().clamp(1, pieces.len().max(1))) {
            let mut found = Vec::new();
            for _ in wave {
                found.push(self.sums()?);
            }
            let items = wave.iter().zip(&mut found);
            for_each_item(
                job,
                items,
                || (),
                |(), _, (&(index, tile, first), sums)| {
                    let kept = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let mut thread = kept.map_or_else(|| self.thread(&self.backward), Ok)?;
                    let groups = tiles.tile(index).1;
                    let last = groups.len().min(first + together);
                    self.piece(tile, &groups[first..last], &mut thread, sums, job)?;
                    waiting.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
                    job.advance();
                    Ok(())
                },
            )?;
            for ((_, tile, _), sums) in wave.iter().zip(&mut found) {
                for (side, sums) in sums.iter_mut().enumerate() {
                    totals[self.set(side)][tile[side]].add(sums);
                }
            }
        }
        Ok(())
    }

    /// Some groups of a tile.
    fn piece(
        &self,
        tile: [usize; 2],
        groups: &[GroupPairs],
        thread: &mut Thread,
        sums: &mut [Sums; 2],
        job: &Job,
    ) -> Result<()> {
        for side in [0, 1] {
            let block = [self.set(side), tile[side]];
            if thread.blocks[side] != Some(block) {
                thread.blocks[side] = None;
                self.read(block, &mut thread.sets[side], job)?;
                thread.blocks[side] = Some(block);
            }
        }
        for pairs in groups {
            let weights = self.weights_of(pairs);
            if weights == [0.0; GROUP] {
                continue;
            }
            let Thread { room, sets, sums: own, .. } = &mut *thread;
            let one = stands(pairs);
            let mut chosen = [0, 1];
            if one.is_none() {
                chosen = [2, 3];
                let (blocks, gathered) = sets.split_at_mut(2);
                for side in [0, 1] {
                    let lane = |lane: usize| pairs[lane.min(pairs.len() - 1)][side] % GROUP;
                    gathered[side].gather(&blocks[side], std::array::from_fn(lane));
                }
            }
            let group = Group {
                halves: [Half { local: &sets[chosen[0]], one }, Half { local: &sets[chosen[1]], one: None }],
            };
            let weights = self.both(weights);
            self.backward.forward(group, room, job)?;
            self.backward.back(group, &weights, room, own, job)?;
            for side in [0, 1] {
                let lanes: Vec<_> = pairs.iter().map(|pair| pair[side] % GROUP).collect();
                sums[side].take(&mut own[side], &lanes);
            }
        }
        Ok(())
    }

    /// The gradients by the kernels of these pairs.
    fn weights_of(&self, pairs: &[[usize; 2]]) -> [f64; GROUP] {
        let mut weights = [0.0; GROUP];
        for (weight, &[i, j]) in weights.iter_mut().zip(pairs) {
            let of = |i: usize, j: usize| self.weights.values[i * self.weights.columns + j];
            *weight = if self.sets.len() == 1 { of(i, j) + of(j, i) } else { of(i, j) };
        }
        weights
    }

    /// Gradients by K and T of the result.
    fn both(&self, weights: [f64; GROUP]) -> super::Pair {
        if self.weights.ntk { [[0.0; GROUP], weights] } else { [weights, [0.0; GROUP]] }
    }

    fn read(&self, [set, block]: [usize; 2], local: &mut Local, job: &Job) -> Result<()> {
        let images = &self.sets[set];
        let source = self.network.source(images, &images.pools[block], job);
        local.read(&source, members(block, images.count()))
    }

    /// What the norms of single images add, and what comes out.
    fn alone(&self, totals: &mut [Vec<Sums>], job: &Job) -> Result<Vec<Vec<f64>>> {
        let plan = Plan::new(self.network.program, &self.network.graph, Purpose::Selfs, job)?;
        let backward = Backward::new(self.network, &plan, true, self.backward.level);
        let mut all = Vec::new();
        for (set, totals) in totals.iter_mut().enumerate() {
            let images = &self.sets[set];
            let numbers = self.network.graph.positions(0) * self.network.channels;
            let mut out = memory::buffer(memory::size([images.count(), numbers])?)?;
            self.afford(&backward, totals.len())?;
            let new = || None;
            let items = totals.iter_mut().zip(out.chunks_mut(GROUP * numbers));
            for_each_item(job, items, new, |thread: &mut Option<Thread>, block, (total, out)| {
                if thread.is_none() {
                    *thread = Some(self.thread(&backward)?);
                }
                let Some(Thread { room, sets, sums, .. }) = thread else { return Ok(()) };
                self.read([set, block], &mut sets[0], job)?;
                let count = out.len() / numbers;
                sums[0].add(total);
                let mut weights = [0.0; GROUP];
                if self.sets.len() == 1 {
                    for (lane, weight) in weights.iter_mut().take(count).enumerate() {
                        *weight = self.weights.values[(block * GROUP + lane) * (self.weights.columns + 1)];
                    }
                }
                let weights = self.both(weights);
                Alone { backward: &backward, local: &sets[0], room, sums, job }.run(&weights)?;
                for (lane, image) in out.chunks_mut(numbers).enumerate() {
                    for (value, sum) in image.iter_mut().zip(&sums[0].input) {
                        *value = sum[lane];
                    }
                }
                for sums in sums {
                    sums.clear();
                }
                Ok(())
            })?;
            all.push(out);
        }
        Ok(all)
    }
}

/// The lane of the left image where a group is one left image with all images of a right block.
fn stands(pairs: &[[usize; 2]]) -> Option<usize> {
    let one = pairs.iter().enumerate().all(|(lane, pair)| pair[0] == pairs[0][0] && pair[1] % GROUP == lane);
    (one && pairs.len() == GROUP).then_some(pairs[0][0] % GROUP)
}
