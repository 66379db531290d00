//! A canvas of pixels, written as PNG.

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_9X18_BOLD};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Alignment, Text};

use super::canvas::{Anchor, Area, Canvas, Colour, Raster};

/// The pixels.
pub struct Bitmap {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Bitmap {
    /// A white picture.
    pub fn new(width: usize, height: usize) -> Bitmap {
        Bitmap {
            width,
            height,
            rgb: vec![255; width * height * 3],
        }
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        encode(self.width, self.height, &self.rgb)
    }

    /// Lays a colour over a pixel, `share` of 1 hiding what was there.
    fn blend(&mut self, x: i64, y: i64, share: f32, colour: Colour) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y * self.width + x) * 3;
        let share = share.clamp(0.0, 1.0);
        if let Some(pixel) = self.rgb.get_mut(at..at + 3) {
            for (old, new) in pixel.iter_mut().zip([colour.0, colour.1, colour.2]) {
                *old = (f32::from(*old) * (1.0 - share) + f32::from(new) * share).round() as u8;
            }
        }
    }

    /// A straight stroke: every pixel by how far its middle is from the line.
    fn stroke(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Colour) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx * dx + dy * dy;
        let reach = width / 2.0 + 1.0;
        let range = |a: f32, b: f32, most: usize| {
            let low = (a.min(b) - reach).floor().max(0.0) as i64;
            let high = (a.max(b) + reach).ceil().min(most as f32) as i64;
            low..=high
        };
        for y in range(from.1, to.1, self.height) {
            for x in range(from.0, to.0, self.width) {
                let (px, py) = (x as f32 + 0.5 - from.0, y as f32 + 0.5 - from.1);
                let along = if length > 0.0 {
                    ((px * dx + py * dy) / length).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (px - along * dx).hypot(py - along * dy);
                let share = width / 2.0 + 0.5 - distance;
                if share > 0.0 {
                    self.blend(x, y, share, colour);
                }
            }
        }
    }
}

/// Writes pixels as a PNG file.
pub fn encode(width: usize, height: usize, rgb: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(file)
}

impl OriginDimensions for Bitmap {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Bitmap {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(at, colour) in pixels {
            let colour = Colour(colour.r(), colour.g(), colour.b());
            self.blend(at.x.into(), at.y.into(), 1.0, colour);
        }
        Ok(())
    }
}

impl Canvas for Bitmap {
    fn fill(&mut self, area: Area, colour: Colour) {
        let rows = area.y.round() as i64..area.bottom().round() as i64;
        for y in rows {
            for x in area.x.round() as i64..area.right().round() as i64 {
                self.blend(x, y, 1.0, colour);
            }
        }
    }

    fn line(&mut self, points: &[(f32, f32)], width: f32, dashed: bool, colour: Colour) {
        for pair in points.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            if !dashed {
                self.stroke(from, to, width, colour);
                continue;
            }
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let dashes = (length / 10.0).ceil().max(1.0);
            let at = |share: f32| {
                let share = share.min(1.0);
                (
                    from.0 + (to.0 - from.0) * share,
                    from.1 + (to.1 - from.1) * share,
                )
            };
            for dash in 0..dashes as usize {
                let dash = dash as f32;
                self.stroke(at(dash / dashes), at((dash + 0.5) / dashes), width, colour);
            }
        }
    }

    fn dot(&mut self, at: (f32, f32), radius: f32, colour: Colour) {
        self.stroke(at, at, radius * 2.0, colour);
    }

    fn text(&mut self, at: (f32, f32), anchor: Anchor, large: bool, colour: Colour, text: &str) {
        let font = if large { &FONT_9X18_BOLD } else { &FONT_7X13 };
        let colour = Rgb888::new(colour.0, colour.1, colour.2);
        let alignment = match anchor {
            Anchor::Start => Alignment::Left,
            Anchor::Middle => Alignment::Center,
            Anchor::End => Alignment::Right,
        };
        let place = Point::new(at.0.round() as i32, at.1.round() as i32);
        let style = MonoTextStyle::new(font, colour);
        // Drawing on memory cannot fail.
        let _ = Text::with_alignment(text, place, style, alignment).draw(self);
    }

    fn image(&mut self, area: Area, raster: &Raster) {
        for y in 0..area.height.round() as usize {
            for x in 0..area.width.round() as usize {
                let from_x = x * raster.width / (area.width.round() as usize).max(1);
                let from_y = y * raster.height / (area.height.round() as usize).max(1);
                if let Some(colour) = raster.pixels.get(from_y * raster.width + from_x) {
                    let (left, top) = (area.x.round() as i64, area.y.round() as i64);
                    self.blend(left + x as i64, top + y as i64, 1.0, *colour);
                }
            }
        }
    }
}
