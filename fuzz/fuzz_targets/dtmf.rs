//! Any samples, in any pieces, with any gaps: every key that began ends before the next begins,
//! positions never go back, and a capture never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtrue::dtmf::{Detection, Detector, DetectorConfig};

fuzz_target!(|data: &[u8]| {
    let mut detector = Detector::new(DetectorConfig::default());
    let mut sounding = None;
    let mut last = 0;
    let mut sink = |detection| match detection {
        Detection::Began {
            digit,
            start_sample,
            decided_sample,
            ..
        } => {
            assert!(sounding.replace(digit).is_none());
            assert!(last <= start_sample && start_sample <= decided_sample);
        }
        Detection::Ended {
            digit,
            start_sample,
            end_sample,
            ..
        } => {
            assert_eq!(sounding.take(), Some(digit));
            assert!(start_sample <= end_sample);
            last = end_sample;
        }
    };
    for piece in data.chunks(301) {
        let Some((control, audio)) = piece.split_first() else {
            break;
        };
        if control % 8 == 0 {
            detector.gap(u64::from(*control) << (control >> 4), &mut sink);
        }
        let samples: Vec<i16> = audio
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        detector.feed(&samples, &mut sink);
    }
    detector.finish(&mut sink);
    assert!(sounding.is_none());
});
