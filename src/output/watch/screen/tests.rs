use super::*;
use crate::failure::Status;
use crate::output::text::ColorMode;
use crate::output::watch::styled::rendered;
use crate::output::watch::test_views::ScriptedRun;

const UNICODE: ScreenOptions = ScreenOptions {
    glyphs: Glyphs::Unicode,
    zoom: 1,
    frozen: false,
};
const ASCII: ScreenOptions = ScreenOptions {
    glyphs: Glyphs::Ascii,
    ..UNICODE
};

fn drawn(run: &ScriptedRun, columns: usize, rows: usize, options: ScreenOptions) -> Vec<String> {
    let size = ScreenSize { columns, rows };
    let lines = lines(&run.view(), size, options);
    rendered(&lines, size, ColorMode::Off, options.glyphs)
}

fn outage_run() -> ScriptedRun {
    let mut run = ScriptedRun::new(&["mx1.example.org:25"]);
    run.play(100, |_, second| match second {
        40..45 => Status::Refused,
        70..71 => Status::Reset,
        90.. => Status::ConnectTimeout,
        _ => Status::Ok,
    });
    run
}

#[test]
fn a_screen_of_80_by_24() {
    let screen = drawn(&outage_run(), 80, 24, UNICODE);
    let text = screen.join("\n");
    assert_eq!(screen.len(), 24, "{text}");
    assert_eq!(
        screen[0],
        "DOWN 10.0 s  mx1.example.org:25  every 1s, for 1m 40s, 03:04:47"
    );
    assert_eq!(
        screen[1],
        "first failed 03:03:47, refused; 3 outages, down 16.0 s in total"
    );
    assert!(screen[2].contains("connect to 192.0.2.7:25: it is connect_timeout"));
    assert!(
        screen[3].contains("1 min 25.4 %   10 min 16.0 %   all 16.0 % (16 of 100)"),
        "{text}"
    );
    assert!(text.contains("TTTTT"), "{text}");
    assert!(text.contains("R refused, X reset, T no answer"), "{text}");
    assert!(
        text.contains("outage  03:04:37  10.0 s so far  no answer to the SYN"),
        "{text}"
    );
    assert!(screen[23].starts_with("q quit   space freeze"));
}

#[test]
fn every_size_is_drawn_within_its_bounds() {
    let mut several = ScriptedRun::new(&["a:22", "b:443", "gw.example.org:80"]);
    several.play(300, |target, second| match (target, second % 50) {
        (1, 10..20) => Status::Refused,
        (2, 30..) => Status::ConnectTimeout,
        _ => Status::Ok,
    });
    let many: Vec<String> = (0..64).map(|index| format!("host{index}:22")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut many = ScriptedRun::new(&many);
    many.play(3, |target, _| {
        if target == 63 {
            Status::Reset
        } else {
            Status::Ok
        }
    });
    let runs = [outage_run(), several, many, ScriptedRun::new(&["a:1"])];
    for run in &runs {
        for columns in (1..100).chain([400]) {
            for rows in (1..40).chain([200]) {
                for options in [UNICODE, ASCII] {
                    let screen = drawn(run, columns, rows, options);
                    assert!(!screen.is_empty() && screen.len() <= rows);
                    for line in &screen {
                        assert!(StyledLine::new(Plain, line).width() <= columns, "{line:?}");
                        assert!(
                            options.glyphs == Glyphs::Unicode || line.is_ascii(),
                            "{line:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_state_is_what_is_left_on_the_smallest_screen() {
    let run = outage_run();
    assert_eq!(drawn(&run, 1, 1, UNICODE), ["D"]);
    assert_eq!(drawn(&run, 4, 1, ASCII), ["DOWN"]);
    assert_eq!(drawn(&ScriptedRun::new(&["a:1"]), 1, 1, UNICODE), ["."]);
}

#[test]
fn a_split_of_20_columns_has_short_lines() {
    let screen = drawn(&outage_run(), 20, 24, UNICODE);
    assert_eq!(screen[0], "DOWN 10.0 s mx1.exam");
    assert_eq!(screen[1], "1st 03:03:47 refused");
    assert_eq!(screen[3], "lost 25.4/16.0/16.0 ");
    assert!(screen[4].starts_with("conn - p95 0.84"), "{screen:#?}");
}

#[test]
fn several_targets_have_their_marks_below_each_other() {
    let mut run = ScriptedRun::new(&["a:22", "b:443", "gw:80"]);
    run.play(30, |target, second| match (target, second) {
        (2, 20..) => Status::ConnectTimeout,
        (1, 22..25) => Status::Refused,
        _ => Status::Ok,
    });
    let screen = drawn(&run, 100, 12, ASCII);
    let text = screen.join("\n");
    assert_eq!(
        screen[0],
        "DOWN 1 of 3   2 up, every 1s, for 30.0 s, 03:03:37"
    );
    assert_eq!(
        screen[1],
        "failed first: gw:80 at 03:03:27 (no answer to the SYN), b:443 2.0 s later"
    );
    let tall = drawn(&run, 80, 40, ASCII).join("\n");
    let column = |mark: &str| {
        let row = tall
            .lines()
            .find(|line| line.trim().starts_with(mark))
            .unwrap();
        row.find(mark).unwrap()
    };
    assert_eq!(column("RRR"), column("TTTTTTTTTT") + 2, "{tall}");
    assert!(text.contains("DOWN gw:80  10.0 s"), "{text}");
}

#[test]
fn of_too_many_targets_those_that_are_down_are_shown() {
    let labels: Vec<String> = (0..64).map(|index| format!("host{index}:22")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let mut run = ScriptedRun::new(&labels);
    run.play(3, |target, _| {
        if target == 63 {
            Status::Reset
        } else {
            Status::Ok
        }
    });
    let text = drawn(&run, 80, 24, ASCII).join("\n");
    assert!(text.contains("\nDOWN host63:22"), "{text}");
    assert!(text.contains("more targets"), "{text}");
}

#[test]
fn hostile_texts_do_not_reach_the_terminal() {
    let mut run = ScriptedRun::new(&["a\x1b[2J\u{202e}:1"]);
    run.play(3, |_, _| Status::Mismatch);
    for options in [UNICODE, ASCII] {
        let text = drawn(&run, 80, 24, options).concat();
        assert!(
            !text.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{text:?}"
        );
    }
}
