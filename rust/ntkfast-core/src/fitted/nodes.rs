//! Nodes of a quadrature over the plane, in an order in which neighbours are likely to lie in one piece of a function.

/// Nodes that are summed at a time: what belongs to them stays in the second-level cache.
const CHUNK: usize = 2048;
/// Numbers are put in order by their octave and this many further bits.
const FINE: u32 = 4;
/// Smaller numbers, by that many steps of the order, are not told apart.
const STEPS: usize = 512;

/// A node [u, v, u − v] with u ≥ 0, and its weight.
#[derive(Clone, Copy)]
pub struct Node {
    pub place: [f64; 3],
    pub weight: f64,
}

/// Two standard Gaussian variables, the second as its size and its sign, their difference, and roots of weights; by
/// size of the first.
pub struct Nodes {
    pub u: Vec<f64>,
    pub v: Vec<f64>,
    pub sign: Vec<f64>,
    pub difference: Vec<f64>,
    pub root: Vec<f64>,
    /// v by its size, and where each is above.
    pub sorted: Vec<f64>,
    pub places: Vec<usize>,
}

/// Nodes by size of u, some at a time.
pub fn chunks(nodes: &[Node]) -> Vec<Nodes> {
    let u: Vec<f64> = nodes.iter().map(|node| node.place[0]).collect();
    order(&u).chunks(CHUNK).map(|chunk| Nodes::new(chunk.iter().map(|&i| nodes[i]))).collect()
}

impl Nodes {
    fn new(nodes: impl Iterator<Item = Node> + Clone) -> Self {
        let [u, v, difference] =
            [0, 1, 2].map(|i| nodes.clone().map(|node| node.place[i]).collect::<Vec<_>>());
        let sign = v.iter().map(|v| v.signum()).collect();
        let v: Vec<f64> = v.iter().map(|v| v.abs()).collect();
        let root = nodes.map(|node| node.weight.sqrt()).collect();
        let places = order(&v);
        let sorted = places.iter().map(|&i| v[i]).collect();
        Self { u, v, sign, difference, root, sorted, places }
    }

    pub fn len(&self) -> usize {
        self.u.len()
    }
}

/// Where numbers ≥ 0 are, roughly by their size, for a few nanoseconds each.
fn order(values: &[f64]) -> Vec<usize> {
    let key = |value: f64| (value.to_bits() >> (52 - FINE)) as usize;
    let top = values.iter().map(|&value| key(value)).max().unwrap_or(0);
    let step = |value: f64| (key(value) + STEPS).saturating_sub(top);
    let mut ends = [0; STEPS + 1];
    values.iter().for_each(|&value| ends[step(value)] += 1);
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    let mut places = vec![0; values.len()];
    for (i, &value) in values.iter().enumerate().rev() {
        let end = &mut ends[step(value)];
        *end -= 1;
        places[*end] = i;
    }
    places
}
