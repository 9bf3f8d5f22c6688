//! `zbx-tcp watch`: probes a few targets again and again.
//!
//! The engine probes on a thread of its own, so that neither a slow terminal nor a slow reader delays
//! a probe. This thread receives what started and ended, adds it to the model, and shows it.

mod feed;
mod idle;
mod live;
mod run_clock;
mod stream;

use std::io::IsTerminal;
use std::time::Duration;
use std::{io, thread};

use crate::cli::values::non_empty;
use crate::cli::watch::WatchArgs;
use crate::commands::stoppable_output::StoppableOutput;
use crate::commands::watch::feed::{Feed, FeedEvent, Tracker};
use crate::commands::watch::live::LiveView;
use crate::commands::watch::run_clock::RunClock;
use crate::commands::watch::stream::LineStreamer;
use crate::commands::{CommandResult, Exit, color_mode, log_line, print_to, resolver_kind};
use crate::os::errno::os_error_text;
use crate::os::stop::StopHandle;
use crate::os::wake::{WakeHandle, wait_readable};
use crate::os::{clock, terminal};
use crate::output::watch::{Glyphs, WatchView, ndjson, summary};
use crate::policy::Policy;
use crate::settings::SettingsError;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::watch::{Watch, WatchFormat, WatchRequest};

/// How long the engine may take to end after a signal. The process ends within 100 ms in total.
const PATIENCE: Duration = Duration::from_millis(30);
/// The time between two updates of a live view in which nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// The longest wait otherwise.
const LONG: Duration = Duration::from_secs(60);

/// Probes until the run is over or a signal arrives, and prints the summary.
///
/// # Errors
/// A usage or configuration error; nothing was sent.
pub fn run(args: WatchArgs) -> CommandResult {
    let config = Configuration::load(non_empty(&args.probe.network.config), ConfigParts::Services)?;
    let request = WatchRequest::from_args(args)?;
    let watch = crate::settings::watch::watch(request, &config)?;
    drop(config);
    let format = format(watch.format)?;
    let stop = StopHandle::on_signals_with(Exit::Down.code().into(), terminal::restore)
        .map_err(|error| cannot_start(&error))?;
    if let Some(longest) = watch.idle {
        return idle::run(&watch, longest, format, &stop);
    }
    let wake = WakeHandle::new().map_err(|error| cannot_start(&error))?;
    Ok(WatchSession::start(&watch, format, stop, wake)?.run())
}

fn cannot_start(error: &io::Error) -> SettingsError {
    SettingsError::new(format!("cannot start: {}", os_error_text(error)))
}

/// The format that was asked for, or the usual one of this standard output.
fn format(asked: Option<WatchFormat>) -> Result<WatchFormat, SettingsError> {
    let is_terminal = io::stdout().is_terminal();
    let term = std::env::var("TERM").unwrap_or_default();
    let moves_cursor = !term.is_empty() && term != "dumb";
    match asked {
        Some(WatchFormat::Live) if !is_terminal => Err(SettingsError::in_option(
            "--output",
            "`live` requires a terminal: use `text` or `ndjson`",
        )),
        Some(WatchFormat::Live) if !moves_cursor => Err(SettingsError::in_option(
            "--output",
            "`live` requires a terminal that can move its cursor, and TERM is not set or `dumb`: \
             set TERM, or use `text`",
        )),
        Some(format) => Ok(format),
        None if is_terminal && moves_cursor => Ok(WatchFormat::Live),
        None => Ok(WatchFormat::Text),
    }
}

/// What the terminal can show, by the locale (locale(7)).
fn glyphs() -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_ascii_uppercase();
    if locale.contains("UTF-8") || locale.contains("UTF8") {
        Glyphs::Unicode
    } else {
        Glyphs::Ascii
    }
}

/// Where the results go.
enum WatchOutput {
    Live(Box<LiveView>),
    Lines(LineStreamer),
}

/// One run of `watch`.
struct WatchSession {
    feed: Feed,
    tracker: Tracker,
    output: WatchOutput,
    format: WatchFormat,
    labels: Vec<String>,
    interval: Duration,
    run_clock: RunClock,
    stop: StopHandle,
    wake: WakeHandle,
}

impl WatchSession {
    /// Starts the probing thread and the view.
    fn start(
        watch: &Watch,
        format: WatchFormat,
        stop: StopHandle,
        wake: WakeHandle,
    ) -> Result<Self, SettingsError> {
        let run_clock = RunClock::start();
        let labels = watch.plans.iter().map(|plan| plan.target.to_string());
        let labels: Vec<String> = labels.collect();
        let tracker = Tracker::new(watch, run_clock.now());
        let output = match format {
            WatchFormat::Live => {
                let view = LiveView::begin(glyphs(), color_mode(), &wake);
                WatchOutput::Live(Box::new(view.map_err(|error| cannot_start(&error))?))
            }
            WatchFormat::Text | WatchFormat::Ndjson => WatchOutput::Lines(LineStreamer::default()),
        };
        let feed = Feed::start(
            watch,
            Policy::system(),
            resolver_kind(watch.resolver),
            run_clock,
            &stop,
            &wake,
        )
        .map_err(|error| cannot_start(&error))?;
        Ok(Self {
            feed,
            tracker,
            output,
            format,
            labels,
            interval: watch.interval,
            run_clock,
            stop,
            wake,
        })
    }

    fn run(mut self) -> Exit {
        let error = self.watch();
        // The terminal is restored before anything else is printed.
        let unwritten = match &mut self.output {
            WatchOutput::Live(view) => {
                view.end();
                Vec::new()
            }
            WatchOutput::Lines(lines) => lines.take_pending(),
        };
        let exit = if self.tracker.model.all_up() {
            Exit::Up
        } else {
            Exit::Down
        };
        let view = self.view();
        let summary = match self.format {
            WatchFormat::Ndjson => ndjson::summary_lines(&view),
            WatchFormat::Live | WatchFormat::Text => summary::text(&view),
        };
        let mut output = StoppableOutput::new(Some(&self.stop));
        let exit = print_to(&mut output, exit, |out| {
            out.write_all(&unwritten)?;
            out.write_all(summary.as_bytes())
        });
        match error {
            Some(text) => {
                log_line(&text);
                Exit::Down
            }
            None => exit,
        }
    }

    /// Shows what happens until the run is over. Returns the error that ended it, if one did.
    fn watch(&mut self) -> Option<String> {
        let mut stopping_until = None;
        loop {
            self.wait(stopping_until);
            let mut ended = None;
            while let Some(event) = self.feed.next() {
                match event {
                    FeedEvent::Ended(error) => ended = Some(error),
                    event => self.handle(event),
                }
            }
            let now = self.run_clock.now();
            self.tracker.model.compare_clocks(now);
            if let Some(error) = ended {
                self.show();
                return error;
            }
            if self.stop.is_stopped() {
                let until = *stopping_until.get_or_insert(now.running + PATIENCE);
                if now.running >= until {
                    return None;
                }
            }
            self.show();
            #[cfg(debug_assertions)]
            if self.tracker.probes > 1 {
                super::panic_if_tested_at("watch");
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self, stopping_until: Option<Duration>) {
        let (keys, usual) = match &self.output {
            WatchOutput::Live(view) => (view.keys(), TICK),
            WatchOutput::Lines(lines) if lines.is_waiting() => (None, Duration::from_millis(20)),
            WatchOutput::Lines(_) => (None, LONG),
        };
        let (stop, time) = match stopping_until {
            Some(until) => {
                let left = until.saturating_sub(self.run_clock.now().running);
                (None, left.min(usual))
            }
            None => (Some(self.stop.watched()), usual),
        };
        let [woken, ..] = wait_readable([Some(self.wake.watched()), stop, keys], time);
        if woken {
            self.wake.clear();
        }
    }

    fn handle(&mut self, event: FeedEvent) {
        for probe in self.tracker.handle(event) {
            if let WatchOutput::Lines(lines) = &mut self.output {
                let label = self.labels.get(probe.target).map_or("", String::as_str);
                lines.add(self.format, label, &probe);
            }
        }
    }

    fn view(&self) -> WatchView<'_> {
        WatchView {
            model: &self.tracker.model,
            labels: &self.labels,
            interval: self.interval,
            now: self.run_clock.now(),
            utc_offset: clock::utc_offset,
        }
    }

    fn show(&mut self) {
        let view = WatchView {
            model: &self.tracker.model,
            labels: &self.labels,
            interval: self.interval,
            now: self.run_clock.now(),
            utc_offset: clock::utc_offset,
        };
        let is_open = match &mut self.output {
            WatchOutput::Live(live) => live.show(&view),
            WatchOutput::Lines(lines) => lines.flush(),
        };
        // The terminal is closed, or the user ends the view.
        if !is_open {
            self.stop.stop();
        }
    }
}

/// Starts a thread of `watch`.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop)
}
