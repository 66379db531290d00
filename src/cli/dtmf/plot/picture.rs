//! The picture: what the detector saw, its limits, and what it made of it, on one axis of time.

use super::canvas::{Anchor, Area, Canvas, Colour};
use super::spectrum::{self, CEILING_DBM0, FLOOR_DBM0, TOP_HZ};
use crate::audio::SAMPLE_RATE;
use crate::dtmf::analysis::{Key, Refused};
use crate::dtmf::{DetectorConfig, Digit, Refusal, Verdict};

/// What is shown.
pub struct Shown<'a> {
    /// The file's name.
    pub name: &'a str,
    /// The samples of the stretch at 8 kHz.
    pub samples: &'a [i16],
    /// Where the stretch begins in the recording.
    pub first_sample: u64,
    /// Keys and refusals of the whole recording, and every judgement in the stretch.
    pub keys: &'a [Key],
    pub refused: &'a [Refused],
    pub verdicts: &'a [Verdict],
    /// The limits that were applied.
    pub config: DetectorConfig,
}

pub const WIDTH: usize = 1_600;
pub const HEIGHT: usize = 1_080;
const LEFT: f32 = 90.0;
const PANEL: f32 = 1_350.0;

const INK: Colour = Colour(30, 30, 30);
const PALE: Colour = Colour(110, 110, 110);
const GRID: Colour = Colour(226, 226, 226);
const LIMIT: Colour = Colour(200, 30, 30);
const GOOD: Colour = Colour(20, 140, 60);
const GOOD_PALE: Colour = Colour(214, 240, 221);
const BAD_PALE: Colour = Colour(250, 222, 222);
const ENVELOPE: Colour = Colour(70, 110, 160);
/// Low group cold, high group warm.
const TONE: [Colour; 8] = [
    Colour(8, 48, 107),
    Colour(33, 113, 181),
    Colour(74, 160, 215),
    Colour(38, 166, 154),
    Colour(127, 39, 4),
    Colour(217, 72, 1),
    Colour(253, 141, 60),
    Colour(230, 80, 160),
];

const fn refusal_colour(refusal: Refusal) -> Colour {
    match refusal {
        Refusal::TooWeak => Colour(130, 130, 130),
        Refusal::NotSteady => Colour(150, 110, 60),
        Refusal::OffFrequency => Colour(140, 60, 200),
        Refusal::Twist => Colour(20, 110, 200),
        Refusal::NotTwoTones => Colour(210, 50, 50),
    }
}

/// A panel with its range of values.
struct Axis {
    area: Area,
    low: f32,
    high: f32,
}

impl Axis {
    fn y(&self, value: f32) -> f32 {
        let share = (value.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        self.area.bottom() - share * self.area.height
    }

    fn frame(&self, on: &mut impl Canvas, title: &str, step: f32) {
        let Area { x, y, .. } = self.area;
        let (right, bottom) = (self.area.right(), self.area.bottom());
        let mut value = (self.low / step).ceil() * step;
        while value <= self.high + 1e-3 {
            let at = self.y(value);
            on.line(&[(x, at), (right, at)], 1.0, false, GRID);
            let text = format!("{value:.0}");
            on.text((x - 8.0, at + 4.0), Anchor::End, false, PALE, &text);
            value += step;
        }
        let corners = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)];
        on.line(&corners, 1.0, false, PALE);
        on.text((x, y - 6.0), Anchor::Start, false, INK, title);
    }

    fn limit(&self, on: &mut impl Canvas, value: f32, text: &str) {
        let at = self.y(value);
        on.line(
            &[(self.area.x, at), (self.area.right(), at)],
            1.4,
            true,
            LIMIT,
        );
        let place = (self.area.right() - 6.0, at - 5.0);
        on.text(place, Anchor::End, false, LIMIT, text);
    }
}

/// Draws everything.
pub fn draw(on: &mut impl Canvas, shown: &Shown<'_>) {
    let picture = Picture { shown };
    picture.heading(on);
    picture.decisions(on, Area::new(LEFT, 70.0, PANEL, 56.0));
    picture.envelope(on, Area::new(LEFT, 160.0, PANEL, 80.0));
    picture.spectrogram(on, Area::new(LEFT, 276.0, PANEL, 290.0));
    picture.tones(on, Area::new(LEFT, 602.0, PANEL, 200.0));
    picture.ratio(on, Area::new(LEFT, 838.0, PANEL, 170.0));
    picture.time(on, Area::new(LEFT, 70.0, PANEL, 938.0));
}

struct Picture<'a> {
    shown: &'a Shown<'a>,
}

impl Picture<'_> {
    fn last_sample(&self) -> u64 {
        self.shown.first_sample + self.shown.samples.len() as u64
    }

    fn x(&self, sample: u64) -> f32 {
        let at = sample as f32 - self.shown.first_sample as f32;
        let share = at / self.shown.samples.len().max(1) as f32;
        LEFT + share.clamp(0.0, 1.0) * PANEL
    }

    fn heading(&self, on: &mut impl Canvas) {
        let shown = self.shown;
        let second = |sample: u64| sample as f64 / f64::from(SAMPLE_RATE);
        let keys: String = self.keys().map(|key| key.digit.as_char()).collect();
        let keys = if keys.is_empty() {
            "no key".to_string()
        } else {
            format!("keys {keys}")
        };
        let title = format!("{}: {keys}", shown.name);
        on.text((LEFT, 26.0), Anchor::Start, true, INK, &title);
        let limits = format!(
            "{:.3} to {:.3} s   a key: each tone within 1.5 % + 5.5 Hz and at {:.0} dBm0 at least, the high one {:+.0} to {:+.0} dB over the low, both {:.0} dB over the rest, for 32 ms",
            second(shown.first_sample),
            second(self.last_sample()),
            shown.config.weakest_dbm0,
            -shown.config.high_weaker_db,
            shown.config.high_stronger_db,
            shown.config.snr_db,
        );
        on.text((LEFT, 46.0), Anchor::Start, false, PALE, &limits);
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        let (first, last) = (self.shown.first_sample, self.last_sample());
        let keys = self.shown.keys.iter();
        keys.filter(move |key| key.end_sample > first && key.start_sample < last)
    }

    fn refused(&self) -> impl Iterator<Item = &Refused> {
        let (first, last) = (self.shown.first_sample, self.last_sample());
        let all = self.shown.refused.iter();
        all.filter(move |no| no.start_sample + 256 > first && no.start_sample < last)
    }

    fn decisions(&self, on: &mut impl Canvas, area: Area) {
        let place = (area.x - 8.0, area.y + 24.0);
        on.text(place, Anchor::End, false, INK, "keys");
        let place = (area.x - 8.0, area.y + 48.0);
        on.text(place, Anchor::End, false, PALE, "refused");
        for key in self.keys() {
            let (from, to) = (self.x(key.start_sample), self.x(key.end_sample));
            let bar = Area::new(from, area.y + 8.0, (to - from).max(2.0), 24.0);
            on.fill(bar, GOOD);
            let middle = (from + to) / 2.0;
            let text = key.digit.to_string();
            let white = Colour(255, 255, 255);
            if to - from > 14.0 {
                on.text((middle, area.y + 26.0), Anchor::Middle, true, white, &text);
            } else {
                on.text((middle, area.y + 4.0), Anchor::Middle, true, GOOD, &text);
            }
        }
        let mut free = f32::MIN;
        for no in self.refused() {
            let from = self.x(no.start_sample);
            let to = self.x(no.start_sample + 256);
            let colour = refusal_colour(no.refusal);
            on.fill(
                Area::new(from, area.y + 38.0, (to - from).max(2.0), 14.0),
                colour,
            );
            let text = format!("{}? {}", no.digit, word(no.refusal));
            // Words that would run into each other are left out; their colour tells.
            if to + 4.0 > free && to + text.len() as f32 * 7.0 < area.right() + 100.0 {
                on.text(
                    (to + 4.0, area.y + 49.0),
                    Anchor::Start,
                    false,
                    colour,
                    &text,
                );
                free = to + 12.0 + text.len() as f32 * 7.0;
            }
        }
        let base = area.bottom();
        on.line(&[(area.x, base), (area.right(), base)], 1.0, false, PALE);
    }

    fn shade(&self, on: &mut impl Canvas, area: Area) {
        for no in self.refused() {
            let (from, to) = (self.x(no.start_sample), self.x(no.start_sample + 256));
            on.fill(Area::new(from, area.y, to - from, area.height), BAD_PALE);
        }
        for key in self.keys() {
            let (from, to) = (self.x(key.start_sample), self.x(key.end_sample));
            on.fill(Area::new(from, area.y, to - from, area.height), GOOD_PALE);
        }
    }

    fn envelope(&self, on: &mut impl Canvas, area: Area) {
        let axis = Axis {
            area,
            low: -100.0,
            high: 100.0,
        };
        self.shade(on, area);
        axis.frame(on, "samples, % of full scale", 50.0);
        let columns = area.width as usize;
        let length = self.shown.samples.len();
        for column in 0..columns {
            let from = column * length / columns;
            let to = ((column + 1) * length / columns).clamp(from + 1, length.max(from + 1));
            let piece = self.shown.samples.get(from..to).unwrap_or_default();
            let per_cent = |x: Option<&i16>| f32::from(*x.unwrap_or(&0)) / 327.68;
            let (low, high) = (per_cent(piece.iter().min()), per_cent(piece.iter().max()));
            let x = area.x + column as f32 + 0.5;
            on.line(
                &[(x, axis.y(high) - 0.5), (x, axis.y(low) + 0.5)],
                1.0,
                false,
                ENVELOPE,
            );
        }
    }

    fn spectrogram(&self, on: &mut impl Canvas, area: Area) {
        let raster = spectrum::spectrogram(
            self.shown.samples,
            area.width as usize / 2,
            area.height as usize / 2,
        );
        let axis = Axis {
            area,
            low: 0.0,
            high: TOP_HZ,
        };
        axis.frame(on, "spectrogram, Hz, 32 ms windows", 500.0);
        on.image(area, &raster);
        for hz in spectrum::tones() {
            let y = axis.y(hz);
            // Short marks at both ends leave the picture itself alone.
            for x in [area.x, area.right() - 12.0] {
                on.line(&[(x, y), (x + 12.0, y)], 1.4, false, Colour(255, 255, 255));
            }
            let text = format!("{hz:.0}");
            on.text(
                (area.right() + 6.0, y + 4.0),
                Anchor::Start,
                false,
                INK,
                &text,
            );
        }
        let bar = Area::new(area.right() + 62.0, area.y, 14.0, area.height);
        for row in 0..bar.height as usize {
            let colour = spectrum::heat(1.0 - row as f32 / bar.height);
            on.fill(Area::new(bar.x, bar.y + row as f32, bar.width, 1.0), colour);
        }
        for level in [CEILING_DBM0, -20.0, -40.0, -60.0] {
            let share = (CEILING_DBM0 - level) / (CEILING_DBM0 - FLOOR_DBM0);
            let place = (bar.right() + 5.0, bar.y + share * bar.height + 4.0);
            on.text(place, Anchor::Start, false, PALE, &format!("{level:.0}"));
        }
        let place = (bar.right() + 8.0, bar.y - 6.0);
        on.text(place, Anchor::Middle, false, PALE, "dBm0");
    }

    fn tones(&self, on: &mut impl Canvas, area: Area) {
        let axis = Axis {
            area,
            low: -60.0,
            high: 0.0,
        };
        self.shade(on, area);
        axis.frame(on, "level of each tone, dBm0, 20 ms windows", 10.0);
        // One value for each pixel at most, and no finer than 2.5 ms.
        let step = (self.shown.samples.len() / area.width as usize).max(20);
        let levels = spectrum::tone_levels(self.shown.samples, step);
        for (tone, (colour, hz)) in TONE.into_iter().zip(spectrum::tones()).enumerate() {
            let points: Vec<(f32, f32)> = levels
                .iter()
                .enumerate()
                .map(|(row, levels)| {
                    let sample = self.shown.first_sample + (row * step) as u64;
                    (self.x(sample), axis.y(levels[tone]))
                })
                .collect();
            on.line(&points, 1.6, false, colour);
            let place = (
                area.right() + 14.0 + 66.0 * (tone / 4) as f32,
                area.y + 12.0 + 18.0 * (tone % 4) as f32,
            );
            on.line(
                &[
                    (place.0 - 8.0, place.1 - 4.0),
                    (place.0 + 6.0, place.1 - 4.0),
                ],
                3.0,
                false,
                colour,
            );
            on.text(
                (place.0 + 10.0, place.1),
                Anchor::Start,
                false,
                INK,
                &format!("{hz:.0}"),
            );
        }
        let weakest = self.shown.config.weakest_dbm0;
        axis.limit(on, weakest, &format!("weakest {weakest:.0}"));
    }

    fn ratio(&self, on: &mut impl Canvas, area: Area) {
        let axis = Axis {
            area,
            low: -10.0,
            high: 40.0,
        };
        self.shade(on, area);
        axis.frame(
            on,
            "power of both tones over the rest, dB, of each 32 ms window that resembled a key",
            10.0,
        );
        let least = self.shown.config.snr_db;
        axis.limit(on, least, &format!("least {least:.0} dB"));
        for verdict in self.shown.verdicts {
            let middle = verdict.start_sample + 128;
            let shown = (self.shown.first_sample..=self.last_sample()).contains(&middle);
            let Some(measures) = verdict.measures.filter(|_| shown) else {
                continue;
            };
            let at = (self.x(middle), axis.y(measures.snr_db));
            let colour = verdict.refusal.map_or(GOOD, refusal_colour);
            on.dot(at, 3.5, colour);
        }
        let mut y = area.y + 14.0;
        let x = area.right() + 12.0;
        let mut legend = |colour: Colour, text: &str| {
            on.dot((x, y - 4.0), 3.5, colour);
            on.text((x + 10.0, y), Anchor::Start, false, INK, text);
            y += 17.0;
        };
        legend(GOOD, "a key");
        for refusal in [
            Refusal::TooWeak,
            Refusal::NotSteady,
            Refusal::OffFrequency,
            Refusal::Twist,
            Refusal::NotTwoTones,
        ] {
            legend(refusal_colour(refusal), word(refusal));
        }
    }

    fn time(&self, on: &mut impl Canvas, area: Area) {
        let seconds = self.shown.samples.len() as f64 / f64::from(SAMPLE_RATE);
        let steps = [
            0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
        ];
        let step = steps
            .into_iter()
            .find(|step| seconds / step <= 14.0)
            .unwrap_or(300.0);
        let first = self.shown.first_sample as f64 / f64::from(SAMPLE_RATE);
        let mut tick = (first / step).ceil();
        while tick * step <= first + seconds + 1e-9 {
            let at = tick * step;
            let x = self.x((at * f64::from(SAMPLE_RATE)).round() as u64);
            on.line(
                &[(x, area.bottom()), (x, area.bottom() + 6.0)],
                1.0,
                false,
                PALE,
            );
            let text = format!(
                "{at:.*}",
                if step < 0.1 {
                    2
                } else {
                    usize::from(step < 1.0)
                }
            );
            on.text((x, area.bottom() + 20.0), Anchor::Middle, false, INK, &text);
            tick += 1.0;
        }
        let place = (area.x + area.width / 2.0, area.bottom() + 42.0);
        on.text(
            place,
            Anchor::Middle,
            false,
            PALE,
            "seconds from the start of the recording",
        );
        // Where keys begin and end, down through all panels.
        for key in self.keys() {
            for sample in [key.start_sample, key.end_sample] {
                if sample > self.shown.first_sample && sample < self.last_sample() {
                    let x = self.x(sample);
                    on.line(&[(x, area.y + 8.0), (x, area.bottom())], 1.0, true, GOOD);
                }
            }
        }
    }
}

/// A refusal in few words.
pub const fn word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::TooWeak => "too weak",
        Refusal::NotSteady => "not steady",
        Refusal::OffFrequency => "off frequency",
        Refusal::Twist => "unequal tones",
        Refusal::NotTwoTones => "not two tones",
    }
}

/// Which digit a stretch is about, for the message to the terminal.
pub fn digits(keys: &[Key]) -> String {
    keys.iter().map(|key| Digit::as_char(key.digit)).collect()
}
