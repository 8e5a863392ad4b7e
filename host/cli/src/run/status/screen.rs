//! Has the terminal while the view is on, and gives it back however the run ends.

use std::io::{self, BufWriter, Stdout, Write as _, stdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{cursor, execute, terminal};
use ratatui::prelude::CrosstermBackend;
use ratatui::{Frame, Terminal};
use signal_hook::consts::SIGINT;

use crate::log_lines;

/// Whether the view has the terminal. Locked while something is drawn, so that nothing is drawn after the
/// terminal was given back.
static TAKEN: Mutex<bool> = Mutex::new(false);

/// How often the thread that reads keys looks whether the view still has the terminal.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long giving the terminal back waits for a frame that is being drawn.
const LONGEST_FRAME: Duration = Duration::from_millis(200);

/// The terminal in the views' hands. Dropping it gives the terminal back.
pub(super) struct Screen {
    terminal: Mutex<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    /// Which of the views is shown.
    shown: Arc<Mutex<Shown>>,
}

/// Which of the views is shown, by number: one whose account is at work, as long as there is one.
#[derive(Debug)]
pub(super) struct Shown {
    at: usize,
    /// Whether a view's account is at work.
    at_work: Vec<bool>,
}

impl Shown {
    pub(super) fn first_of(views: usize) -> Self {
        Self { at: 0, at_work: vec![true; views] }
    }

    pub(super) fn is(&self, number: usize) -> bool {
        self.at == number
    }

    /// Goes to the next one.
    pub(super) fn turn(&mut self) {
        let views = self.at_work.len();
        let next = (1..=views).map(|steps| (self.at + steps) % views);
        self.at = next.into_iter().find(|number| self.at_work[*number]).unwrap_or(self.at);
    }

    /// An account has ended: what would be shown of it stands still from now on.
    pub(super) fn end(&mut self, number: usize) {
        if let Some(at_work) = self.at_work.get_mut(number) {
            *at_work = false;
        }
        if self.is(number) {
            self.turn();
        }
    }
}

impl Screen {
    pub(super) fn take(views: usize) -> io::Result<Self> {
        give_back_on_panic();
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(stdout())))?;
        let shown = Arc::new(Mutex::new(Shown::first_of(views)));
        let screen = Self { terminal: Mutex::new(terminal), shown };
        terminal::enable_raw_mode()?;
        log_lines::hold();
        set_taken();
        execute!(stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        let shown = Arc::clone(&screen.shown);
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || listen(&shown))?;
        Ok(screen)
    }

    /// Whether this view is the one that is shown.
    pub(super) fn shows(&self, number: usize) -> bool {
        lock(&self.shown).is(number)
    }

    /// The account of this view has ended.
    pub(super) fn end(&self, number: usize) {
        lock(&self.shown).end(number);
    }

    /// Draws a frame; `false` when the terminal was given back and nothing can be drawn any more. While somebody
    /// else draws, nothing is: who draws must not wait for that.
    pub(super) fn draw(&self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<bool> {
        let Ok(mut terminal) = self.terminal.try_lock() else { return Ok(!TAKEN.is_poisoned()) };
        let Ok(taken) = TAKEN.lock() else { return Ok(false) };
        if *taken {
            terminal.draw(render)?;
        }
        Ok(*taken)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set_taken() {
    // Poisoned means that drawing panicked once; then there is no view any more.
    if let Ok(mut taken) = TAKEN.lock() {
        *taken = true;
    }
}

/// Leaves the view's screen and lets log lines through to standard error again. Does nothing when the view
/// doesn't have the terminal. Can be called from any thread, also from one that panics while it draws.
pub(crate) fn give_back() {
    const STEP: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    let _taken = loop {
        match TAKEN.try_lock() {
            Ok(taken) if !*taken => return,
            Ok(mut taken) => {
                *taken = false;
                break Some(taken);
            }
            // Drawing panicked, and the panic's hook gave the terminal back.
            Err(TryLockError::Poisoned(_)) => return,
            Err(TryLockError::WouldBlock) if waited >= LONGEST_FRAME => break None,
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(STEP);
                waited += STEP;
            }
        }
    };
    // Nothing is left to do about a terminal that can't be written to.
    let _ = execute!(stdout(), terminal::LeaveAlternateScreen, cursor::Show);
    let _ = stdout().flush();
    let _ = terminal::disable_raw_mode();
    let kept = log_lines::release();
    // The view's lines are gone with its screen; what called for attention still does.
    for line in kept.iter().filter(|line| line.is_grave()) {
        anstream::eprintln!("{:>5} {}", line.level, line.text);
    }
}

/// The message of a panic is written to the ordinary screen.
fn give_back_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
}

/// Raw mode keeps Ctrl-C from becoming a signal, so this makes it one: what follows from it, also from a
/// second one, is the signals' affair alone.
fn listen(shown: &Mutex<Shown>) {
    let mut asked = false;
    while TAKEN.lock().is_ok_and(|taken| *taken) {
        let key = match event::poll(PATIENCE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let key = match key {
            Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => key,
            Ok(_) => continue,
            Err(error) => {
                // Without keys raw mode would leave no way to stop.
                give_back();
                tracing::warn!(%error, "keys can't be read; the status view ends");
                return;
            }
        };
        if matches!(key.code, KeyCode::Tab | KeyCode::Right) {
            lock(shown).turn();
        }
        let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        let quit = matches!(key.code, KeyCode::Char('q' | 'Q'));
        if interrupt || (quit && !asked) {
            asked = true;
            if let Err(error) = signal_hook::low_level::raise(SIGINT) {
                tracing::warn!(%error, "the host can't be told to stop");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_accounts_at_work_are_shown_as_long_as_there_are_any() {
        let mut shown = Shown::first_of(3);
        shown.end(1);
        shown.turn();
        assert!(shown.is(2), "one that has ended is left out");
        shown.end(2);
        assert!(shown.is(0), "what is shown does not stand still");
        shown.turn();
        assert!(shown.is(0));
        shown.end(0);
        assert!(shown.is(0), "the last one stays");
    }
}
