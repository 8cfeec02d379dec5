//! A function that is known on pieces at many arguments: as many at a time as a register holds and one piece serves.

use super::nodes::Nodes;
use super::sampled::{Piece, Sampled, TERMS};
use crate::scalar::Scalar;
use crate::simd::{Level, Pack, STRIP, Strip, Vectorized};

impl Sampled {
    /// A part at a positive argument.
    pub fn value(&self, part: usize, u: f64) -> f64 {
        let mut value = [0.0];
        self.values(part, 1.0, &[u], &mut value);
        value[0]
    }

    /// A part at `scale` times many positive numbers. Quick where neighbours lie in one piece.
    pub fn values(&self, part: usize, scale: f64, arguments: &[f64], out: &mut [f64]) {
        f64::dispatch(Level::current(), Values { sampled: self, part, scale, arguments, out });
    }

    /// f(u) − f(v) with all its digits, where `scale` times u and v lie in one piece; `out` stays as it is
    /// elsewhere.
    pub fn differences(&self, part: usize, scale: f64, nodes: &Nodes, out: &mut [f64]) {
        f64::dispatch(Level::current(), Differences { sampled: self, part, scale, nodes, out });
    }
}

impl Piece {
    #[inline(always)]
    fn value<P: Pack<Scalar = f64>>(&self, part: usize, u: P) -> P {
        let t = (u - P::splat(self.middle)) * P::splat(self.zoom);
        let powers = &self.powers[part];
        // Two chains of operations instead of one.
        let square = t * t;
        let (mut even, mut odd) = (P::splat(powers[TERMS - 2]), P::splat(powers[TERMS - 1]));
        for pair in powers[..TERMS - 2].chunks_exact(2).rev() {
            even = even.mul_add(square, P::splat(pair[0]));
            odd = odd.mul_add(square, P::splat(pair[1]));
        }
        odd.mul_add(t, even)
    }

    /// (p(u) − p(v))/(u − v).
    #[inline(always)]
    fn quotient<P: Pack<Scalar = f64>>(&self, part: usize, u: P, v: P) -> P {
        let (middle, zoom) = (P::splat(self.middle), P::splat(self.zoom));
        let (t, s) = ((u - middle) * zoom, (v - middle) * zoom);
        let powers = &self.powers[part];
        let mut value = P::splat(powers[TERMS - 1]);
        let mut quotient = value;
        for power in powers[1..TERMS - 1].iter().rev() {
            value = value.mul_add(t, P::splat(*power));
            quotient = quotient.mul_add(s, value);
        }
        quotient * zoom
    }
}

/// Walks through arguments, as many at a time as a register holds at most and one piece serves.
struct Walk<'a> {
    sampled: &'a Sampled,
    scale: f64,
    /// The last piece: neighbours often lie in it, or beside it.
    index: usize,
    /// Arguments of the function.
    lanes: Strip<f64>,
}

impl<'a> Walk<'a> {
    #[inline(always)]
    fn new(sampled: &'a Sampled, scale: f64) -> Self {
        Self { sampled, scale, index: 0, lanes: Strip([0.0; STRIP]) }
    }

    /// The first arguments as a register, where one piece, the last one, serves them all.
    #[inline(always)]
    fn whole<P: Pack<Scalar = f64>>(&self, arguments: &[f64]) -> Option<(&'a Piece, P)> {
        let piece = self.sampled.pieces.get(self.index)?;
        if arguments.len() < P::LANES {
            return None;
        }
        let u = P::read(arguments) * P::splat(self.scale);
        let last = P::splat(self.sampled.end(self.index).next_down());
        let outside = P::any(P::less(u, P::splat(piece.from))) || P::any(P::less(last, u));
        if outside { None } else { Some((piece, u)) }
    }

    /// Fill the lanes with the first of `arguments`. The piece of the first lane and how many others lie in it, one
    /// after the other; `None` where the first is nearly 0.
    #[inline(always)]
    fn step<P: Pack<Scalar = f64>>(&mut self, arguments: &[f64]) -> Option<(&'a Piece, usize)> {
        let scaled = if arguments.len() >= P::LANES {
            (P::read(arguments) * P::splat(self.scale)).store(&mut self.lanes, 0);
            P::LANES
        } else {
            for (lane, argument) in self.lanes.0.iter_mut().zip(arguments) {
                *lane = self.scale * argument;
            }
            arguments.len()
        };
        let u = self.lanes.0[0];
        let sampled = self.sampled;
        if !sampled.within(self.index, u) {
            let (below, above) = (self.index.saturating_sub(1), self.index + 1);
            let beside = if sampled.within(below, u) { Some(below) } else { None };
            let beside = if sampled.within(above, u) { Some(above) } else { beside };
            self.index = match beside {
                Some(index) => index,
                None => sampled.piece(u)?,
            };
        }
        let piece = sampled.pieces.get(self.index)?;
        let end = sampled.end(self.index);
        let (mut served, mut inside) = (1, true);
        for lane in &self.lanes.0[1..scaled] {
            inside &= *lane >= piece.from && *lane < end;
            served += usize::from(inside);
        }
        Some((piece, served))
    }
}

impl Sampled {
    /// Whether a piece serves an argument.
    #[inline(always)]
    fn within(&self, index: usize, u: f64) -> bool {
        self.pieces.get(index).is_some_and(|piece| u >= piece.from && u < self.end(index))
    }

    /// Where the next piece begins.
    #[inline(always)]
    fn end(&self, index: usize) -> f64 {
        match self.pieces.get(index + 1) {
            Some(next) => next.from,
            None => f64::INFINITY,
        }
    }
}

/// Write the first `count` lanes; all of them where there is room, as the others are written again.
#[inline(always)]
fn write<P: Pack<Scalar = f64>>(lanes: &Strip<f64>, count: usize, out: &mut [f64]) {
    let count = if out.len() >= P::LANES { P::LANES } else { count };
    for (out, lane) in out.iter_mut().zip(&lanes.0[..count]) {
        *out = *lane;
    }
}

/// Values of a part, for the registers in use.
struct Values<'a> {
    sampled: &'a Sampled,
    part: usize,
    scale: f64,
    arguments: &'a [f64],
    out: &'a mut [f64],
}

impl Vectorized<f64> for Values<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { sampled, part, scale, arguments, out } = self;
        let mut walk = Walk::new(sampled, scale);
        let mut results = Strip([0.0; STRIP]);
        let mut start = 0;
        while start < arguments.len() {
            if let Some((piece, u)) = walk.whole::<P>(&arguments[start..]) {
                piece.value::<P>(part, u).write(&mut out[start..]);
                start += P::LANES;
                continue;
            }
            let Some((piece, served)) = walk.step::<P>(&arguments[start..]) else {
                out[start] = 0.0;
                start += 1;
                continue;
            };
            piece.value::<P>(part, P::load(&walk.lanes, 0)).store(&mut results, 0);
            write::<P>(&results, served, &mut out[start..]);
            start += served;
        }
    }
}

/// Differences of values, by the polynomial (p(u) − p(v))/(u − v).
struct Differences<'a> {
    sampled: &'a Sampled,
    part: usize,
    scale: f64,
    nodes: &'a Nodes,
    out: &'a mut [f64],
}

impl Vectorized<f64> for Differences<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { sampled, part, scale, nodes, out } = self;
        let Nodes { u, v, sign, difference, .. } = nodes;
        let mut walk = Walk::new(sampled, scale);
        let (mut others, mut results) = (Strip([0.0; STRIP]), Strip([0.0; STRIP]));
        let mut start = 0;
        while start < u.len() {
            let Some((piece, served)) = walk.step::<P>(&u[start..]) else {
                start += 1;
                continue;
            };
            for (other, v) in others.0[..served].iter_mut().zip(&v[start..]) {
                *other = scale * v;
            }
            piece.quotient(part, P::load(&walk.lanes, 0), P::load(&others, 0)).store(&mut results, 0);
            for i in 0..served {
                let other = others.0[i];
                let inside = other >= piece.from && (other - piece.middle) * piece.zoom <= 1.0;
                if inside && sign[start + i] > 0.0 {
                    out[start + i] = results.0[i] * (scale * difference[start + i]);
                }
            }
            start += served;
        }
    }
}
