//! What a call will compute and hold: counted, before anything is computed.

/// Samples and pairs in units that take the same time each under one network, and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Samples alone, with the lanes that fill up their last register.
    pub samples: usize,
    /// Pairs of samples, likewise.
    pub pairs: usize,
    /// How many threads have something to do, of samples and of pairs.
    pub threads: [usize; 2],
    /// With so many samples or more, a pair takes as long as among many: what is made of single samples is shared.
    pub least: usize,
    /// Bytes beyond the samples and the outputs, and copies of the samples that are made in any case.
    pub bytes: usize,
}
