//! One axis of a plane: which pairs of positions are in it, and where windows find theirs.
//!
//! A plane is a product of two tracks, one for each axis. A track is a list of pairs (p, p'), as a rule all those with
//! one displacement p' − p. What a track of results needs of a track of inputs is read off position by position, so
//! that paddings, strides and circles need no rules of their own.

use crate::network::{Axis, Padding};
use std::collections::{BTreeMap, BTreeSet};

/// A pair of positions on one axis: of the left image and of the right one.
pub type Pair = [u32; 2];

/// Pairs by displacement, then by position.
pub type Track = Vec<Pair>;

/// The input position at `offset` in the window of a result, where there is one.
pub fn position(axis: Axis, length: usize, output: u32, offset: usize) -> Option<u32> {
    let place = (output as usize * axis.stride + offset) as isize - axis.low(length) as isize;
    let length = length as isize;
    match axis.padding {
        Padding::Circular => Some(place.rem_euclid(length) as u32),
        Padding::Same | Padding::Valid => (0..length).contains(&place).then_some(place as u32),
    }
}

/// p' − p.
pub fn displacement([left, right]: Pair) -> i64 {
    i64::from(right) - i64::from(left)
}

/// The pairs that windows see which move both positions together.
pub fn seen_together(axis: Axis, length: usize, outputs: &Track) -> Track {
    let seen = |&pair: &Pair| {
        (0..axis.size).filter_map(move |offset| {
            let [left, right] = pair.map(|output| position(axis, length, output, offset));
            Some([left?, right?])
        })
    };
    outputs.iter().flat_map(seen).collect()
}

/// The pairs that a window for either position sees.
pub fn seen_apart(axis: Axis, length: usize, outputs: &BTreeSet<Pair>) -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for pair in outputs {
        let [left, right] = pair.map(|output| places(axis, length, output));
        pairs.extend(left.iter().flat_map(|&left| right.iter().map(move |&right| [left, right])));
    }
    pairs
}

/// The input positions in the window of a result.
fn places(axis: Axis, length: usize, output: u32) -> Vec<u32> {
    (0..axis.size).filter_map(|offset| position(axis, length, output, offset)).collect()
}

/// Cut pairs into tracks, each of one displacement; on a circle of some length, of one displacement around it.
pub fn tracks(pairs: &BTreeSet<Pair>, circle: Option<usize>) -> Vec<Track> {
    let mut parts = BTreeMap::<i64, Track>::new();
    for &pair in pairs {
        let key = circle.map_or(displacement(pair), |length| displacement(pair).rem_euclid(length as i64));
        parts.entry(key).or_default().push(pair);
    }
    let mut parts: Vec<_> = parts.into_values().collect();
    parts.iter_mut().for_each(put_in_order);
    parts
}

/// By displacement, then by position, each pair once.
pub fn put_in_order(track: &mut Track) {
    // Pairs come in a few runs that are in order, which this sort finds.
    track.sort_by_key(|&pair| (displacement(pair), pair[0]));
    track.dedup();
}

/// What lies at a place of a padded track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A pair of the track.
    Both,
    /// A position of the left image whose partner lies outside.
    Left,
    /// A position of the right image whose partner lies outside.
    Right,
    /// Nothing.
    Neither,
}

/// Places of a padded track that follow each other: all numbers but `length` are the first one's and grow by 1.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub place: Place,
    /// Place in the padded track.
    pub at: usize,
    pub length: usize,
    /// Pair of the track.
    pub cell: usize,
    /// Position in the left image.
    pub left: usize,
    /// Position in the right image.
    pub right: usize,
}

/// How windows on a track find what they see: each sees `size` places of the padded track in a row.
#[derive(Clone, Debug)]
pub struct Windows {
    pub size: usize,
    /// The padded track.
    pub spans: Vec<Span>,
    /// Number of its places.
    pub places: usize,
    /// Where the window of each result begins.
    pub starts: Vec<usize>,
    /// The results.
    pub results: Vec<Span>,
}

impl Windows {
    /// Windows of `outputs` on `inputs`.
    pub fn new(axis: Axis, length: usize, inputs: &Track, outputs: &Track) -> Self {
        let cells: BTreeMap<_, _> = inputs.iter().enumerate().map(|(cell, pair)| (*pair, cell)).collect();
        let mut windows =
            Self { size: axis.size, spans: Vec::new(), places: 0, starts: Vec::new(), results: Vec::new() };
        let mut last: Option<Pair> = None;
        for &pair in outputs {
            // A result next to the last one shares what windows have in common.
            let next = last.is_some_and(|last| last.map(|position| position + 1) == pair);
            let fresh = if next { axis.stride.min(axis.size) } else { axis.size };
            for offset in axis.size - fresh..axis.size {
                let [left, right] = pair.map(|output| position(axis, length, output, offset));
                windows.push(left, right, &cells);
            }
            match windows.results.last_mut() {
                Some(span) if next => span.length += 1,
                _ => {
                    let [left, right] = pair.map(|position| position as usize);
                    let cell = windows.starts.len();
                    windows.results.push(Span { place: Place::Both, at: 0, length: 1, cell, left, right });
                }
            }
            windows.starts.push(windows.places - axis.size);
            last = Some(pair);
        }
        windows
    }

    /// The pairs of the track that the window of each result sees.
    pub fn seen(&self) -> Vec<Vec<usize>> {
        let mut cells = vec![None; self.places];
        for span in self.spans.iter().filter(|span| span.place == Place::Both) {
            for (cell, place) in (span.cell..).zip(&mut cells[span.at..][..span.length]) {
                *place = Some(cell);
            }
        }
        self.starts
            .iter()
            .map(|&start| cells[start..][..self.size].iter().flatten().copied().collect())
            .collect()
    }

    fn push(&mut self, left: Option<u32>, right: Option<u32>, cells: &BTreeMap<Pair, usize>) {
        let at = self.places;
        self.places += 1;
        let (place, cell) = match (left, right) {
            (Some(left), Some(right)) => (Place::Both, cells[&[left, right]]),
            (Some(_), None) => (Place::Left, 0),
            (None, Some(_)) => (Place::Right, 0),
            (None, None) => (Place::Neither, 0),
        };
        let [left, right] = [left, right].map(|position| position.unwrap_or(0) as usize);
        if let Some(span) = self.spans.last_mut()
            && span.place == place
        {
            let grown = |known: bool, first: usize, now: usize| !known || first + span.length == now;
            if grown(place == Place::Both, span.cell, cell)
                && grown(matches!(place, Place::Both | Place::Left), span.left, left)
                && grown(matches!(place, Place::Both | Place::Right), span.right, right)
            {
                span.length += 1;
                return;
            }
        }
        self.spans.push(Span { place, at, length: 1, cell, left, right });
    }
}

/// To which results each pair of a track contributes, where windows move both positions apart.
pub fn targets(
    axis: Axis,
    length: usize,
    inputs: &Track,
    outputs: &BTreeMap<Pair, usize>,
) -> Vec<Vec<usize>> {
    let count = axis.outputs(length);
    let mut seen_by = vec![Vec::new(); length];
    for output in 0..count as u32 {
        for place in places(axis, length, output) {
            seen_by[place as usize].push(output);
        }
    }
    let of = |pair: &Pair| {
        let [left, right] = pair.map(|position| &seen_by[position as usize]);
        let pairs = left.iter().flat_map(|&left| right.iter().map(move |&right| [left, right]));
        pairs.filter_map(|pair| outputs.get(&pair).copied()).collect()
    };
    inputs.iter().map(of).collect()
}
