//! Fitting: from a function's values to the series that a tile evaluates.

use super::check::check;
use super::grid::Grid;
use super::lowrank::LowRank;
use super::moments::{Basis, Rule, reach};
use super::row::Fitted;
use super::sampled::{PARTS, Sampled};
use super::series::{Moments, Pairs, Scaled, along_rows, tail};
use super::sizes::Sizes;
use super::{Accuracy, Source};
use crate::error::Result;

/// Numbers of quadrature nodes, of Chebyshev points in the defect and in the scale, tried in turn.
const RULES: [usize; 9] = [12, 16, 24, 32, 43, 57, 76, 101, 135];
const DEGREES: [usize; 15] = [5, 7, 9, 12, 15, 18, 22, 26, 31, 37, 44, 53, 64, 77, 92];
const SCALES: [usize; 12] = [3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 31, 38];
/// How many of these are tried where the rest would be no use, and the error of the quadrature that makes it so.
const FEW: usize = 6;
const HOPELESS: f64 = 1e-4;
/// Errors are seen at some places only; elsewhere they may be this much larger.
const SAFETY: f64 = 3.0;
/// Defects at which convergence is judged.
const PROBES: [f64; 3] = [1e-3, 0.1, 0.9];

/// Fit the dual of a function to rows within a range of scales.
///
/// # Errors
/// [`crate::error::Error::Function`] where the function fails; [`crate::error::Error::Cancelled`].
pub(super) fn fit(source: &Source<'_>, range: [f64; 2], accuracy: Accuracy) -> Result<Fitted> {
    let (target, job) = (accuracy.target, source.job);
    let grid = Grid::new(range, SCALES[0]);
    let top = grid.scale(1.0);
    let (reach, beyond) = reach(source, top, accuracy.negligible)?;
    let sampled = Sampled::new(source, top * reach)?;
    let basis = |scales: Vec<f64>, rule: &Rule| Basis::new(&sampled, scales, rule, job);

    // What is needed is found on little: the quadrature and the degree at the ends and in the middle of the range,
    // then the number of scales at a few defects.
    let few =
        || if grid.is_point() { vec![top] } else { [1.0, 0.0, -0.98].map(|xi| grid.scale(xi)).to_vec() };
    let sizes = Sizes::new(&sampled, &grid, &Rule::new(RULES[5], reach));
    let values = |rule: &Rule| {
        let basis = basis(few(), rule);
        let scaled = Scaled::new(&basis, &sizes, &grid);
        let mut values: Vec<f64> =
            basis.spreads.iter().zip(&scaled.whole).map(|(row, size)| row.norm / size).collect();
        for m in PROBES {
            let parts = scaled.at(m, rule)?;
            values.extend((0..PARTS).flat_map(|part| scaled.weighted(part, &parts[part])));
        }
        Ok(values)
    };
    // Kinks that rows of different scales meet at different places are resolved by no series.
    let smooth = sampled.kinks.is_empty() || grid.is_point();
    let rules: Vec<Rule> = (RULES.iter().take(if smooth { RULES.len() } else { FEW }))
        .map(|&count| Rule::new(count, reach))
        .collect();
    let (rule, rule_error) = settle(&rules, target, values)?;
    let few = basis(few(), rule);
    let scaled = Scaled::new(&few, &sizes, &grid);
    let tried = if smooth && rule_error < HOPELESS { usize::MAX } else { FEW };
    let mut degree = 0;
    for count in DEGREES.into_iter().take(tried) {
        let series = scaled.series(count, rule, job)?;
        let weighted =
            [0, 1].map(|part| series[part].iter().map(|pairs| scaled.weighted(part, pairs)).collect());
        degree = count;
        if tail(&weighted, |k| k as f64) <= target {
            break;
        }
    }
    let mut grid = grid;
    for count in SCALES.into_iter().take(if grid.is_point() { 0 } else { tried }) {
        grid = grid.with(count);
        let basis = basis(grid.scales(), rule);
        let scaled = Scaled::new(&basis, &sizes, &grid);
        let moments = Moments::new(&scaled, rule);
        let mut error =
            tail(&[moments.distance, moments.odd].map(|pairs| along_rows(&pairs, count)), |_| 1.0);
        for m in PROBES {
            let parts = scaled.at(m, rule)?;
            let weighted = [0, 1].map(|part| along_rows(&scaled.weighted(part, &parts[part]), count));
            error = error.max(tail(&weighted, |_| 1.0));
        }
        if error <= target {
            break;
        }
    }

    let basis = basis(grid.scales(), rule);
    let scaled = Scaled::new(&basis, &sizes, &grid);
    let series = scaled.series(degree, rule, job)?;
    let moments = Moments::new(&scaled, rule);
    let low_rank = |pairs: &Pairs| {
        let rows: Vec<Vec<f64>> = pairs.chunks_exact(grid.count).map(<[f64]>::to_vec).collect();
        LowRank::new(&rows, accuracy.negligible)
    };
    let has_even = sampled.has[1] || sampled.origin != 0.0;
    let mut fitted = Fitted {
        name: source.function.name.clone(),
        error: 0.0,
        accuracy,
        distance: if grid.is_point() { LowRank::default() } else { low_rank(&moments.distance) },
        odd: if sampled.has[0] && has_even { low_rank(&moments.odd) } else { LowRank::default() },
        parts: [0, 1].map(|part| {
            if sampled.has[part] { series[part].iter().map(low_rank).collect() } else { Vec::new() }
        }),
        has: [sampled.has[0], has_even],
        sizes,
        grid,
        rule: rule.clone(),
        sampled: sampled.clone(),
    };
    fitted.error = SAFETY * (beyond + rule_error.max(check(&fitted, rule, job)?));
    Ok(fitted)
}

/// The first rule from which the next changes nothing, and how much it changed.
fn settle(rules: &[Rule], target: f64, values: impl Fn(&Rule) -> Result<Vec<f64>>) -> Result<(&Rule, f64)> {
    let mut before = values(&rules[0])?;
    let mut found = (&rules[0], f64::INFINITY);
    for next in &rules[1..] {
        let after = values(next)?;
        let size = after.iter().fold(f64::MIN_POSITIVE, |a, b| a.max(b.abs()));
        let change = before.iter().zip(&after).fold(0f64, |worst, (a, b)| worst.max((a - b).abs())) / size;
        found = (next, change);
        if change <= target {
            break;
        }
        before = after;
    }
    Ok(found)
}
