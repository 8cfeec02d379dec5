//! Network → program where there are positions.
//!
//! A convolution is a mean over windows and a dense layer at every position; Flatten is a mean over the one window
//! that is everything, and a global pool is a pool with that window.

use super::compile::Compiler;
use super::positions::Positions;
use super::value::Value;
use super::{Gradient, Op};
use crate::error::{Error, Result};
use crate::network::{Axis, Padding};

impl Compiler {
    /// The height and width of an input that has to have them.
    fn grid(&self, input: &Value, name: &str) -> Result<Option<[usize; 2]>> {
        match input.positions {
            Positions::Any => Ok(None),
            Positions::Grid(grid) => Ok(grid),
            Positions::None => Err(Error::Network(format!(
                "{} needs an input with positions, which a Flatten or a global pool before it has taken away: \
                 put it before that",
                self.place(name)
            ))),
        }
    }

    /// What comes out of windows on this grid.
    fn shrink(&self, axes: [Axis; 2], grid: [usize; 2], name: &str) -> Result<[usize; 2]> {
        let outputs = [axes[0].outputs(grid[0]), axes[1].outputs(grid[1])];
        if outputs.contains(&0) {
            // Sequences are images of width 1.
            let sequences = grid[1] == 1 && axes[1].is_identity();
            let size = |[height, width]: [usize; 2]| {
                if sequences { height.to_string() } else { format!("{height} × {width}") }
            };
            return Err(Error::Network(format!(
                "{} has windows of {}, which do not fit into its input of {} positions: pad with \"SAME\" \
                 or \"CIRCULAR\", or use {}",
                self.place(name),
                size(axes.map(|axis| axis.size)),
                size(grid),
                if sequences { "longer sequences" } else { "larger images" }
            )));
        }
        Ok(outputs)
    }

    /// What a convolution sees of its input.
    pub(super) fn windows(&mut self, axes: [Axis; 2], input: &Value, name: &str) -> Result<Value> {
        let grid = self.grid(input, name)?;
        let alone = grid == Some([1, 1]);
        let grid = grid.map(|grid| self.shrink(axes, grid, name)).transpose()?;
        let mut value = Value { positions: Positions::Grid(grid), ..input.clone() };
        if alone {
            value.id = self.scaled(shares_of_one_position(axes).sqrt(), input, name);
        } else if !axes.iter().all(|axis| axis.is_identity()) {
            value.id = self.push(Op::Window(axes), [input, input], input.nonnegative, name);
        }
        Ok(value)
    }

    /// The input times a factor.
    fn scaled(&mut self, factor: f64, input: &Value, name: &str) -> usize {
        let op = Op::Dense { w_std: factor, b_std: 0.0, gradient: Gradient::Frozen };
        if factor == 1.0 { input.id } else { self.push(op, [input, input], input.nonnegative, name) }
    }

    pub(super) fn pool(&mut self, axes: [Axis; 2], sum: bool, input: &Value, name: &str) -> Result<Value> {
        let grid = self.grid(input, name)?;
        let alone = grid == Some([1, 1]);
        let grid = grid.map(|grid| self.shrink(axes, grid, name)).transpose()?;
        let mut value = Value { positions: Positions::Grid(grid), ..input.clone() };
        if alone {
            let size = if sum { axes[0].size as f64 * axes[1].size as f64 } else { 1.0 };
            value.id = self.scaled(size * shares_of_one_position(axes), input, name);
        } else if !axes.iter().all(|axis| axis.is_identity()) {
            value.id = self.push(Op::Pool { axes, sum }, [input, input], input.nonnegative, name);
        }
        Ok(value)
    }

    /// A global pool, which leaves rows as they are.
    pub(super) fn pool_all(&mut self, sum: bool, input: &Value, name: &str) -> Result<Value> {
        if input.positions == Positions::None {
            return Ok(input.clone());
        }
        let grid = self.grid(input, name)?.unwrap_or([1, 1]);
        let pooled = self.pool(grid.map(Axis::whole), sum, input, name)?;
        Ok(Value { positions: Positions::None, ..pooled })
    }

    /// A Flatten, which leaves rows as they are.
    pub(super) fn flatten(&mut self, input: &Value, name: &str) -> Result<Value> {
        if input.positions == Positions::None {
            return Ok(input.clone());
        }
        let grid = self.grid(input, name)?.unwrap_or([1, 1]);
        let flat = self.windows(grid.map(Axis::whole), input, name)?;
        let width = flat.width.clone().times(grid[0].saturating_mul(grid[1]));
        // Its neurons are Gaussian, but of as many variances as there were positions.
        Ok(Value { positions: Positions::None, gaussian: false, width, ..flat })
    }

    /// The positions of values that are joined.
    pub(super) fn agree(&self, first: &Value, second: &Value, name: &str) -> Result<Positions> {
        let shown = |positions: Positions| match positions {
            Positions::Grid(Some([height, width])) => format!("{height} × {width} positions"),
            Positions::Grid(None) | Positions::Any => "positions".to_owned(),
            Positions::None => "none".to_owned(),
        };
        match (first.positions, second.positions) {
            (a, b) if a == b => Ok(a),
            (Positions::Any, other) | (other, Positions::Any) => Ok(other),
            (Positions::Grid(None), grid @ Positions::Grid(_))
            | (grid @ Positions::Grid(_), Positions::Grid(None)) => Ok(grid),
            (a, b) => Err(Error::Network(format!(
                "{} joins branches of different shapes, {} and {}: give them the same strides and padding, and end \
                 both or none with Flatten or a global pool",
                self.place(name),
                shown(a),
                shown(b)
            ))),
        }
    }
}

/// How much of its windows the one position of an image of 1 × 1 fills.
fn shares_of_one_position(axes: [Axis; 2]) -> f64 {
    let share = |axis: Axis| if axis.padding == Padding::Circular { 1.0 } else { 1.0 / axis.size as f64 };
    share(axes[0]) * share(axes[1])
}
