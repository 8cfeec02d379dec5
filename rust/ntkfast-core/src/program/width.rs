//! Widths of layers, as far as a network says them.

/// A number of neurons, in integers that no sum or product of what networks may have exceeds. That of the input is known only when a call comes with its points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Width {
    /// Neurons of layers.
    pub units: u128,
    /// How many times the input is among them.
    pub inputs: u128,
}

impl Width {
    /// The width of the input.
    pub const INPUT: Self = Self { units: 0, inputs: 1 };

    /// Both side by side.
    pub fn plus(self, other: Self) -> Self {
        Self {
            units: self.units.saturating_add(other.units),
            inputs: self.inputs.saturating_add(other.inputs),
        }
    }

    /// So many times side by side.
    pub fn times(self, count: usize) -> Self {
        let count = count as u128;
        Self { units: self.units.saturating_mul(count), inputs: self.inputs.saturating_mul(count) }
    }

    /// How many neurons these are for points with `features` features.
    pub fn at(self, features: usize) -> f64 {
        self.units as f64 + self.inputs as f64 * features as f64
    }

    /// Whether these are different numbers, however many features the input has.
    fn never_equals(self, other: Self) -> bool {
        self.inputs == other.inputs && self.units != other.units
    }
}

/// The width of a value, as the compiler knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Breadth {
    /// That of the unknown input of a part of a network.
    Any,
    /// So many layers without a width, side by side; where the first of them is.
    Unset(u128, String),
    /// This.
    Known(Width),
}

impl Breadth {
    /// So many times side by side.
    pub fn times(self, count: usize) -> Self {
        match self {
            Self::Any => Self::Any,
            Self::Unset(layers, place) => Self::Unset(layers.saturating_mul(count as u128), place),
            Self::Known(width) => Self::Known(width.times(count)),
        }
    }

    /// Whether both say the same, wherever that is said.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unset(m, _), Self::Unset(n, _)) => m == n,
            _ => self == other,
        }
    }

    /// The width of values that are added or multiplied neuron by neuron; what one of them does not say, the
    /// other does.
    ///
    /// # Errors
    /// Both widths, where they differ.
    pub fn agree(self, other: Self) -> Result<Self, [Width; 2]> {
        match (self, other) {
            (Self::Known(a), Self::Known(b)) if a.never_equals(b) => Err([a, b]),
            (known @ Self::Known(_), _) | (_, known @ Self::Known(_)) => Ok(known),
            (Self::Any, _) | (_, Self::Any) => Ok(Self::Any),
            (a @ Self::Unset(m, _), b @ Self::Unset(n, _)) => Ok(if m >= n { a } else { b }),
        }
    }

    /// The width of values side by side, and the weight of each: widths, or where none is known, the number of
    /// layers, which count as equal.
    ///
    /// # Errors
    /// Where the first layer is that has no width while another one has.
    pub fn join(parts: &[Self]) -> Result<(Self, Vec<Width>), String> {
        let mut weights = Vec::with_capacity(parts.len());
        let (mut known, mut unset, mut any) = (false, None, false);
        for part in parts {
            weights.push(match part {
                Self::Any => {
                    any = true;
                    Width::INPUT
                }
                Self::Unset(count, place) => {
                    unset = unset.or(Some(place));
                    Width { units: *count, inputs: 0 }
                }
                Self::Known(width) => {
                    known = true;
                    *width
                }
            });
        }
        let total = weights.iter().fold(Width::default(), |total, weight| total.plus(*weight));
        match unset {
            Some(place) if known => Err(place.clone()),
            _ if any => Ok((Self::Any, weights)),
            Some(place) => Ok((Self::Unset(total.units, place.clone()), weights)),
            None => Ok((Self::Known(total), weights)),
        }
    }
}
