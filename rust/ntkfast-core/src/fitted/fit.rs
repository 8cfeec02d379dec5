//! Fitting: from a function's values to the series that a tile evaluates.

use super::chebyshev::{points, transform};
use super::check::check;
use super::forms::Forms;
use super::grid::Grid;
use super::integrated::{Direct, Integrated, REACH};
use super::moments::{Basis, Rule, reach};
use super::row::Fitted;
use super::sampled::{PARTS, Sampled};
use super::sampling::sample;
use super::series::{Map, ScalePairs, Scaled, along_rows, mapped, needed, tail};
use super::sizes::Sizes;
use super::{Accuracy, Numerical, Source, TINIEST};
use crate::error::{Error, Result};
use crate::parallel::Job;
use std::sync::Arc;

/// Numbers of quadrature nodes, of Chebyshev points in the angle with their maps, and in the scale, tried in turn.
const RULES: [usize; 15] = [12, 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 103, 124, 149];
const DEGREES: [(Map, usize); 6] =
    [(Map(0.25), 24), (Map(0.25), 36), (Map(0.1), 48), (Map(0.1), 70), (Map(0.02), 70), (Map(0.02), 100)];
const SCALES: [usize; 10] = [3, 5, 8, 12, 16, 20, 24, 28, 33, 38];
/// The map of the shortest series is one of these.
const MAPS: [f64; 9] = [4.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015];
/// Nodes of the quadrature of sizes.
const SIZES: usize = 32;
/// A function of more pieces in the reach of a row is not fitted: to check it would take seconds.
const MOST_STRETCHES: usize = 300;
/// Scales below this share of the largest are taken to reach as far as this one.
const SMALL: f64 = 1e-9;
/// Series that leave more than this are not worth checking.
const HOPELESS: f64 = 1e-4;
/// From this many nodes on it can be told how fast quadratures converge.
const TELLING: usize = 24;
/// So many terms in the angle are tried whatever fewer have left: another map may suit.
const TRIED: usize = 70;
/// How much sooner than expected a series may be found to have converged.
const HOPE: f64 = 0.8;
/// Errors are seen at some places only; elsewhere they may be this much larger.
const SAFETY: f64 = 3.0;
/// Defects at which convergence is judged.
const PROBES: [f64; 3] = [1e-3, 0.1, 0.9];

/// The dual of a function for rows within a range of scales: fitted, or integrated where a fit has a larger estimated
/// error than it may.
///
/// # Errors
/// [`Error::Function`] where the function fails; [`Error::Unresolved`] where it cannot be integrated either;
/// [`Error::Cancelled`].
pub(super) fn fit(source: &Source<'_>, asked: [f64; 2], accuracy: Accuracy) -> Result<Numerical> {
    let grid = Grid::new(asked, SCALES[0], accuracy);
    let top = grid.scale(1.0);
    let source = &source.normalized(top)?;
    let (ending, beyond) = reach(source, top, accuracy.negligible)?;
    // A function that is nothing near zero reaches further for smaller scales.
    let range @ [low, _] = [-1.0, 1.0].map(|place| grid.scale(place).max(TINIEST));
    let (mut farthest, mut end) = (ending, ending.max(REACH) * top);
    for scale in [low.max(SMALL * top), (low.max(SMALL * top) * top).sqrt()] {
        let (reach, _) = reach(source, scale, accuracy.negligible)?;
        (farthest, end) = (farthest.max(reach), end.max(reach * scale));
    }
    let sampled = sample(source, [low, top], source.end(end)?)?;
    let direct = Direct::new(&sampled, range, farthest);
    let mut error = f64::INFINITY;
    let lowest = asked[0].max(TINIEST);
    // Kinks that rows of different scales meet at different places are resolved by no series.
    if sampled.kinks.is_empty()
        && direct.stretches(top, top) <= MOST_STRETCHES
        && let Some(fitted) =
            polynomials(source, &grid, lowest, (ending, beyond), &sampled, &direct, accuracy)?
    {
        if !fitted.is_unresolved() {
            return Ok(Numerical::Fitted(Arc::new(fitted)));
        }
        error = fitted.error;
    }
    let name = source.function.name.clone();
    let doubts = range.map(|scale| sampled.doubt(scale, direct.side(scale).norm));
    let integrated = Integrated::new(name.clone(), &sampled, direct, grid, accuracy, source.gain);
    let noise = sampled.noise;
    let doubt = beyond + doubts.into_iter().fold(0.0, f64::max);
    if integrated.is_beyond_budget() {
        return Err(Error::Unresolved { name, scales: asked, error: doubt.max(error.min(1.0)), noise });
    }
    let error = doubt.max(integrated.disagreement(asked));
    if error > accuracy.tolerance {
        return Err(Error::Unresolved { name, scales: asked, error, noise });
    }
    Ok(Numerical::Integrated(Arc::new(integrated)))
}

/// Fit polynomials; `None` where these would be too long.
///
/// # Errors
/// [`Error::Cancelled`].
fn polynomials(
    source: &Source<'_>,
    range: &Grid,
    lowest: f64,
    (reach, beyond): (f64, f64),
    sampled: &Sampled,
    direct: &Direct,
    accuracy: Accuracy,
) -> Result<Option<Fitted>> {
    let job = source.job;
    let sizes = Sizes::new(sampled, range, &Rule::new(SIZES, reach));
    let search = Search { sampled, sizes: &sizes, range, accuracy, job };
    let Some(rule) = search.rule(&RULES, reach)? else { return Ok(None) };
    let Some((map, degree)) = search.degree(&DEGREES, &rule)? else { return Ok(None) };
    let grid = search.grid(&SCALES, &rule)?;

    let basis = Basis::new(sampled, grid.scales(), &rule, job);
    let scaled = Scaled::new(&basis, &sizes, &grid, &rule);
    let series = scaled.series(map, degree, &rule, job)?;
    let forms = |functions: &[ScalePairs]| Forms::new(functions, grid.count, accuracy.negligible);
    let part = |part: usize| if sampled.has[part] { forms(&series[part]) } else { Forms::default() };
    let parts = [part(0), part(1)];
    let odd = if sampled.has[0] { forms(std::slice::from_ref(&scaled.odd)) } else { Forms::default() };
    let mut fitted = Fitted {
        name: source.function.name.clone(),
        error: 0.0,
        accuracy,
        gain: source.gain,
        distance: if grid.is_point() { Forms::default() } else { forms(&[scaled.distance(&rule)]) },
        steepness: steepness(&odd, &parts, grid.count),
        odd,
        parts,
        map,
        has: [sampled.has[0], sampled.has[1] || sampled.origin != 0.0],
        sizes: sizes.clone(),
        grid,
        lowest,
        rule,
        sampled: sampled.clone(),
    };
    let checked = if accuracy.is_single {
        check::<f32>(&fitted, direct, job)?
    } else {
        check::<f64>(&fitted, direct, job)?
    };
    fitted.error = SAFETY * (beyond + checked);
    Ok(Some(fitted))
}

/// D of rows with themselves where they coincide, as series in the scale.
fn steepness(odd: &Forms, parts: &[Forms; PARTS], count: usize) -> [Vec<f64>; PARTS] {
    // Products of two series have twice their degree.
    let places = points(2 * count - 1);
    let value = |part: usize, xi: f64| {
        // T_k(−1) = ±1.
        let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        let end: f64 = parts[part].diagonal(xi).iter().enumerate().map(|(k, value)| sign(k) * value).sum();
        let moment = if part == 0 { odd.diagonal(xi).iter().sum() } else { 0.0 };
        moment + 2.0 * end
    };
    let rows = transform(places.len());
    [0, 1].map(|part| {
        let values: Vec<f64> = places.iter().map(|&xi| value(part, xi)).collect();
        rows.iter().map(|row| row.iter().zip(&values).map(|(a, b)| a * b).sum()).collect()
    })
}

/// Finds what is needed on little: the quadrature and the degree at the ends and in the middle of the range, then
/// the number of scales at a few defects.
struct Search<'a> {
    sampled: &'a Sampled,
    sizes: &'a Sizes,
    range: &'a Grid,
    accuracy: Accuracy,
    job: &'a Job,
}

impl<'a> Search<'a> {
    /// The basis at the ends and in the middle of the range.
    fn few(&self, rule: &Rule) -> Basis<'a> {
        let places: &[f64] = if self.range.is_point() { &[0.0] } else { &[1.0, 0.0, -0.98] };
        let scales = places.iter().map(|&xi| self.range.scale(xi)).collect();
        Basis::new(self.sampled, scales, rule, self.job)
    }

    /// The first rule from which the next changes nothing; `None` where there is none.
    fn rule(&self, counts: &[usize], reach: f64) -> Result<Option<Rule>> {
        let values = |rule: &Rule| {
            let basis = self.few(rule);
            let scaled = Scaled::new(&basis, self.sizes, self.range, rule);
            let norms = basis.spreads.iter().zip(&scaled.whole);
            let mut values: Vec<f64> = norms.map(|(row, size)| row.norm / size).collect();
            for parts in scaled.at(&PROBES, rule, self.job)? {
                values.extend((0..PARTS).flat_map(|part| scaled.weighted(part, &parts[part])));
            }
            Ok::<_, Error>(values)
        };
        let most = counts[counts.len() - 1] as f64;
        let mut before = values(&Rule::new(counts[0], reach))?;
        for &count in &counts[1..] {
            let rule = Rule::new(count, reach);
            let after = values(&rule)?;
            let size = after.iter().fold(f64::MIN_POSITIVE, |a, b| a.max(b.abs()));
            let change =
                before.iter().zip(&after).fold(0f64, |worst, (a, b)| worst.max((a - b).abs())) / size;
            if change <= self.accuracy.target || count as f64 == most && change <= self.accuracy.tolerance {
                return Ok(Some(rule));
            }
            // Errors fall geometrically.
            if count >= TELLING && change.ln() * most / count as f64 > self.accuracy.tolerance.ln() {
                break;
            }
            before = after;
        }
        Ok(None)
    }

    /// Fewer terms than this are not worth trying when so many leave an error: series converge geometrically.
    fn hopeful(&self, count: usize, error: f64) -> usize {
        // The first few terms say little yet.
        if count < 8 || error >= 1.0 {
            count
        } else {
            (HOPE * count as f64 * self.accuracy.target.ln() / error.ln()) as usize
        }
    }

    /// The map with the shortest series in the angle, and its number of terms; `None` where none is short enough.
    fn degree(&self, counts: &[(Map, usize)], rule: &Rule) -> Result<Option<(Map, usize)>> {
        let basis = self.few(rule);
        let scaled = Scaled::new(&basis, self.sizes, self.range, rule);
        let mut best: Option<(f64, Map, [Vec<ScalePairs>; PARTS])> = None;
        let mut hopeful = 0;
        for &(map, count) in counts {
            if count < hopeful {
                continue;
            }
            let series = scaled.series(map, count, rule, self.job)?;
            let weighted: [Vec<ScalePairs>; PARTS] =
                [0, 1].map(|part| series[part].iter().map(|pairs| scaled.weighted(part, pairs)).collect());
            let rest = tail(&weighted, |k| k as f64);
            if best.as_ref().is_none_or(|(least, ..)| rest < *least) {
                best = Some((rest, map, weighted));
            }
            if rest <= self.accuracy.target {
                break;
            }
            hopeful = self.hopeful(count, rest).min(TRIED);
        }
        let Some((rest, map, series)) = best.filter(|(rest, ..)| *rest <= HOPELESS) else {
            return Ok(None);
        };
        let count = series[0].len().max(series[1].len());
        let terms = |&a: &f64| {
            let series = series.each_ref().map(|part| mapped(part, map, Map(a), count));
            // One more, for what is left out adds up.
            (Map(a), (needed(&series, self.accuracy.target.max(rest)) + 1).min(count))
        };
        let shortest = MAPS.iter().map(terms).min_by_key(|(_, terms)| *terms);
        Ok(Some(shortest.unwrap_or((map, count))))
    }

    /// The range with the first number of scales whose last coefficients are negligible, or with the last one.
    fn grid(&self, counts: &[usize], rule: &Rule) -> Result<Grid> {
        if self.range.is_point() {
            return Ok(*self.range);
        }
        let mut hopeful = 0;
        for &count in counts {
            if count < hopeful {
                continue;
            }
            let grid = self.range.with(count);
            let basis = Basis::new(self.sampled, grid.scales(), rule, self.job);
            let scaled = Scaled::new(&basis, self.sizes, &grid, rule);
            let moments = [scaled.distance(rule), scaled.weighted(0, &scaled.odd)];
            let mut error = tail(&moments.map(|pairs| along_rows(&pairs, count)), |_| 1.0);
            for parts in scaled.at(&PROBES, rule, self.job)? {
                let weighted = [0, 1].map(|part| along_rows(&scaled.weighted(part, &parts[part]), count));
                error = error.max(tail(&weighted, |_| 1.0));
            }
            if error <= self.accuracy.target {
                return Ok(grid);
            }
            hopeful = self.hopeful(count, error);
        }
        Ok(self.range.with(counts[counts.len() - 1]))
    }
}
