//! Which coefficients of Taylor series there are, and which of them products are made of.

/// How many coefficients there are up to each degree.
pub const WITHIN: [usize; 5] = [1, 4, 10, 18, COUNT];
/// How many there are.
pub const COUNT: usize = 27;
/// How many products of two coefficients a product has.
const PRODUCTS: usize = 160;

/// Powers of the changes of the cosine and of both lengths, by ascending degree.
pub const EXPONENTS: [[usize; 3]; COUNT] = exponents();
/// Which coefficients the factors of a product have, result by result.
pub static TERMS: [[u8; 2]; PRODUCTS] = products().0;
/// Where the terms of each result begin in [`TERMS`].
pub static STARTS: [usize; COUNT + 1] = products().1;
/// For each result of a product with a function of the first length, how many coefficients it is made of, and which: those that meet
/// the powers 0, 1 and 2 of its change.
pub static LEFT: [(usize, [u8; 3]); COUNT] = one_sided(1);
/// The same for the second length.
pub static RIGHT: [(usize, [u8; 3]); COUNT] = one_sided(2);

/// The coefficients of powers of both lengths alone.
pub const LENGTHS: [[usize; 3]; 3] = [
    [place([0, 0, 0]), place([0, 0, 1]), place([0, 0, 2])],
    [place([0, 1, 0]), place([0, 1, 1]), place([0, 1, 2])],
    [place([0, 2, 0]), place([0, 2, 1]), place([0, 2, 2])],
];

const fn exponents() -> [[usize; 3]; COUNT] {
    let mut all = [[0; 3]; COUNT];
    let (mut next, mut degree) = (0, 0);
    while degree < WITHIN.len() {
        let mut b = 0;
        while b <= 2 && b <= degree {
            let mut c = 0;
            while c <= 2 && b + c <= degree {
                all[next] = [degree - b - c, b, c];
                next += 1;
                c += 1;
            }
            b += 1;
        }
        degree += 1;
    }
    all
}

/// The place of a coefficient.
pub const fn place([a, b, c]: [usize; 3]) -> usize {
    let mut i = 0;
    while EXPONENTS[i][0] != a || EXPONENTS[i][1] != b || EXPONENTS[i][2] != c {
        i += 1;
    }
    i
}

const fn products() -> ([[u8; 2]; PRODUCTS], [usize; COUNT + 1]) {
    let (mut terms, mut starts) = ([[0; 2]; PRODUCTS], [0; COUNT + 1]);
    let (mut next, mut result) = (0, 0);
    while result < COUNT {
        starts[result] = next;
        let [a, b, c] = EXPONENTS[result];
        let mut i = 0;
        while i < COUNT {
            let [x, y, z] = EXPONENTS[i];
            if x <= a && y <= b && z <= c {
                terms[next] = [i as u8, place([a - x, b - y, c - z]) as u8];
                next += 1;
            }
            i += 1;
        }
        result += 1;
    }
    starts[COUNT] = next;
    (terms, starts)
}

const fn one_sided(axis: usize) -> [(usize, [u8; 3]); COUNT] {
    let mut all = [(0, [0; 3]); COUNT];
    let mut result = 0;
    while result < COUNT {
        let mut exponents = EXPONENTS[result];
        let count = exponents[axis] + 1;
        let mut places = [0; 3];
        let mut order = 0;
        while order < count {
            places[order] = place(exponents) as u8;
            order += 1;
            exponents[axis] = exponents[axis].wrapping_sub(1);
        }
        all[result] = (count, places);
        result += 1;
    }
    all
}
