//! A band of pairs with their derivatives: some rows of one tile, and a strip of columns.

use super::Wanted;
use super::cosine::{FEW_FEATURES, from_differences, from_products};
use super::differentiable::{Differentiable, PLANES, Variables, ZERO};
use super::product::packed_strips;
use super::tile::{BandValues, TileSource, Workspace};
use super::units::TILE;
use crate::program::{DIRECTIONS, TangentRegister};
use crate::simd::{Pack, STRIP, Strip, Vectorized};
use std::ops::Range;

/// What all tiles have in common.
pub struct Walk<'a> {
    pub source: &'a TileSource<'a, f64>,
    pub left: &'a Differentiable<'a>,
    pub right: &'a Differentiable<'a>,
    pub variables: Variables,
    pub wanted: Wanted,
}

impl Walk<'_> {
    /// Pairs of a row with itself.
    pub fn exact_diagonal(
        &self,
        first: usize,
        rows: &Range<usize>,
        columns: &Range<usize>,
        values: &mut [BandValues<f64>],
    ) {
        for row in rows.clone().filter(|row| columns.contains(&(row + first))) {
            for (output, planes) in values.chunks_exact_mut(PLANES).enumerate() {
                for (ntk, wanted) in [(false, self.wanted.nngp), (true, self.wanted.ntk)] {
                    let (root, left) = self.left.root(row, output, ntk);
                    let (_, right) = self.right.root(row + first, output, ntk);
                    let mut found = [root * root; PLANES];
                    for (found, (left, right)) in found[1..].iter_mut().zip(left.into_iter().zip(right)) {
                        *found = root * (left + right);
                    }
                    for (plane, found) in planes.iter_mut().zip(found).filter(|_| wanted) {
                        let plane = if ntk { &mut plane.ntk } else { &mut plane.nngp };
                        plane[row - rows.start].0[row + first - columns.start] = found;
                    }
                }
            }
        }
    }
}

/// What a thread needs.
pub struct TangentWorkspace {
    pub pairs: Workspace<f64>,
    pub registers: Vec<TangentRegister>,
    /// Constants of one row, and their derivatives.
    pub constants: [Vec<f64>; 2],
    pub values: Vec<BandValues<f64>>,
}

impl TangentWorkspace {
    pub fn new(walk: &Walk<'_>, shape: [usize; 2]) -> Self {
        let TileSource { program, left, .. } = walk.source;
        let buffer = |wanted: bool| vec![ZERO; if wanted { shape[0].min(TILE) } else { 0 }];
        let values = |_| BandValues { nngp: buffer(walk.wanted.nngp), ntk: buffer(walk.wanted.ntk) };
        let none = Wanted { nngp: false, ntk: false };
        Self {
            pairs: Workspace::new(program, left.features(), none, shape),
            registers: vec![TangentRegister::default(); program.registers],
            constants: [vec![0.0; program.slots], vec![0.0; program.slots * DIRECTIONS]],
            values: (0..program.outputs.len() * PLANES).map(values).collect(),
        }
    }
}

/// The work on a band.
pub struct Band<'a> {
    pub walk: &'a Walk<'a>,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub workspace: &'a mut TangentWorkspace,
}

impl Vectorized<f64> for Band<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(mut self) {
        let &TileSource { program, left, right, level, .. } = self.walk.source;
        let strip = self.columns.start / STRIP;
        for row in self.rows.clone() {
            self.begin::<P>(row);
            let angle = Angle::of::<P>(&mut self.workspace.registers[0], self.walk.variables);
            let TangentWorkspace { registers, constants, .. } = &mut *self.workspace;
            let [values, slopes] = &mut *constants;
            let slots = [left.constants(row / STRIP), &self.walk.left.slopes[row / STRIP].slots];
            for (values, slots) in [&mut *values, &mut *slopes].into_iter().zip(slots) {
                for (value, slot) in values.iter_mut().zip(slots) {
                    *value = slot.0[row % STRIP];
                }
            }
            let right = [right.constants(strip), &self.walk.right.slopes[strip].slots];
            program.run_tangents(level, registers, [values, slopes], right);
            for output in 0..program.outputs.len() {
                if self.walk.wanted.nngp {
                    self.finish::<P, false>(row, output, &angle);
                }
                if self.walk.wanted.ntk {
                    self.finish::<P, true>(row, output, &angle);
                }
            }
        }
    }
}

impl Band<'_> {
    /// The cosines of a row in register 0.
    #[inline(always)]
    fn begin<P: Pack<Scalar = f64>>(&mut self, row: usize) {
        let &TileSource { left, right, .. } = self.walk.source;
        let (columns, features) = (&self.columns, right.features());
        let TangentWorkspace { pairs, registers, .. } = &mut *self.workspace;
        let unit = left.units(&(row..row + 1));
        let input = &mut registers[0].value;
        if features <= FEW_FEATURES {
            let first = columns.start % TILE / STRIP * packed_strips(features);
            from_differences::<P>(unit, &pairs.panel[first..][..features], input);
        } else {
            from_products::<P>(&pairs.products[row - self.rows.start], unit, right.units(columns), input);
        }
        // Lanes without a row do not depend on what was there before.
        input.delta.0[columns.len()..].fill(0.0);
        input.epsilon.0[columns.len()..].fill(2.0);
        input.tau = ZERO;
    }

    /// Multiply the scales of both rows with a result, by the product rule.
    #[inline(always)]
    fn finish<P: Pack<Scalar = f64>, const NTK: bool>(&mut self, row: usize, output: usize, angle: &Angle) {
        let Self { walk, rows, columns, workspace } = self;
        let strip = columns.start / STRIP;
        let TangentRegister { value, slopes } = &workspace.registers[walk.source.program.outputs[output]];
        let (root, rates) = walk.left.root(row, output, NTK);
        let others = walk.right.points.roots(strip, output);
        let others = if NTK { &others.tangent } else { &others.scale };
        let other_rates = &walk.right.slopes[strip].roots[output];
        let planes = &mut workspace.values[output * PLANES..][..PLANES];
        let (one, x) = (P::splat(1.0), P::splat(root));
        for pack in 0..P::PACKS {
            let y = P::load(others, pack);
            let cosine = if NTK { P::load(&value.tau, pack) } else { one - P::load(&value.delta, pack) };
            let mut found = [x * y * cosine; PLANES];
            for k in 0..DIRECTIONS {
                let turned =
                    if NTK { P::load(&slopes[k].tau, pack) } else { -P::load(&slopes[k].delta, pack) };
                let (dx, dy) = (P::splat(rates[k]), P::load(&other_rates[k][usize::from(NTK)], pack));
                found[1 + k] = (x * y).mul_add(turned, dx.mul_add(y, x * dy) * cosine);
            }
            if walk.variables == Variables::Inputs {
                angle.by_cosine(&mut found, pack);
            }
            for (plane, found) in planes.iter_mut().zip(found) {
                let plane = if NTK { &mut plane.ntk } else { &mut plane.nngp };
                found.store(&mut plane[row - rows.start], pack);
            }
        }
    }
}

/// The angle of a strip of pairs.
struct Angle {
    /// 1/sin θ, and 0 where that is infinite.
    inverse: Strip<f64>,
    /// cos θ.
    cosine: Strip<f64>,
}

impl Angle {
    /// Begin derivatives: along the angle in the first direction, where they are by inputs.
    #[inline(always)]
    fn of<P: Pack<Scalar = f64>>(register: &mut TangentRegister, variables: Variables) -> Self {
        for slopes in &mut register.slopes {
            (slopes.delta, slopes.epsilon, slopes.tau) = (ZERO, ZERO, ZERO);
        }
        let mut angle = Self { inverse: ZERO, cosine: ZERO };
        if variables != Variables::Inputs {
            return angle;
        }
        let (zero, one) = (P::splat(0.0), P::splat(1.0));
        for pack in 0..P::PACKS {
            let delta = P::load(&register.value.delta, pack);
            let sine = (delta * P::load(&register.value.epsilon, pack)).sqrt();
            sine.store(&mut register.slopes[0].delta, pack);
            (-sine).store(&mut register.slopes[0].epsilon, pack);
            P::select(zero.less(sine), one / sine, zero).store(&mut angle.inverse, pack);
            (one - delta).store(&mut angle.cosine, pack);
        }
        angle
    }

    /// Derivatives by θ, a and b as those of [`Variables::Inputs`].
    #[inline(always)]
    fn by_cosine<P: Pack<Scalar = f64>>(&self, found: &mut [P; PLANES], pack: usize) {
        let by_cosine = -(found[1] * P::load(&self.inverse, pack));
        let turned = by_cosine * P::load(&self.cosine, pack);
        found[1] = by_cosine;
        found[2] = found[2] - turned;
        found[3] = found[3] - turned;
    }
}
