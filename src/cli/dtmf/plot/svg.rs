//! A canvas of shapes, written as SVG.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::bitmap;
use super::canvas::{Anchor, Area, Canvas, Colour, Raster};
use crate::cli::markup::escaped;

/// The shapes so far.
pub struct Svg {
    body: String,
}

impl Svg {
    /// A white picture.
    pub fn new(width: usize, height: usize) -> Svg {
        let body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"monospace\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
        );
        Svg { body }
    }

    /// The picture as an SVG file.
    pub fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }

    fn put(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(shape);
        self.body.push('\n');
    }
}

fn hex(colour: Colour) -> String {
    format!("#{:02x}{:02x}{:02x}", colour.0, colour.1, colour.2)
}

impl Canvas for Svg {
    fn fill(&mut self, area: Area, colour: Colour) {
        self.put(format_args!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
            area.x,
            area.y,
            area.width,
            area.height,
            hex(colour)
        ));
    }

    fn line(&mut self, points: &[(f32, f32)], width: f32, dashed: bool, colour: Colour) {
        let mut path = String::new();
        for (x, y) in points {
            let _ = write!(path, "{x:.1},{y:.1} ");
        }
        let dash = if dashed {
            " stroke-dasharray=\"5\""
        } else {
            ""
        };
        self.put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\"{dash}/>",
            path.trim_end(),
            hex(colour)
        ));
    }

    fn dot(&mut self, at: (f32, f32), radius: f32, colour: Colour) {
        self.put(format_args!(
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"{}\"/>",
            at.0,
            at.1,
            hex(colour)
        ));
    }

    fn text(&mut self, at: (f32, f32), anchor: Anchor, large: bool, colour: Colour, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (size, weight) = if large { (15, "bold") } else { (12, "normal") };
        self.put(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
             font-weight=\"{weight}\" fill=\"{}\" xml:space=\"preserve\">{}</text>",
            at.0,
            at.1,
            hex(colour),
            escaped(text)
        ));
    }

    fn image(&mut self, area: Area, raster: &Raster) {
        let rgb: Vec<u8> = raster
            .pixels
            .iter()
            .flat_map(|colour| [colour.0, colour.1, colour.2])
            .collect();
        // An image of no pixels has nothing to show.
        let Ok(file) = bitmap::encode(raster.width, raster.height, &rgb) else {
            return;
        };
        self.put(format_args!(
            "<image x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             preserveAspectRatio=\"none\" href=\"data:image/png;base64,{}\"/>",
            area.x,
            area.y,
            area.width,
            area.height,
            STANDARD.encode(file)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_the_picture() {
        let mut svg = Svg::new(10, 10);
        let name = "<script>\"&\u{7}";
        svg.text((0.0, 0.0), Anchor::Start, false, Colour(0, 0, 0), name);
        let file = svg.finish();
        assert!(file.contains("&lt;script&gt;&quot;&amp;</text>"), "{file}");
        assert!(!file.contains("<script"));
    }
}
