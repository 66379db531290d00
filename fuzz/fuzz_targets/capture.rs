//! A capture of anybody's network: any bytes are streams of sound and events, or an error; no
//! stream is longer than is recorded of one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtrue::cli::dtmf::capture;
use ringtrue::dtmf::DetectorConfig;

fuzz_target!(|file: &[u8]| {
    if !capture::is_capture(file) {
        return;
    }
    if let Ok(streams) = capture::read(file, DetectorConfig::default()) {
        for stream in streams {
            assert!(stream.seconds >= 0.0);
            assert!(stream.events.len() <= file.len());
        }
    }
    if let Ok(recordings) = capture::recordings(file) {
        for recording in recordings {
            for (at, samples) in &recording.gaps {
                assert!(at + samples <= recording.samples.len());
            }
        }
    }
});
