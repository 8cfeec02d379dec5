//! Sums over windows, first along the lines of a padded plane and then over lines.

use super::axis::Windows;
use super::{GROUP, Group};
use crate::simd::Pack;

#[inline(always)]
pub fn read<P: Pack>(group: &Group<P::Scalar>, part: usize) -> P {
    P::read(&group.0[part * P::LANES..])
}

/// Numbers of a place in the scratch.
#[inline(always)]
pub const fn kinds<const NTK: bool, const SIGNED: bool>() -> usize {
    1 + NTK as usize + SIGNED as usize
}

#[inline(always)]
pub fn write<P: Pack>(value: P, group: &mut Group<P::Scalar>, part: usize) {
    value.write(&mut group.0[part * P::LANES..]);
}

/// Sums over the windows along a line.
#[inline(always)]
pub fn sum_across<P: Pack, const NTK: bool, const SIGNED: bool>(
    windows: &Windows,
    line: &[Group<P::Scalar>],
    sums: &mut [Group<P::Scalar>],
) {
    let kinds = kinds::<NTK, SIGNED>();
    for (&start, sums) in windows.starts.iter().zip(sums.chunks_exact_mut(kinds)) {
        if windows.size == 3 {
            let seen = &line[start * kinds..][..3 * kinds];
            for (kind, sum) in sums.iter_mut().enumerate() {
                for part in 0..GROUP / P::LANES {
                    let ends = read::<P>(&seen[kind], part) + read::<P>(&seen[2 * kinds + kind], part);
                    write(ends + read::<P>(&seen[kinds + kind], part), sum, part);
                }
            }
        } else {
            let seen = &line[start * kinds..][..windows.size * kinds];
            for (kind, sum) in sums.iter_mut().enumerate() {
                for part in 0..GROUP / P::LANES {
                    let mut total = read::<P>(&seen[kind], part);
                    for place in seen.chunks_exact(kinds).skip(1) {
                        total = total + read::<P>(&place[kind], part);
                    }
                    write(total, sum, part);
                }
            }
        }
    }
}

/// Sums over all lines of a ring, from the first one on.
#[inline(always)]
pub fn sum_down<P: Pack>(ring: &[Group<P::Scalar>], first: usize, totals: &mut [Group<P::Scalar>]) {
    let columns = totals.len();
    let lines = ring.len() / columns;
    if lines == 3 {
        let top = &ring[first * columns..][..columns];
        let middle = &ring[(first + 1) % 3 * columns..][..columns];
        let bottom = &ring[(first + 2) % 3 * columns..][..columns];
        for (((total, a), b), c) in totals.iter_mut().zip(top).zip(middle).zip(bottom) {
            for part in 0..GROUP / P::LANES {
                let ends = read::<P>(a, part) + read::<P>(c, part);
                write(ends + read::<P>(b, part), total, part);
            }
        }
        return;
    }
    totals.copy_from_slice(&ring[first * columns..][..columns]);
    for i in 1..lines {
        let line = &ring[(first + i) % lines * columns..][..columns];
        for (total, added) in totals.iter_mut().zip(line) {
            for part in 0..GROUP / P::LANES {
                write(read::<P>(total, part) + read::<P>(added, part), total, part);
            }
        }
    }
}
