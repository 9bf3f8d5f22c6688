//! The plugin, alone and with its agent, that does not run for a while: by SIGSTOP and by the freezers of cgroups. A pause
//! of this machine makes no target down.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread::{scope, sleep};
use std::time::Duration;

use super::fake_agent::{FakeAgent, result_of};
use super::real_agents::{plugins_of, with_plugin};
use crate::freezer::Freezer;
use crate::scripted_peer::{Peer, closed_port};
use crate::support::skip;

const GREETING: &[u8] = b"SSH-2.0-x\r\n";
/// Of a request, in seconds. The plugin answers half a second before.
const TIMEOUT: u32 = 2;
/// Longer than that.
const PAUSE: Duration = Duration::from_millis(2300);

/// How processes are paused.
enum Pause {
    Stop,
    Freeze(Freezer),
}

impl Pause {
    /// All that are possible here; SIGSTOP always is.
    fn all() -> Vec<Self> {
        let freezers = Freezer::all();
        if freezers.is_empty() {
            skip("no cgroup with a freezer can be made here");
        }
        let freezers = freezers.into_iter().map(Self::Freeze);
        [Self::Stop].into_iter().chain(freezers).collect()
    }

    /// Pauses these processes while this happens.
    fn during(&self, pids: &[u32], happens: impl FnOnce()) {
        match self {
            Self::Stop => signal("STOP", pids),
            Self::Freeze(freezer) => {
                for pid in pids {
                    freezer.add(*pid);
                }
                freezer.freeze();
            }
        }
        happens();
        match self {
            Self::Stop => signal("CONT", pids),
            Self::Freeze(freezer) => freezer.thaw(),
        }
    }
}

fn signal(name: &str, pids: &[u32]) {
    let mut kill = Command::new("kill");
    kill.args(["-s", name])
        .args(pids.iter().map(u32::to_string));
    assert!(kill.status().unwrap().success());
}

/// What the peer does while the plugin is paused, and the status afterwards.
#[track_caller]
fn status_after(pause: &Pause, happens: impl FnOnce(&mut TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut agent = FakeAgent::configured(&[]);
    let words = ["127.0.0.1", &port, "ssh", "status"];
    let id = agent.request("tcp.check", &words, Some(TIMEOUT));
    let (mut stream, _) = listener.accept().unwrap();
    // Until it waits for the greeting.
    sleep(Duration::from_millis(300));
    pause.during(&[agent.child.id()], || happens(&mut stream));
    let answer = agent.answer();
    assert_eq!(answer["id"], id, "{answer}");
    // The pause has no effect on later requests.
    let peer = Peer::greeting(GREETING);
    let words = ["127.0.0.1", &peer.port(), "ssh"];
    assert_eq!(agent.ask("tcp.check", &words), Ok("1".to_owned()));
    agent.end();
    result_of(&answer).unwrap()
}

/// Both the engine and the watch for overdue requests go on after a long pause, and the first of them answers.
#[test]
fn a_pause_of_the_plugin_makes_no_target_down() {
    for pause in Pause::all() {
        let short = status_after(&pause, |stream| {
            stream.write_all(GREETING).unwrap();
            sleep(PAUSE / 4);
        });
        assert_eq!(short, "0");
        let in_time = status_after(&pause, |stream| {
            stream.write_all(GREETING).unwrap();
            sleep(PAUSE);
        });
        assert!(NOT_DOWN.contains(&&*in_time), "{in_time}");
        let too_late = status_after(&pause, |stream| {
            sleep(PAUSE);
            stream.write_all(GREETING).unwrap();
            sleep(Duration::from_millis(200));
        });
        assert!(["15", "17"].contains(&&*too_late), "{too_late}");
        let silent = status_after(&pause, |_| sleep(PAUSE));
        assert!(["8", "15", "17"].contains(&&*silent), "{silent}");
    }
}

/// Statuses that do not say that a target is down: up, and unknown.
const NOT_DOWN: [&str; 3] = ["0", "15", "17"];

/// The agent's own timeout is over when both go on, so it may answer by itself with an error.
#[test]
fn an_agent_and_its_plugin_go_on_after_a_pause() {
    for pause in Pause::all() {
        let Some(mut agent) = with_plugin("") else {
            return;
        };
        let (peer, closed) = (Peer::greeting(GREETING), closed_port());
        let good = format!("127.0.0.1,{},ssh,status", peer.port());
        assert_eq!(agent.check(&good), "0");
        let plugins = plugins_of(agent.pid());
        assert_eq!(plugins.len(), 1);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = scope(|scope| {
            let asking = scope.spawn(|| agent.check(&format!("127.0.0.1,{port},ssh,status")));
            let (mut stream, _) = listener.accept().unwrap();
            pause.during(&[agent.pid(), plugins[0]], || {
                stream.write_all(GREETING).unwrap();
                sleep(2 * PAUSE);
            });
            asking.join().unwrap()
        });
        let is_status = answer.parse::<u8>().is_ok();
        assert!(!is_status || NOT_DOWN.contains(&&*answer), "{answer}");
        for _ in 0..20 {
            assert_eq!(agent.check(&good), "0");
            assert_eq!(agent.check(&format!("127.0.0.1,{closed},,status")), "3");
        }
        assert_eq!(plugins_of(agent.pid()), plugins);
        assert_eq!(agent.ended(), None, "{}", agent.log());
    }
}
