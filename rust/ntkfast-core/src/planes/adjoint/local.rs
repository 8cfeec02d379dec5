//! What derivatives need of a group of images: rows of every value, and how activations respond to their norms.

use super::Pair;
use crate::error::Result;
use crate::planes::GROUP;
use crate::planes::constants::{Each, GroupConstants};
use crate::planes::maps::Source;
use crate::program::{RowTrace, Step};
use crate::real::Jet;

/// A group of images.
#[derive(Default)]
pub struct Local {
    /// What their planes are computed from.
    pub constants: GroupConstants<f64>,
    /// √K and √T of every value at every position.
    pub rows: Vec<Vec<Pair>>,
    /// Of every step that is an activation.
    pub rates: Vec<Option<Rates>>,
}

/// How an activation responds to rows.
pub struct Rates {
    /// Constants of a row.
    pub slots: usize,
    /// At every position √E[φ'²], and how fast the logarithms of √E[φ²] and of this change with that of √K.
    pub responses: Vec<[Each; 3]>,
    /// At every position all constants, each with its derivative by the logarithm of √K.
    pub constants: Vec<Pair>,
}

impl Local {
    /// These images. O(positions · steps).
    ///
    /// # Errors
    /// As [`Source::rows`].
    pub fn read(&mut self, source: &Source<'_, f64>, which: [usize; GROUP]) -> Result<()> {
        let rows = source.rows(which, &mut self.constants)?;
        let pair = |row: &[RowTrace; GROUP]| [row.map(|row| row.scale), row.map(|row| row.tangent)];
        self.rows = rows.iter().map(|rows| rows.iter().map(pair).collect()).collect();
        let channels = source.images.channels();
        let steps = source.program.steps.iter().zip(&source.graph.inputs);
        let of = |(step, inputs): (&Step, &[usize; 2])| {
            step.is_activation().then(|| Rates::new(step, &self.rows[inputs[0]], channels))
        };
        self.rates = steps.map(of).collect();
        Ok(())
    }

    /// The images of another group that are in these lanes.
    pub fn gather(&mut self, from: &Self, lanes: [usize; GROUP]) {
        let pick = |each: &Each| lanes.map(|lane| each[lane]);
        self.constants.data.resize(from.constants.data.len(), crate::planes::Group([0.0; GROUP]));
        self.constants.gather(&from.constants, lanes);
        let pair = |pair: &Pair| pair.each_ref().map(pick);
        self.rows = from.rows.iter().map(|rows| rows.iter().map(pair).collect()).collect();
        let of = |rates: &Rates| Rates {
            slots: rates.slots,
            responses: rates.responses.iter().map(|response| response.each_ref().map(pick)).collect(),
            constants: rates.constants.iter().map(pair).collect(),
        };
        self.rates = from.rates.iter().map(|rates| rates.as_ref().map(of)).collect();
    }
}

impl Rates {
    fn new(step: &Step, rows: &[Pair], channels: usize) -> Self {
        let slots = step.op.slots();
        let mut responses = vec![[[0.0; GROUP]; 3]; rows.len()];
        let mut constants = vec![[[0.0; GROUP]; 2]; rows.len() * slots];
        let mut own = vec![Jet::default(); slots];
        for (position, [scales, _]) in rows.iter().enumerate() {
            for (lane, &scale) in scales.iter().enumerate() {
                let row = RowTrace { scale: Jet { value: scale, slope: scale }, tangent: Jet::from(1.0) };
                let out = step.op.row_along([0.0; 2], channels, [row; 2], &mut own);
                let response = [out.tangent.value, rate(out.scale), rate(out.tangent)];
                for (to, value) in responses[position].iter_mut().zip(response) {
                    to[lane] = value;
                }
                for (to, constant) in constants[position * slots..].iter_mut().zip(&own) {
                    (to[0][lane], to[1][lane]) = (constant.value, constant.slope);
                }
            }
        }
        Self { slots, responses, constants }
    }
}

/// How fast a logarithm changes; 0 of what is 0.
pub fn rate(jet: Jet) -> f64 {
    if jet.value > 0.0 { jet.slope / jet.value } else { 0.0 }
}

/// The images on one side of a group of pairs.
#[derive(Clone, Copy)]
pub struct Half<'a> {
    pub local: &'a Local,
    /// The lane that all pairs have in common, if there is one.
    pub one: Option<usize>,
}

impl Half<'_> {
    /// Numbers of the images of each pair.
    #[inline(always)]
    pub fn lanes(&self, each: &Each) -> Each {
        match self.one {
            Some(lane) => [each[lane]; GROUP],
            None => *each,
        }
    }

    /// √K and √T of a value at a position.
    pub fn row(&self, value: usize, position: usize) -> Pair {
        self.local.rows[value][position].each_ref().map(|each| self.lanes(each))
    }
}
