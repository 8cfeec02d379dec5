//! The one error of the core. Variants carry the numbers; the text says what to do about them.

use std::fmt;

/// Everything that can go wrong below the Python edge.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The layers cannot be composed; the text says where and what is missing.
    Network(String),
    /// An argument has the wrong shape.
    Shape {
        /// Name of the argument as the user knows it.
        argument: &'static str,
        /// Its shape.
        given: Vec<usize>,
        /// What it should have been.
        expected: String,
    },
    /// An argument holds a NaN or an infinity.
    NotFinite {
        /// Name of the argument.
        argument: &'static str,
        /// Row of the first such entry.
        row: usize,
        /// Column of the first such entry.
        column: usize,
        /// The entry.
        value: f64,
    },
    /// An argument with several axes holds a NaN or an infinity.
    NotFiniteAt {
        /// Name of the argument as the user knows it.
        argument: &'static str,
        /// Where the first such entry is.
        index: Vec<usize>,
        /// The entry.
        value: f64,
    },
    /// A matrix that must be symmetric is not, beyond rounding.
    NotSymmetric {
        /// Name of the argument.
        argument: &'static str,
        /// Row of the largest difference.
        row: usize,
        /// Column of the largest difference.
        column: usize,
        /// Entry at (row, column).
        value: f64,
        /// Entry at (column, row).
        mirrored: f64,
    },
    /// A Cholesky pivot was not positive.
    NotPositiveDefinite {
        /// Index of the pivot.
        pivot: usize,
    },
    /// The eigenvalue iteration did not converge.
    NoConvergence {
        /// Size of the matrix.
        size: usize,
    },
    /// A kernel value is too large for the output type.
    Overflow {
        /// Where in the network, as the user wrote it.
        layer: String,
        /// Index of the sample.
        row: usize,
        /// Logarithm (base ten) of the variance or NTK there; infinite where no number holds its square root.
        log10: f64,
        /// Name of the output type.
        dtype: &'static str,
    },
    /// A kernel has no derivatives at a sample that is nearly zero before a layer.
    NoDerivative {
        /// Where in the network, as the user wrote it.
        layer: String,
        /// Index of the sample.
        row: usize,
    },
    /// A function given by its values failed.
    Function {
        /// The name that users know.
        name: String,
        /// What it did.
        reason: String,
    },
    /// A function given by its values is neither resolved by polynomials nor by a quadrature of reasonable size.
    Unresolved {
        /// The name that users know.
        name: String,
        /// The least and the largest standard deviation of the samples before it.
        scales: [f64; 2],
        /// Estimated error of its kernels, relative to their own size.
        error: f64,
        /// Noise of its values, relative to these.
        noise: f64,
    },
    /// The derivative of a function given by its values is not square-integrable.
    Steep {
        /// The name that users know.
        name: String,
    },
    /// A sample lies outside the range of those that a network was prepared for.
    Unprepared {
        /// Where in the network, as the user wrote it.
        layer: String,
        /// Index of the sample.
        row: usize,
        /// Its standard deviation there.
        scale: f64,
    },
    /// A recipe cannot prepare this network here; the text says why.
    Recipe(String),
    /// A buffer could not be had.
    Memory {
        /// Its size.
        bytes: usize,
    },
    /// What planes of positions need is more than could be had.
    PlaneMemory {
        /// Its size, for each thread.
        bytes: usize,
    },
    /// A result is too large for its type.
    TooLarge {
        /// What it is, in the user's words.
        what: &'static str,
        /// Name of the type.
        dtype: &'static str,
    },
    /// The threads of the pool could not be started.
    Threads {
        /// How many were asked for.
        count: usize,
        /// What the system said.
        reason: String,
    },
    /// The threads of the pool could not be started, as they need memory.
    ThreadMemory {
        /// How many were asked for.
        count: usize,
    },
    /// A function of a network called the package, and so on, until too many calls waited for each other.
    Recursion {
        /// How many calls.
        depth: usize,
    },
    /// The caller asked to stop.
    Cancelled,
}

/// Result with the core's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The same error of a network with more advice.
    #[must_use]
    pub fn advising(self, advice: &str) -> Self {
        match self {
            Self::Network(text) => Self::Network(text + advice),
            other => other,
        }
    }

    /// The same error of an array with so many axes, where the core worked with four.
    #[must_use]
    pub fn with_axes(self, axes: usize) -> Self {
        // The axes after the sizes that the array has: a width of 1, or a height and a width of 1.
        let given = |shape: Vec<usize>| match shape[..] {
            [first, height, _, last] if axes == 3 => vec![first, height, last],
            [first, _, _, last] if axes == 2 => vec![first, last],
            _ => shape,
        };
        match self {
            Self::Shape { argument, given: shape, expected } => {
                Self::Shape { argument, given: given(shape), expected }
            }
            Self::NotFiniteAt { argument, index, value } => match given(index)[..] {
                [row, column] => Self::NotFinite { argument, row, column, value },
                ref index => Self::NotFiniteAt { argument, index: index.to_vec(), value },
            },
            other => other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(text) => out.write_str(text),
            Self::Shape { argument, given, expected } => {
                write!(out, "{argument} has shape {}; expected {expected}", Tuple(given))
            }
            Self::NotFinite { argument, row, column, value } => {
                let value = if value.is_nan() { "NaN".to_owned() } else { value.to_string() };
                write!(
                    out,
                    "{argument} must be finite, but has {value} at row {row}, column {column}: \
                     remove or replace such entries"
                )
            }
            Self::NotFiniteAt { argument, index, value } => {
                let value = if value.is_nan() { "NaN".to_owned() } else { value.to_string() };
                write!(
                    out,
                    "{argument} must be finite, but has {value} at index {}: remove or replace such entries",
                    Tuple(index)
                )
            }
            Self::NotSymmetric { argument, row, column, value, mirrored } => write!(
                out,
                "{argument} must be symmetric within rounding, but {argument}[{row}, {column}] = {value:e} and \
                 {argument}[{column}, {row}] = {mirrored:e}: pass a Gram matrix, or ({argument} + {argument}.T) / 2"
            ),
            Self::NotPositiveDefinite { pivot } => write!(
                out,
                "the matrix is not positive definite: pivot {pivot} of its Cholesky factor is not positive. \
                 Add a positive number to the diagonal, or use eigh, which also handles singular matrices"
            ),
            Self::NoConvergence { size } => {
                write!(out, "the eigendecomposition of the {size} × {size} matrix did not converge")
            }
            Self::Overflow { layer, row, log10, dtype } => {
                // √K is what is computed with: its square may be beyond the range of a number.
                let size =
                    if log10.is_finite() { format!("to about 1e{log10:.0}") } else { "beyond 1e616".into() };
                write!(
                    out,
                    "the kernel of sample {row} grows {size} at {layer}, more than {dtype} can hold: use a smaller \
                     w_std up to this layer, or smaller parameters of an activation, or scale the inputs down{}",
                    if *dtype == "float32" { ", or pass float64" } else { "" }
                )
            }
            Self::NoDerivative { layer, row } => write!(
                out,
                "the kernel of sample {row} has no derivatives that can be computed, as the sample is nearly zero before \
                 {layer}: remove it, or put a Dense with b_std > 0 before {layer}"
            ),
            Self::Function { name, reason } => {
                write!(out, "{name} must map an array of numbers to as many finite numbers, but {reason}")
            }
            Self::Unresolved { name, noise, error, .. } if *noise > 1e-10 => write!(
                out,
                "{name} is not resolved: its kernels have an estimated relative error of {error:.0e}, because its values have \
                 errors of about {noise:.0e} of their size, as if they were computed in single precision. Compute them in float64, or pass float32 points, for which this may be enough"
            ),
            Self::Unresolved { name, scales: [low, high], error, .. } => write!(
                out,
                "{name} is not resolved for samples whose standard deviations before it are {low:.3e} to {high:.3e}: \
                 its kernels have an estimated relative error of {error:.0e}, with polynomials as with a quadrature of at \
                 most 20 million nodes a pair. Use a smaller w_std, or a function that varies more slowly"
            ),
            Self::Steep { name } => write!(
                out,
                "the NTK of {name} is infinite: the square of its derivative has no finite mean, as far as values of the \
                 function show. Its NNGP is finite (nngp)"
            ),
            Self::Unprepared { layer, row, scale } => write!(
                out,
                "sample {row} has a standard deviation of {scale:.6e} at {layer}, outside the range of the samples for \
                 which the network was prepared: prepare it with all samples"
            ),
            Self::Recipe(text) => write!(out, "the recipe does not fit: {text}"),
            Self::Memory { bytes } => write!(
                out,
                "cannot allocate {:.1} GB of memory: use fewer points, or float32",
                *bytes as f64 / 1e9
            ),
            Self::PlaneMemory { bytes } => write!(
                out,
                "images of this size need {:.1} GB of memory per thread, which cannot be allocated: use smaller \
                 images, a pool with larger strides or a strided Conv at the start, float32, or one thread \
                 (set_num_threads(1))",
                *bytes as f64 / 1e9
            ),
            Self::TooLarge { what, dtype } => {
                write!(
                    out,
                    "{what} exceed the range of {dtype}: divide the matrix by its largest entry first"
                )
            }
            Self::Threads { count, reason } => {
                write!(
                    out,
                    "could not start {count} threads ({reason}): use fewer threads, see set_num_threads"
                )
            }
            Self::ThreadMemory { count } => {
                write!(out, "cannot allocate memory to start {count} threads: use fewer, see set_num_threads")
            }
            Self::Recursion { depth } => write!(
                out,
                "{depth} calls wait for each other: a function in the network (Elementwise) computes a kernel, whose \
                 network contains a function that computes a kernel, and so on. A function must not compute kernels of \
                 a network that contains it"
            ),
            Self::Cancelled => out.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {}

/// A shape, printed as NumPy prints it.
struct Tuple<'a>(&'a [usize]);

impl fmt::Display for Tuple<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [single] => write!(out, "({single},)"),
            many => {
                let parts: Vec<String> = many.iter().map(ToString::to_string).collect();
                write!(out, "({})", parts.join(", "))
            }
        }
    }
}
