//! Has the terminal while the view is on, and gives it back however the run ends.

use std::io::{self, BufWriter, Stdout, Write as _, stdout};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
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
    /// Which of the views is shown, counted up by a key; the views' number goes into it any number of times.
    turned: Arc<AtomicUsize>,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        give_back_on_panic();
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(stdout())))?;
        let screen = Self { terminal: Mutex::new(terminal), turned: Arc::default() };
        terminal::enable_raw_mode()?;
        log_lines::hold();
        set_taken();
        execute!(stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        let turned = Arc::clone(&screen.turned);
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || listen(&turned))?;
        Ok(screen)
    }

    /// How often another view was asked for.
    pub(super) fn turned(&self) -> usize {
        self.turned.load(Ordering::Relaxed)
    }

    /// Shows the next view.
    pub(super) fn turn(&self) {
        self.turned.fetch_add(1, Ordering::Relaxed);
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
fn listen(turned: &AtomicUsize) {
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
            turned.fetch_add(1, Ordering::Relaxed);
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
