//! Gradient descent with momentum on one mode, after any number of steps, in closed form.
//!
//! With x = ηλ the residual follows ρ_{k+1} = (1 + m − x)ρ_k − mρ_{k−1}, ρ_0 = ρ_{−1} = 1 (Polyak 1964). Its roots
//! z± = (a ± √D)/2, a = 1 + m − x, D = a² − 4m, give
//!
//! * C = (z₊^k + z₋^k)/2 and A = (z₊^k − z₋^k)/(z₊ − z₋), with which ρ_k = C + ½(1 − m − x)A;
//! * what is gathered, (1 − ρ_k)/x = A_1 + … + A_k, which stays finite as x → 0.
//!
//! Nothing here cancels: D is a product of two differences, 1 − z± solve w² − (1 − m + x)w + x = 0, roots far on the
//! negative side are the mirror image (x → 2(1 + m) − x, z → −z) of those near 1, and a sum of few small steps is a
//! series. The errors are those that a rounding of x or m would cause.

/// What is gathered of a unit residual, (1 − ρ_k)/x, and what is left of it, ρ_k, for each number of steps (rows) and
/// each x = ηλ (columns). Wants 0 ≤ x < 2(1 + m) and 0 ≤ m < 1; steps are finite whole numbers.
pub fn heavy_ball(rates: &[f64], steps: &[f64], momentum: f64) -> (Vec<f64>, Vec<f64>) {
    let modes: Vec<Mode> = rates.iter().map(|&x| Mode::new(x, momentum)).collect();
    steps.iter().flat_map(|&k| modes.iter().map(move |mode| mode.after(k))).unzip()
}

enum Mode {
    /// Without momentum: x and ln(1 − x).
    Plain(f64, f64),
    NearOne(f64, Roots),
    /// Roots nearer to −1 than to 1: x, and the roots of the mirror image.
    Mirrored(f64, Roots),
}

impl Mode {
    fn new(x: f64, m: f64) -> Self {
        let coupling = 0.5 * (1.0 - m - x);
        if m < 1e-32 {
            Self::Plain(x, (-x).ln_1p()) // √m is lost beside 1
        } else if 1.0 - x + m < 0.0 {
            Self::Mirrored(x, Roots::new(2.0 * (1.0 + m) - x, m, -coupling))
        } else {
            Self::NearOne(x, Roots::new(x, m, coupling))
        }
    }

    /// (1 − ρ_k)/x and ρ_k.
    fn after(&self, k: f64) -> (f64, f64) {
        if k == 0.0 {
            return (0.0, 1.0);
        }
        match *self {
            Self::Plain(x, logarithm) if x < 1.0 => {
                let exponent = k * logarithm;
                (if x > 0.0 { -exponent.exp_m1() / x } else { k }, exponent.exp())
            }
            Self::Plain(x, _) => {
                let left = (1.0 - x).powf(k);
                ((1.0 - left) / x, left)
            }
            Self::NearOne(x, ref roots) => {
                let (even, odd) = roots.powers(k);
                let left = even + roots.coupling * odd;
                (roots.gathered(k, x, left, odd), left)
            }
            Self::Mirrored(x, ref roots) => {
                let (even, odd) = roots.powers(k);
                let sign = if k % 2.0 == 0.0 { 1.0 } else { -1.0 };
                let left = sign * (even + roots.coupling * odd);
                ((1.0 - left) / x, left)
            }
        }
    }
}

/// z± = e^{h ± u} for real roots, e^{h ± iu} for complex ones, of 0 < m < 1 and x ≤ 1 + m.
struct Roots {
    real: bool,
    /// h = ½ ln m
    centre: f64,
    /// u ≥ 0
    distance: f64,
    /// √|D|
    root: f64,
    /// a = z₊ + z₋
    sum: f64,
    /// 1 − z₊, 1 − z₋ and their logarithms, for real roots
    slow: f64,
    fast: f64,
    log_near: f64,
    log_far: f64,
    /// ±½(1 − m − x): how much of A is in ρ
    coupling: f64,
}

impl Roots {
    fn new(x: f64, m: f64, coupling: f64) -> Self {
        // (1 − √m)² keeps its digits also where m is nearly 1.
        let below = (1.0 - m) / (1.0 + m.sqrt());
        let (low, high) = (below * below - x, (1.0 + m.sqrt()).powi(2) - x);
        let (root, sum) = ((low * high).abs().sqrt(), 1.0 - x + m);
        let distance = if low < 0.0 { root.atan2(sum) } else { (root / sum).min(1.0).atanh() };
        let (slow, fast) = (2.0 * x / (1.0 - m + x + root), 0.5 * (1.0 - m + x + root));
        let log_near = (-slow).ln_1p();
        let log_far = (m / (1.0 - slow)).ln();
        Self {
            real: low >= 0.0,
            centre: 0.5 * m.ln(),
            distance,
            root,
            sum,
            slow,
            fast,
            log_near,
            log_far,
            coupling,
        }
    }

    /// C and A of the k-th power. Errors of √D near a double root cancel between the factors: both come from the
    /// same value of it.
    fn powers(&self, k: f64) -> (f64, f64) {
        if !self.real {
            let size = (k * self.centre).exp();
            let (sin, cos) = (k * self.distance).sin_cos();
            return (size * cos, 2.0 * size * sin / self.root);
        }
        let (size, gap) = ((k * self.log_near).exp(), -(-2.0 * k * self.distance).exp_m1());
        let odd = if self.root > 0.0 { gap / self.root } else { 2.0 * k / self.sum };
        (size * (1.0 - 0.5 * gap), size * odd)
    }

    /// (1 − ρ_k)/x, given ρ_k and A.
    fn gathered(&self, k: f64, x: f64, left: f64, odd: f64) -> f64 {
        if k * (self.distance - self.centre) < 0.5 {
            self.few_small_steps(k)
        } else if !self.real {
            // 1 − C, as a sum.
            let decay = k * self.centre;
            let lost = 2.0 * decay.exp() * (0.5 * k * self.distance).sin().powi(2) - decay.exp_m1();
            (lost - self.coupling * odd) / x
        } else if left < 0.95 {
            (1.0 - left) / x
        } else {
            // The slow root has hardly begun, the fast one is nearly done: their sums do not cancel.
            let many = if self.slow > 0.0 { -(k * self.log_near).exp_m1() / self.slow } else { k };
            let few = -(k * self.log_far).exp_m1() / self.fast;
            ((1.0 - self.slow) * many - self.log_far.exp() * few) / self.root
        }
    }

    /// A_1 + … + A_k where k·|ln z±| < ½: the sums of z^j are k·e^{X ± Y} by the series of ln(sinh w/w), and A is
    /// their divided difference.
    fn few_small_steps(&self, k: f64) -> f64 {
        // w²/6 − w⁴/180 + …: ζ(2p)/(p·π^{2p}) with alternating signs.
        const SERIES: [f64; 7] = [
            1.0 / 6.0,
            -1.0 / 180.0,
            1.0 / 2835.0,
            -1.0 / 37_800.0,
            1.0 / 467_775.0,
            -691.0 / 3_831_077_250.0,
            2.0 / 127_702_575.0,
        ];
        let (h, u) = (self.centre, self.distance);
        let square = if self.real { u * u } else { -u * u };
        // (h ± u)^n = even ± u·odd
        let (mut even, mut odd) = (1.0, 0.0);
        let (mut shared, mut apart) = (0.5 * (k + 1.0) * h, 0.5 * (k + 1.0));
        let (mut many, mut one) = (1.0, 1.0);
        for coefficient in SERIES {
            for _ in 0..2 {
                (even, odd) = (h * even + square * odd, even + h * odd);
            }
            many *= 0.25 * k * k;
            one *= 0.25;
            shared += coefficient * (many - one) * even;
            apart += coefficient * (many - one) * odd;
        }
        let ratio = match (self.real, u > 0.0) {
            (_, false) => apart,
            (true, _) => (u * apart).sinh() / u.sinh(),
            (false, _) => (u * apart).sin() / u.sin(),
        };
        k * (shared - h).exp() * ratio
    }
}
