//! What a stream plays: prompts back to back, frame by frame, then silence.

use crate::audio::{Codec, Outline, Prompt};

/// Prompts that play, in place of which others may be put.
#[derive(Debug, Default)]
pub(super) struct Playback {
    play: Option<Play>,
}

#[derive(Debug)]
struct Play {
    prompts: Vec<Prompt>,
    tag: u32,
    prompt: usize,
    frame: usize,
}

/// A turn of the playback.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<'a> {
    /// The next frame of 160 octets, and its outline; `started` if it is the first.
    Frame {
        octets: &'a [u8],
        outline: Outline,
        started: Option<u32>,
    },
    /// The frame before was the last, and has been heard by now.
    Finished { tag: u32, started: bool },
    /// Nothing plays.
    Silence,
}

impl Playback {
    /// Plays these. Returns the tag of what was cut short.
    pub(super) fn play(&mut self, prompts: Vec<Prompt>, tag: u32) -> Option<u32> {
        let before = self.play.replace(Play {
            prompts,
            tag,
            prompt: 0,
            frame: 0,
        });
        before.map(|play| play.tag)
    }

    /// Plays nothing. Returns the tag of what was cut short.
    pub(super) fn stop(&mut self) -> Option<u32> {
        self.play.take().map(|play| play.tag)
    }

    /// Takes the next turn, one every 20 ms; after [`Turn::Finished`] another at once.
    pub(super) fn turn(&mut self, codec: Codec) -> Turn<'_> {
        let Some(play) = &mut self.play else {
            return Turn::Silence;
        };
        let first = play.prompt == 0 && play.frame == 0;
        while let Some(prompt) = play.prompts.get(play.prompt)
            && play.frame >= prompt.frames()
        {
            play.prompt += 1;
            play.frame = 0;
        }
        let tag = play.tag;
        let at = (play.prompt, play.frame);
        play.frame += 1;
        let started = first.then_some(tag);
        if at.0 >= play.prompts.len() {
            self.play = None;
            return Turn::Finished {
                tag,
                started: !first,
            };
        }
        let play = self.play.as_ref();
        let prompt = play.and_then(|play| play.prompts.get(at.0));
        let frame = prompt.and_then(|p| Some((p.frame(codec, at.1)?, p.outline(at.1))));
        match frame {
            Some((octets, outline)) => Turn::Frame {
                octets,
                outline,
                started,
            },
            None => Turn::Silence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(frames: usize, value: i16) -> Prompt {
        Prompt::from_samples("test", &vec![value; frames * 160])
    }

    /// Turns until silence: frames by their first octet, the rest in words.
    fn all(playback: &mut Playback, codec: Codec) -> Vec<String> {
        let mut turns = Vec::new();
        loop {
            turns.push(match playback.turn(codec) {
                Turn::Frame {
                    octets, started, ..
                } => {
                    assert_eq!(octets.len(), 160);
                    let started = started.map(|tag| format!("start {tag}, "));
                    format!("{}{}", started.unwrap_or_default(), octets[0])
                }
                Turn::Finished { tag, started } => format!("end {tag} {started}"),
                Turn::Silence => return turns,
            });
        }
    }

    #[test]
    fn prompts_follow_each_other_without_a_gap() {
        let mut playback = Playback::default();
        let prompts = vec![prompt(2, 0), prompt(0, 0), prompt(1, 1_000)];
        let loud = prompts[2].frame(Codec::Pcmu, 0).unwrap()[0];
        assert_eq!(playback.play(prompts, 7), None);
        let turns = all(&mut playback, Codec::Pcmu);
        assert_eq!(
            turns,
            ["start 7, 255", "255", &loud.to_string(), "end 7 true"]
        );
        assert_eq!(playback.turn(Codec::Pcma), Turn::Silence);
    }

    #[test]
    fn nothing_to_play_is_played_at_once() {
        let mut playback = Playback::default();
        playback.play(Vec::new(), 1);
        assert_eq!(all(&mut playback, Codec::Pcma), ["end 1 false"]);
        playback.play(vec![prompt(0, 0)], 2);
        assert_eq!(all(&mut playback, Codec::Pcma), ["end 2 false"]);
    }

    #[test]
    fn a_new_play_cuts_the_old_one() {
        let mut playback = Playback::default();
        playback.play(vec![prompt(5, 0)], 1);
        playback.turn(Codec::Pcmu);
        assert_eq!(playback.play(vec![prompt(1, 0)], 2), Some(1));
        assert_eq!(
            all(&mut playback, Codec::Pcmu),
            ["start 2, 255", "end 2 true"]
        );
        assert_eq!(playback.stop(), None);
        playback.play(vec![prompt(1, 0)], 3);
        assert_eq!(playback.stop(), Some(3));
        assert_eq!(playback.turn(Codec::Pcmu), Turn::Silence);
    }
}
