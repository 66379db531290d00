//! Linear PCM as 16-bit samples and as floats.

/// Floats in -1.0 to 1.0 to 16-bit samples; what lies outside saturates, NaN becomes 0.
pub fn to_i16(samples: &[f32]) -> Vec<i16> {
    samples
        .iter()
        .map(|s| (s * 32_768.0).round() as i16)
        .collect()
}

/// 16-bit samples to floats in -1.0 to 1.0, exactly.
pub fn to_f32(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|s| f32::from(*s) / 32_768.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_a_round_trip() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        assert_eq!(to_i16(&to_f32(&all)), all);
    }

    #[test]
    fn floats_outside_saturate() {
        assert_eq!(
            to_i16(&[1.0, 2.0, -3.0, f32::INFINITY, f32::NAN]),
            [i16::MAX, i16::MAX, i16::MIN, i16::MAX, 0]
        );
    }
}
