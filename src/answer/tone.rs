//! Tones that last: what their frequency, length and order say.

/// How far a frame may be from the run it belongs to: 15 Hz or 2.5 %.
const NEAR_HZ: f32 = 15.0;
const NEAR_SHARE: f32 = 0.025;
/// And in level.
const NEAR_DB: f32 = 6.0;
/// A run bears one frame that is none: the phase reversals of a modem's answer tone, a loss.
const MISSED: u32 = 1;

/// Frames of 20 ms in a row that carry one steady tone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Mean frequency in hertz.
    pub hz: f32,
    /// How many frames.
    pub frames: u32,
    dbm0: f32,
    missed: u32,
}

impl Run {
    fn begin(hz: f32, dbm0: f32) -> Run {
        Run {
            hz,
            frames: 1,
            dbm0,
            missed: 0,
        }
    }

    /// Whether its frequency is this one, give or take.
    pub fn is(&self, hz: f32, most: f32) -> bool {
        (self.hz - hz).abs() <= most
    }
}

/// Gathers frames into runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Runs {
    now: Option<Run>,
}

impl Runs {
    /// Takes a frame, which is a tone or none; gives the run that ended with it.
    pub fn take(&mut self, hz: Option<f32>, dbm0: f32) -> Option<Run> {
        match (&mut self.now, hz) {
            (Some(run), Some(hz))
                if run.is(hz, NEAR_HZ.max(run.hz * NEAR_SHARE))
                    && (dbm0 - run.dbm0).abs() <= NEAR_DB =>
            {
                run.frames += 1 + run.missed;
                run.missed = 0;
                run.hz += (hz - run.hz) / run.frames as f32;
                run.dbm0 += (dbm0 - run.dbm0) / run.frames as f32;
                None
            }
            (Some(run), None) if run.missed < MISSED => {
                run.missed += 1;
                None
            }
            (_, hz) => {
                let begun = hz.map(|hz| Run::begin(hz, dbm0));
                std::mem::replace(&mut self.now, begun)
            }
        }
    }

    /// The run that goes on.
    pub fn now(&self) -> Option<Run> {
        self.now
    }
}

/// Special information tones: three in a row, each from a pair of frequencies or one, 330 ms give
/// or take, next to each other (ITU-T E.180, Telcordia GR-674).
#[derive(Debug, Clone, Copy, Default)]
pub struct Special {
    heard: usize,
    /// Frames since the last one ended.
    since: u32,
}

const SPECIAL_HZ: [&[f32]; 3] = [
    &[913.8, 950.0, 985.2],
    &[1_370.6, 1_400.0, 1_428.5],
    &[1_776.7, 1_800.0],
];
const SPECIAL_FRAMES: std::ops::RangeInclusive<u32> = 10..=22;
/// Frames between two of them.
const SPECIAL_APART: u32 = 4;

impl Special {
    /// Another frame has passed.
    pub fn pass(&mut self) {
        self.since = self.since.saturating_add(1);
    }

    /// A run has ended; true if it was the last of the three.
    pub fn take(&mut self, run: &Run) -> bool {
        let fits = |place: usize| {
            SPECIAL_FRAMES.contains(&run.frames)
                && SPECIAL_HZ
                    .get(place)
                    .is_some_and(|all| all.iter().any(|hz| run.is(*hz, 30.0)))
        };
        // What ended between two tones and was none of them: a frame across both.
        if run.frames <= 2 {
            return false;
        }
        let near = self.since <= SPECIAL_APART + run.frames;
        self.heard = if self.heard > 0 && near && fits(self.heard) {
            self.heard + 1
        } else {
            usize::from(fits(0))
        };
        self.since = 0;
        self.heard == SPECIAL_HZ.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_bears_one_missed_frame_and_ends_with_another_tone() {
        let mut runs = Runs::default();
        for hz in [Some(1_000.0), Some(1_004.0), None, Some(998.0)] {
            assert_eq!(runs.take(hz, -20.0), None);
        }
        let ended = runs.take(Some(1_400.0), -20.0).unwrap();
        assert_eq!(ended.frames, 4);
        assert!(ended.is(1_000.0, 3.0));
        assert_eq!(runs.take(None, -60.0), None);
        assert_eq!(runs.take(None, -60.0).map(|run| run.frames), Some(1));
        assert_eq!(runs.now(), None);
    }

    #[test]
    fn a_jump_in_level_ends_a_run() {
        let mut runs = Runs::default();
        runs.take(Some(440.0), -20.0);
        assert!(runs.take(Some(440.0), -30.0).is_some());
    }
}
