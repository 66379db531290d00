//! A progress bar on standard error, where that is a terminal and the work takes a while.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Nothing is drawn before this.
const PATIENCE: Duration = Duration::from_millis(500);
/// Nor more often than this.
const REDRAW: Duration = Duration::from_millis(100);
const WIDTH: usize = 30;

/// How much of the work is done, counted in bytes; shared by the threads that do it.
pub struct Progress {
    total: u64,
    state: Option<Mutex<State>>,
}

struct State {
    done: u64,
    next: Instant,
    drawn: bool,
}

impl Progress {
    /// A bar for so many bytes.
    pub fn new(total: u64) -> Progress {
        let state = std::io::stderr().is_terminal().then(|| {
            Mutex::new(State {
                done: 0,
                next: Instant::now() + PATIENCE,
                drawn: false,
            })
        });
        Progress { total, state }
    }

    /// So many bytes more are done.
    pub fn add(&self, bytes: u64) {
        let Some(Ok(mut state)) = self.state.as_ref().map(Mutex::lock) else {
            return;
        };
        state.done = state.done.saturating_add(bytes);
        if Instant::now() < state.next {
            return;
        }
        state.next = Instant::now() + REDRAW;
        state.drawn = true;
        // A bar that cannot be drawn is no reason to stop.
        let _ = write!(std::io::stderr(), "\r{}", bar(state.done, self.total));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(Ok(state)) = self.state.as_ref().map(Mutex::lock)
            && state.drawn
        {
            let _ = write!(std::io::stderr(), "\r{:width$}\r", "", width = WIDTH + 8);
        }
    }
}

fn bar(done: u64, total: u64) -> String {
    let share = done.min(total) as f64 / total.max(1) as f64;
    let filled = (share * WIDTH as f64) as usize;
    format!(
        "[{}{}] {:3.0} %",
        "#".repeat(filled),
        ".".repeat(WIDTH - filled),
        share * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up() {
        assert!(bar(0, 10).starts_with("[....") && bar(0, 10).ends_with("  0 %"));
        assert!(bar(20, 10).ends_with("#] 100 %"));
        assert_eq!(bar(0, 0).len(), bar(7, 9).len());
    }
}
