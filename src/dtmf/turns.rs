//! Angles in whole turns: sine, cosine and arc tangent to about 1e-6 in plain arithmetic, which
//! vectorises and gives the same on every processor.

use std::f32::consts::{FRAC_PI_2, PI};

/// Adding and taking away this rounds to a whole number what is smaller than 2^22.
const ROUNDING: f32 = 12_582_912.0;

/// The sine of so many turns, at most a quarter either way: Taylor's series.
#[inline(always)]
fn sine(x: f32) -> f32 {
    let y = x * x;
    x * (6.283_185_5
        + y * (-41.341_7 + y * (81.605_25 + y * (-76.705_86 + y * (42.058_693 + y * -15.094_643)))))
}

/// Cosine and sine of so many turns, fewer than 2^22.
#[inline(always)]
pub fn cos_sin(turns: f32) -> (f32, f32) {
    let within = turns - ((turns + ROUNDING) - ROUNDING);
    let size = within.abs();
    let folded = if size > 0.25 { 0.5 - size } else { size };
    (sine(0.25 - size), sine(folded).copysign(within))
}

/// The angle of a vector in radians; 0 for none.
#[inline(always)]
pub fn angle(y: f32, x: f32) -> f32 {
    let (wide, high) = (x.abs(), y.abs());
    let (less, more) = if wide > high {
        (high, wide)
    } else {
        (wide, high)
    };
    let t = less / more.max(f32::MIN_POSITIVE);
    let u = t * t;
    // Abramowitz and Stegun 4.4.49 in an economised form, to 2e-6.
    let arc = t
        * (0.999_977_26
            + u * (-0.332_623_47
                + u * (0.193_543_46
                    + u * (-0.116_432_87 + u * (0.052_653_32 + u * -0.011_721_2)))));
    let arc = if high > wide { FRAC_PI_2 - arc } else { arc };
    let arc = if x < 0.0 { PI - arc } else { arc };
    arc.copysign(y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_the_library_says() {
        for step in -4_000..4_000 {
            let turns = step as f32 / 397.0;
            let exact = f64::from(turns) * std::f64::consts::TAU;
            let (c, s) = cos_sin(turns);
            assert!((f64::from(c) - exact.cos()).abs() < 1e-6, "cos of {turns}");
            assert!((f64::from(s) - exact.sin()).abs() < 1e-6, "sin of {turns}");
            for length in [1e-3, 1.0, 1e9] {
                let found = angle(s * length, c * length);
                let expected = (s * length).atan2(c * length);
                assert!((found - expected).abs() < 2e-5, "{found} for {expected}");
            }
        }
        assert_eq!(angle(0.0, 0.0), 0.0);
    }
}
