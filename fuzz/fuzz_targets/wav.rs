//! A recording an operator dropped in: any bytes give samples within bounds or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtrue::audio::{PromptName, folder, inspection, wav};

fuzz_target!(|file: &[u8]| {
    if let Ok(recording) = wav::read(file) {
        assert!(recording.rate > 0 && recording.channels > 0);
        assert!(recording.samples.len() <= file.len());
        assert!(recording.samples.iter().all(|sample| sample.is_finite()));
    }
    if let Ok(recording) = folder::decode(file)
        && let Ok((inspection, samples)) = inspection::inspect(PromptName::Greeting, &recording)
    {
        assert!(samples.iter().all(|sample| sample.is_finite()));
        assert!(inspection.lead_seconds <= inspection.seconds + 0.02);
    }
});
