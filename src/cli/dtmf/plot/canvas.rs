//! What a picture is drawn on: boxes, lines, dots, words and one image, in pixels.

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Which end of a text is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A colour picture in rows, for the spectrogram.
pub struct Raster {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<Colour>,
}

/// A rectangle: left, top, width, height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Area {
    pub const fn new(x: f32, y: f32, width: f32, height: f32) -> Area {
        Area {
            x,
            y,
            width,
            height,
        }
    }

    pub fn right(&self) -> f32 {
        self.x + self.width
    }

    pub fn bottom(&self) -> f32 {
        self.y + self.height
    }
}

/// Something to draw on.
pub trait Canvas {
    fn fill(&mut self, area: Area, colour: Colour);
    /// A line through these points; `dashed` for limits and nominal values.
    fn line(&mut self, points: &[(f32, f32)], width: f32, dashed: bool, colour: Colour);
    fn dot(&mut self, at: (f32, f32), radius: f32, colour: Colour);
    /// A text whose baseline is at `at`, 13 pixels high; 18 if `large`.
    fn text(&mut self, at: (f32, f32), anchor: Anchor, large: bool, colour: Colour, text: &str);
    fn image(&mut self, area: Area, raster: &Raster);
}
