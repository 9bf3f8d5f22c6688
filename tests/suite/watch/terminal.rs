//! The live view in a real terminal: tmux types, resizes, and shows what is on the screen.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::program;
use crate::scripted_peer::{Peer, closed_port};
use crate::skip;

/// A tmux server of its own with one terminal, in which a shell runs a script.
struct Terminal {
    socket: String,
    dir: tempfile::TempDir,
}

impl Terminal {
    /// Runs a script in a terminal of this size; `$ZBX` is the program. `None` without tmux.
    fn start(columns: u16, rows: u16, environment: &[(&str, &str)], script: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let socket = format!("zbx-tcp-test-{}-{number}", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script");
        std::fs::write(&path, script).unwrap();
        let terminal = Self { socket, dir };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut command = terminal.command();
        command
            .args([
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                &columns,
                "-y",
                &rows,
            ])
            .arg(format!(
                "cd {}; exec bash --norc --noprofile script",
                terminal.dir.path().display()
            ))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMUX_TMPDIR", terminal.dir.path())
            .env("ZBX", program().get_program())
            .env("LANG", "C.UTF-8")
            .envs(environment.iter().copied());
        match command.status() {
            Ok(status) if status.success() => Some(terminal),
            _ => {
                skip("tmux is not installed (Debian package tmux)");
                None
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        // Without -u, tmux would replace characters by the locale of the test.
        command.args(["-u", "-L", &self.socket]);
        command
            .env("TMUX_TMPDIR", self.dir.path())
            .env_remove("TMUX");
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{screen}");
            sleep(Duration::from_millis(50));
        }
    }

    fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    fn keys(&self, keys: &str) {
        self.tmux(&["send-keys", keys]);
    }

    /// Whether the terminal shows the alternate screen, and its cursor.
    fn modes(&self) -> String {
        self.tmux(&[
            "display-message",
            "-p",
            "#{alternate_on} #{cursor_flag} #{wrap_flag}",
        ])
        .trim()
        .to_owned()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The modes of a terminal without a live view.
const RESTORED: &str = "0 1 1";

fn watch(port: &str) -> String {
    format!("$ZBX watch 127.0.0.1 {port} -i 0.1 -t 0.5 --expect-prefix 220")
}

#[test]
fn the_view_follows_the_size() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let script = format!("{}\nsleep 60", watch(&peer.port()));
    let Some(terminal) = Terminal::start(80, 24, &[], &script) else {
        return;
    };
    let has_plot = |screen: &str| screen.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
    let screen = terminal.wait(|screen| screen.contains("lost  ") && has_plot(screen));
    assert!(screen.starts_with("UP "), "{screen}");
    assert!(screen.contains("q quit   space freeze"), "{screen}");
    assert_eq!(terminal.modes().split(' ').next(), Some("1"));
    terminal.resize(20, 24);
    let screen = terminal.wait(|screen| {
        screen.lines().all(|line| line.chars().count() <= 20) && screen.contains("lost 0/0/0 %")
    });
    assert!(has_plot(&screen) && screen.starts_with("UP "), "{screen}");
    for (columns, rows) in [(1, 1), (2, 50), (200, 1), (1, 60)] {
        terminal.resize(columns, rows);
        terminal.wait(|screen| screen.starts_with('U'));
    }
    terminal.resize(120, 40);
    terminal.wait(|screen| screen.contains("   jitter ") && has_plot(screen));
}

#[test]
fn an_outage_is_shown_with_its_marks() {
    let port = closed_port();
    let script = format!("{}\nsleep 60", watch(&port.to_string()));
    let Some(terminal) = Terminal::start(80, 24, &[], &script) else {
        return;
    };
    let screen = terminal.wait(|screen| screen.contains("RRR"));
    assert!(screen.starts_with("DOWN "), "{screen}");
    assert!(
        screen.contains("first failed ") && screen.contains("R refused"),
        "{screen}"
    );
    assert!(
        screen.contains("why          connect to 127.0.0.1:"),
        "{screen}"
    );
}

#[test]
fn without_unicode_and_colors_the_screen_is_ascii() {
    let closed = closed_port().to_string();
    for locale in ["C", "zh_CN.GBK", "POSIX"] {
        let script = format!("{}\nsleep 60", watch(&closed));
        let environment = [("LANG", locale), ("NO_COLOR", "1")];
        let Some(terminal) = Terminal::start(80, 24, &environment, &script) else {
            return;
        };
        let screen = terminal.wait(|screen| screen.contains("RRR"));
        assert!(screen.is_ascii(), "{locale}: {screen}");
        let styled = terminal.tmux(&["capture-pane", "-p", "-e"]);
        assert!(!styled.contains('\u{1b}'), "{styled:?}");
    }
}

#[test]
fn several_targets_are_on_one_screen() {
    let (one, other) = (
        Peer::greeting(b"220 ready\r\n"),
        Peer::greeting(b"220 ready\r\n"),
    );
    let closed = closed_port();
    let script = format!(
        "$ZBX watch 127.0.0.1:{} 127.0.0.1:{closed} 127.0.0.1:{} -i 0.1\nsleep 60",
        one.port(),
        other.port()
    );
    let Some(terminal) = Terminal::start(80, 24, &[], &script) else {
        return;
    };
    let screen = terminal.wait(|screen| screen.contains("RRR"));
    assert!(screen.starts_with("DOWN 1 of 3"), "{screen}");
    assert!(
        screen.contains(&format!("failed first: 127.0.0.1:{closed} at ")),
        "{screen}"
    );
    assert_eq!(screen.matches("\nUP   127.0.0.1:").count(), 2, "{screen}");
}

/// Runs `watch`, ends it in some way, and compares the terminal with what it was before.
fn is_restored_after(environment: &[(&str, &str)], end: impl Fn(&Terminal)) -> Option<String> {
    let peer = Peer::greeting(b"220 ready\r\n");
    // In the foreground, with its process id: `exec` in a subshell.
    let script = format!(
        "stty -a > before\n( echo $BASHPID > pid; exec {} )\necho $? > code\nstty -a > after\n\
         echo FINISHED\nsleep 60\n",
        watch(&peer.port())
    );
    let terminal = Terminal::start(80, 24, environment, &script)?;
    if environment.is_empty() {
        terminal.wait(|screen| screen.contains("lost  "));
        assert!(terminal.modes().starts_with("1 0"), "{}", terminal.modes());
    }
    end(&terminal);
    let screen = terminal.wait(|screen| screen.contains("FINISHED"));
    assert_eq!(terminal.modes(), RESTORED, "{screen}");
    assert!(!terminal.file("before").is_empty());
    assert_eq!(terminal.file("before"), terminal.file("after"));
    Some(format!("{}\n{screen}", terminal.file("code").trim()))
}

fn send_signal(terminal: &Terminal, name: &str) {
    let pid = terminal.file("pid").trim().to_owned();
    assert!(
        Command::new("kill")
            .args([name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn the_terminal_is_restored_and_the_summary_is_printed() {
    for key in ["q", "C-c"] {
        let Some(screen) = is_restored_after(&[], |terminal| terminal.keys(key)) else {
            return;
        };
        assert!(screen.starts_with("0\n"), "{screen}");
        let text = screen.replace('\n', "");
        assert!(text.contains("had no outage from"), "{screen}");
    }
    let screen = is_restored_after(&[], |terminal| send_signal(terminal, "-TERM")).unwrap();
    assert!(
        screen.replace('\n', "").contains("had no outage from"),
        "{screen}"
    );
}

#[test]
fn the_terminal_is_restored_by_signals_that_end_the_process() {
    for (name, code) in [("-HUP", "129"), ("-QUIT", "131")] {
        let Some(screen) = is_restored_after(&[], |terminal| send_signal(terminal, name)) else {
            return;
        };
        assert!(screen.starts_with(code), "{screen}");
    }
}

/// In debug builds only: the panic is requested by the environment.
#[cfg(debug_assertions)]
#[test]
fn the_terminal_is_restored_after_a_panic() {
    let environment = [("ZBX_TCP_TEST_PANIC", "watch")];
    let Some(screen) = is_restored_after(&environment, |_| ()) else {
        return;
    };
    assert!(screen.starts_with("2\n"), "{screen}");
}

#[test]
fn a_suspended_view_gives_the_terminal_back_and_returns() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let script = "PS1='READY ' exec bash --norc --noprofile -i";
    let Some(terminal) = Terminal::start(80, 24, &[("PS1", "READY ")], script) else {
        return;
    };
    terminal.wait(|screen| screen.contains('$') || screen.contains("READY"));
    terminal.tmux(&["send-keys", "-l", &watch(&peer.port())]);
    terminal.keys("Enter");
    terminal.wait(|screen| screen.starts_with("UP ") && screen.contains("lost  "));
    for _ in 0..2 {
        terminal.keys("C-z");
        terminal.wait(|screen| screen.contains("Stopped"));
        assert_eq!(terminal.modes(), RESTORED);
        // What is typed is shown again.
        terminal.tmux(&["send-keys", "-l", "echo typed-$((1+1))"]);
        terminal.wait(|screen| screen.contains("echo typed-$((1+1))"));
        terminal.keys("Enter");
        terminal.wait(|screen| screen.contains("typed-2"));
        terminal.resize(100, 30);
        // A pause is noticed if it is longer than a second and two intervals.
        sleep(Duration::from_millis(1500));
        terminal.tmux(&["send-keys", "-l", "fg"]);
        terminal.keys("Enter");
        let screen =
            terminal.wait(|screen| screen.starts_with("UP ") && screen.contains("not watched for"));
        assert!(!screen.contains("outage "), "{screen}");
        assert!(terminal.modes().starts_with("1 0"), "{}", terminal.modes());
        terminal.resize(80, 24);
    }
    terminal.keys("q");
    terminal.wait(|screen| screen.contains("had no outage"));
    assert_eq!(terminal.modes(), RESTORED);
}

#[test]
fn keys_freeze_and_zoom() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let script = format!("{}\nsleep 60", watch(&peer.port()));
    let Some(terminal) = Terminal::start(80, 24, &[], &script) else {
        return;
    };
    terminal.wait(|screen| screen.contains("(1 point = 1 probe)"));
    terminal.keys("-");
    terminal.wait(|screen| screen.contains("(1 point = 2 probes)"));
    terminal.keys("Up");
    terminal.keys("+");
    terminal.wait(|screen| screen.contains("(1 point = 1 probe)"));
    terminal.keys("Space");
    let frozen = terminal.wait(|screen| screen.contains("FROZEN"));
    sleep(Duration::from_millis(700));
    assert_eq!(terminal.screen(), frozen);
    terminal.keys("Space");
    terminal.wait(|screen| screen.contains("q quit   space freeze"));
}

#[test]
fn a_terminal_without_a_cursor_gets_lines() {
    let peer = Peer::greeting(b"220 ready\r\n");
    let script = format!(
        "export TERM=dumb\n{} -c 2\n$ZBX watch a:1 -o live\nunset TERM\n$ZBX watch a:1 -o live\necho FINISHED\nsleep 60",
        watch(&peer.port())
    );
    let Some(terminal) = Terminal::start(200, 24, &[], &script) else {
        return;
    };
    let screen = terminal.wait(|screen| screen.contains("FINISHED"));
    assert_eq!(screen.matches(" up, connect ").count(), 2, "{screen}");
    assert_eq!(
        screen
            .matches("`live` requires a terminal that can move its cursor")
            .count(),
        2,
        "{screen}"
    );
}
