//! A finished ladder as a picture (SVG), for a ticket or a page.

use std::fmt::Write;

use super::markup::escaped;

/// One thing that happened, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A message.
    Message {
        /// Seconds since the first row.
        at: f64,
        /// What it is.
        label: String,
        /// Whether the left side sent it.
        to_the_right: bool,
    },
    /// Something that is no message.
    Note {
        /// Seconds since the first row.
        at: f64,
        /// What it is.
        text: String,
    },
}

/// Pixels: from row to row, the two lifelines, the whole width, and the heading's height.
const STEP: usize = 34;
const LEFT: usize = 150;
const RIGHT: usize = 590;
const WIDTH: usize = 690;
const TOP: usize = 64;

const STYLE: &str = "text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#1b2733}\
    .name{font-weight:600;text-anchor:middle}.time{fill:#66788a;text-anchor:end}\
    .label{text-anchor:middle}.note{font-weight:600;fill:#0b6b4f}\
    line{stroke:#4a6078;stroke-width:1.5}.life{stroke:#b8c4d0;stroke-dasharray:4 4}\
    .head{fill:#4a6078}.dot{fill:#0b6b4f}";

/// Draws the rows between two named lifelines.
pub fn draw(left: &str, right: &str, rows: &[Row]) -> String {
    let height = TOP + rows.len() * STEP + 20;
    let mut svg = String::new();
    // Writing to a String does not fail.
    let _ = draw_into(&mut svg, left, right, rows, height);
    svg
}

fn draw_into(
    svg: &mut String,
    left: &str,
    right: &str,
    rows: &[Row],
    height: usize,
) -> std::fmt::Result {
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\"><style>{STYLE}</style>"
    )?;
    writeln!(
        svg,
        "<rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#fbfcfd\"/>"
    )?;
    for (x, name) in [(LEFT, left), (RIGHT, right)] {
        let (name, from, to) = (escaped(name), TOP - 20, height - 12);
        writeln!(svg, "<text class=\"name\" x=\"{x}\" y=\"30\">{name}</text>")?;
        writeln!(
            svg,
            "<line class=\"life\" x1=\"{x}\" y1=\"{from}\" x2=\"{x}\" y2=\"{to}\"/>"
        )?;
    }
    for (n, row) in rows.iter().enumerate() {
        let y = TOP + n * STEP + STEP / 2;
        let (at, text_y, time_x) = (row.at(), y + 5, LEFT - 20);
        writeln!(
            svg,
            "<text class=\"time\" x=\"{time_x}\" y=\"{text_y}\">{at:.3} s</text>"
        )?;
        match row {
            Row::Message {
                label,
                to_the_right,
                ..
            } => message(svg, y, label, *to_the_right)?,
            Row::Note { text, .. } => {
                let (text, x) = (escaped(text), LEFT + 14);
                writeln!(
                    svg,
                    "<circle class=\"dot\" cx=\"{LEFT}\" cy=\"{y}\" r=\"5\"/>"
                )?;
                writeln!(
                    svg,
                    "<text class=\"note\" x=\"{x}\" y=\"{text_y}\">{text}</text>"
                )?;
            }
        }
    }
    writeln!(svg, "</svg>")
}

fn message(svg: &mut String, y: usize, label: &str, to_the_right: bool) -> std::fmt::Result {
    let (from, to) = if to_the_right {
        (LEFT, RIGHT - 9)
    } else {
        (RIGHT, LEFT + 9)
    };
    let tip = if to_the_right { RIGHT } else { LEFT };
    let (middle, above, label) = ((LEFT + RIGHT) / 2, y - 6, escaped(label));
    writeln!(
        svg,
        "<line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\"/>\
         <path class=\"head\" d=\"M{tip} {y}L{to} {}L{to} {}Z\"/>\
         <text class=\"label\" x=\"{middle}\" y=\"{above}\">{label}</text>",
        y - 5,
        y + 5
    )
}

impl Row {
    fn at(&self) -> f64 {
        match self {
            Row::Message { at, .. } | Row::Note { at, .. } => *at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_drawn_and_a_peers_words_stay_words() {
        let rows = [
            Row::Message {
                at: 0.0,
                label: "INVITE (sdp)".into(),
                to_the_right: true,
            },
            Row::Message {
                at: 0.25,
                label: "486 <script>&\"\u{1b}".into(),
                to_the_right: false,
            },
            Row::Note {
                at: 0.26,
                text: "Failed: busy".into(),
            },
        ];
        let svg = draw("Ringtrue", "a<b", &rows);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        for part in [
            "INVITE (sdp)",
            "0.250 s",
            "486 &lt;script&gt;&amp;&quot;<",
            "Failed: busy",
        ] {
            assert!(svg.contains(part), "{part} is missing: {svg}");
        }
        assert!(!svg.contains("<script") && svg.contains(">a&lt;b<"));
        assert_eq!(svg.matches("<path").count(), 2);
    }
}
