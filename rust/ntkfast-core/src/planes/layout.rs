//! Where the constants of a group of images are.

use super::plan::Graph;
use crate::dual::Activation;
use crate::program::{Op, Program};

/// A per-position constant: at `base + position · pitch`; the same everywhere where the pitch is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    pub base: usize,
    pub pitch: usize,
}

/// What the planes need of one value to read it or to write it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Maps {
    /// √K at every position, up to a factor for every image; written where a spatial step reads or writes the value.
    pub scale: usize,
    /// The same of √T; that of K where both are proportional.
    pub tangent: usize,
    /// 1/(√2·√K), behind a window.
    pub inverse: usize,
    /// 1/√T, behind a window where it is not proportional to √K.
    pub inverse_tangent: usize,
    /// Of a window's result: the factors on the maps that it reads with which its sums have these maps.
    pub factors: [usize; 2],
}

/// Places in the constants of a group of images.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Of every value: the value whose √K its own √K and √T are proportional to at every position, if there is one.
    pub roots: Vec<Option<usize>>,
    /// Of every value.
    pub maps: Vec<Maps>,
    /// Of every per-row constant of the program.
    pub slots: Vec<Slot>,
    /// The normalised channels of every position.
    pub units: usize,
    /// Numbers for every image in all.
    pub size: usize,
    /// Whether each step may be computed without knowing the positions.
    pub uniform: Vec<bool>,
    /// Of every value: the last step that reads it, or another one whose root it is.
    pub until: Vec<usize>,
}

impl Layout {
    /// The layout for images with so many channels.
    pub fn new(program: &Program, graph: &Graph, channels: usize) -> Self {
        let mut size = graph.positions(0) * channels;
        let mut take = |count: usize| {
            size += count;
            size - count
        };
        let count = program.steps.len();
        let mut roots = vec![Some(0)];
        let mut maps = vec![Maps::default(); count + 1];
        let mut slots = vec![Slot::default(); program.slots];
        let mut uniform = Vec::with_capacity(count);
        maps[0].scale = take(graph.positions(0));
        maps[0].tangent = maps[0].scale;
        let mut read = vec![false; count + 1];
        for (index, step) in program.steps.iter().enumerate() {
            let (input, value) = (graph.inputs[index][0], index + 1);
            let root = roots[input];
            let positions = graph.positions(input);
            if step.op.is_spatial() {
                match root {
                    Some(root) => {
                        (maps[input].scale, maps[input].tangent) = (maps[root].scale, maps[root].scale);
                    }
                    None if !read[input] => {
                        (maps[input].scale, maps[input].tangent) = (take(positions), take(positions));
                    }
                    None => {}
                }
                read[input] = true;
                let positions = graph.positions(value);
                let map = &mut maps[value];
                map.factors = [take(1), take(1)];
                map.scale = take(positions);
                map.inverse = take(positions);
                (map.tangent, map.inverse_tangent) = if root.is_some() {
                    (map.scale, map.inverse)
                } else {
                    (take(positions), take(positions))
                };
                read[value] = true;
                roots.push(root.map(|_| value));
                uniform.push(false);
                continue;
            }
            let uniform_here = root.is_some() && keeps_proportions(&step.op);
            let constants = step.op.slots();
            let (length, pitch) = if uniform_here { (1, 0) } else { (positions, constants) };
            let base = take(length * constants);
            for (slot, place) in slots[step.first_slot..][..constants].iter_mut().zip(base..) {
                *slot = Slot { base: place, pitch };
            }
            roots.push(if uniform_here { root } else { None });
            uniform.push(uniform_here || constants == 0);
        }
        let mut until = vec![0; count + 1];
        let reads =
            graph.inputs.iter().enumerate().flat_map(|(index, values)| values.map(|value| (index, value)));
        for (index, value) in reads.chain([(usize::MAX, graph.output)]) {
            until[value] = index;
            if let Some(root) = roots[value] {
                until[root] = index;
            }
        }
        Self { roots, maps, slots, units: 0, size, uniform, until }
    }
}

impl Layout {
    /// The same, with all values kept to the end.
    pub fn keeping_all(mut self) -> Self {
        self.until.fill(usize::MAX);
        self
    }
}

/// Whether a step multiplies √K and √T by factors that are the same for all rows, where these are proportional.
fn keeps_proportions(op: &Op) -> bool {
    match op {
        Op::Dense { .. } => !op.blends(),
        Op::Activation(Activation::AbRelu(_)) | Op::Dropout { .. } => true,
        _ => false,
    }
}
