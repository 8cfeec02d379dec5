//! The work of images, counted.

use super::drivers::ImageNetwork;
use super::machine::Machine;
use super::pairs::{groups, tiles};
use super::plan::{Plan, Purpose};
use super::run::FEW;
use super::{GROUP, constants::Each};
use crate::error::Result;
use crate::kernel::{Wanted, Workload};
use crate::parallel::Job;
use crate::program::{Op, Prepared};
use crate::scalar::Scalar;

/// Fewest images whose pairs fill all lanes but one. With many planes, all else takes little time.
const FULL: usize = 6;

/// The work of all pairs of two sets of so many images of one size, or of one set with itself. Costs the plan of their
/// planes.
///
/// # Errors
/// [`crate::Error::PlaneMemory`], [`crate::Error::Cancelled`].
pub fn workload<T: Scalar>(
    prepared: &Prepared<'_, T>,
    grid: [usize; 2],
    counts: [usize; 2],
    same: bool,
    wanted: Wanted,
    job: &Job,
) -> Result<Workload> {
    let channels = prepared.recipe().features;
    let network = ImageNetwork::of_size(prepared.program(), grid, channels, wanted);
    let blocks = counts.map(|count| count.div_ceil(GROUP));
    let blocks = if same { blocks[0] } else { blocks[0] + blocks[1] };
    let alone = Plan::new(network.program, &network.graph, Purpose::Selfs, job)?;
    let pairs = Plan::new(network.program, &network.graph, Purpose::Pairs, job)?;
    let groups = groups(counts, same);
    let whole = !pairs.is_large() && tiles(counts, same) >= FEW;
    let pieces = if whole { tiles(counts, same) } else { groups };
    let least = if pairs.is_large() { FULL } else { GROUP };
    let (alone, pairs) = (network.machine(&alone), network.machine(&pairs));
    let bytes = network
        .bytes_a_block::<T>()
        .saturating_mul(blocks)
        .saturating_add(tiles(counts, same).saturating_mul(size_of::<([usize; 2], usize)>()))
        .saturating_add(alone.held::<T>(blocks).max(pairs.held::<T>(pieces)));
    Ok(Workload {
        samples: blocks * GROUP,
        pairs: groups.saturating_mul(GROUP),
        threads: [alone.workers(blocks).max(1), pairs.workers(pieces).max(1)],
        least,
        bytes,
    })
}

impl Machine<'_> {
    /// Memory of the threads that compute so many pieces of work.
    fn held<T: Scalar>(&self, pieces: usize) -> usize {
        self.bytes::<T>().saturating_mul(self.workers(pieces))
    }
}

impl ImageNetwork<'_> {
    /// What is kept of a block of images: a copy, its norms, and its variances behind pools.
    fn bytes_a_block<T>(&self) -> usize {
        let position = size_of::<T>() * (self.channels + 1) + size_of::<f64>();
        let steps = self.program.steps.iter().enumerate();
        let pooled: usize = steps
            .filter(|(_, step)| matches!(step.op, Op::Pool { .. }))
            .map(|(index, _)| self.graph.positions(index + 1))
            .sum();
        GROUP * self.graph.positions(0) * position + 2 * pooled * size_of::<Each>()
    }
}
