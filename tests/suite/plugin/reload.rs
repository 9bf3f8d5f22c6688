//! Changes of the configuration and of the policy while the plugin runs.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::fake_agent::{FakeAgent, PATIENCE};
use crate::config::ConfigFile;
use crate::private_etc::Etc;
use crate::program::program;
use crate::scripted_peer::Peer;

/// Asks until the answer is this one; asserts that it comes, and that all answers before are `before`.
#[track_caller]
fn becomes(agent: &mut FakeAgent, key: &str, parameters: &[&str], before: &str, after: &str) {
    let start = Instant::now();
    loop {
        let answer = agent.ask(key, parameters).unwrap();
        if answer.contains(after) {
            return;
        }
        assert!(
            answer.contains(before),
            "neither {before} nor {after}: {answer}"
        );
        assert!(start.elapsed() < PATIENCE, "still {before}");
        sleep(Duration::from_millis(50));
    }
}

/// Asks long enough for two checks of the files; asserts that the answer does not change.
#[track_caller]
fn stays(agent: &mut FakeAgent, key: &str, parameters: &[&str], value: &str) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(4500) {
        let answer = agent.ask(key, parameters).unwrap();
        assert!(answer.contains(value), "not {value}: {answer}");
        sleep(Duration::from_millis(100));
    }
}

fn config(reply: &str, port: u16) -> String {
    format!(
        "[services.mine]\nsteps = [{{ expect = \"{reply}\" }}]\n\
         [[targets]]\nid = \"{reply}\"\nhost = \"127.0.0.1\"\nport = {port}\n"
    )
}

#[test]
fn a_changed_configuration_is_used_and_a_mistake_keeps_the_old_one() {
    let peer = Peer::greeting(b"hello\r\n");
    let (port, number) = (peer.port(), peer.address().port());
    let file = ConfigFile::new(config("hello", number));
    let mut agent = FakeAgent::configured(&[("Config", &file.path())]);
    let check = ["127.0.0.1", &port, "mine", "status", "1"];
    assert_eq!(agent.ask("tcp.check", &check), Ok("0".into()));
    let rows = ["targets"];
    assert!(agent.ask("tcp.discovery", &rows).unwrap().contains("hello"));
    let write = |text: &str| drop(file.beside("config.toml", text, 0o640));

    write(&config("other", number));
    becomes(&mut agent, "tcp.check", &check, "0", "9");
    becomes(&mut agent, "tcp.discovery", &rows, "hello", "other");

    for (number, mistake) in (1..).zip([
        "[services.mine",
        "[services.mine]\nsteps = [{ expect = 5 }]\n",
        "[services.mine]\nsteps = [{ expect_regex = \"(\" }]\n",
        "[[targets]]\nhost = \"127.0.0.1\"\nprot = 1\n",
        "[defaults]\ntimeout = \"x\"\n",
    ]) {
        write(mistake);
        stays(&mut agent, "tcp.check", &check, "9");
        assert!(agent.ask("tcp.discovery", &rows).unwrap().contains("other"));
        assert_eq!(agent.log.len(), number, "{mistake}: {:?}", agent.log);
        let (severity, line) = agent.log.last().cloned().unwrap();
        let start = "the new configuration is not used, because of an error: ";
        assert!(severity == 2 && line.starts_with(start), "{line}");
        assert!(line.contains("config.toml"), "{line}");
        // The document of the old configuration contains this error too.
        let document = agent.ask("tcp.batch", &[]).unwrap();
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["summary"]["error"], line);
        assert_eq!(document["targets"]["other"]["up"], 1, "{document}");
    }
    // The named file does not exist any more: an error as well.
    fs::remove_file(file.path()).unwrap();
    stays(&mut agent, "tcp.check", &check, "9");
    assert_eq!(agent.log.len(), 6, "{:?}", agent.log);
    write(&config("hello", number));
    becomes(&mut agent, "tcp.check", &check, "9", "0");
    becomes(&mut agent, "tcp.batch", &[], "other", "hello");
    let document = agent.ask("tcp.batch", &[]).unwrap();
    assert!(
        !document.contains("\"invalid\"") && !document.contains("is not used"),
        "{document}"
    );
    agent.end();
}

#[test]
fn a_first_configuration_with_a_mistake_is_the_value_until_it_is_corrected() {
    let peer = Peer::greeting(b"hello\r\n");
    let (port, number) = (peer.port(), peer.address().port());
    let file = ConfigFile::new("[services.mine\n");
    let mut agent = FakeAgent::configured(&[("Config", &file.path())]);
    let check = ["127.0.0.1", &port, "mine", "status", "1"];
    let said = agent.ask("tcp.check", &check).unwrap();
    assert!(
        said.starts_with(&format!("zbx-tcp: {}:1: ", file.path())),
        "{said}"
    );
    let answer = agent.ask("tcp.check", &["127.0.0.1", &port, "mine", "json"]);
    let document: serde_json::Value = serde_json::from_str(&answer.unwrap()).unwrap();
    assert_eq!(
        (&document["status"], &document["service"]),
        (&15.into(), &"mine".into())
    );
    let document: serde_json::Value =
        serde_json::from_str(&agent.ask("tcp.batch", &[]).unwrap()).unwrap();
    let told = document["summary"]["error"].as_str().unwrap();
    assert!(said.ends_with(told) && !told.is_empty(), "{told}");
    assert_eq!(document.get("discovery"), None, "{document}");
    file.beside("config.toml", config("hello", number), 0o640);
    becomes(&mut agent, "tcp.check", &check, "zbx-tcp: ", "0");
    becomes(&mut agent, "tcp.batch", &[], "error", "\"discovery\":[");
    agent.end();
}

#[test]
fn an_error_in_a_target_is_its_value() {
    let peer = Peer::greeting(b"");
    let number = peer.address().port();
    let file = ConfigFile::new(format!(
        "[[targets]]\nid = \"good\"\nhost = \"127.0.0.1\"\nport = {number}\n\
         [[targets]]\nid = \"bad\"\nhost = \"127.0.0.1\"\nport = {number}\ntimeout = \"x\"\n"
    ));
    let mut agent = FakeAgent::configured(&[("Config", &file.path())]);
    let answer = agent.ask("tcp.batch", &[]).unwrap();
    let document: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(document["targets"]["good"]["up"], 1, "{document}");
    assert_eq!(document["targets"]["bad"]["status"], 15, "{document}");
    assert_eq!(document["discovery"][1]["{#TCP.ID}"], "bad", "{document}");
    let printed = file.run(&["batch"]).out;
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    for member in ["invalid", "error", "unknown"] {
        assert_eq!(document["summary"][member], printed["summary"][member]);
    }
    agent.end();
}

#[test]
fn a_changed_policy_is_used_and_a_mistake_keeps_the_old_one() {
    let Some(etc) = Etc::new() else { return };
    let peer = Peer::greeting(b"hello\r\n");
    let port = peer.port();
    let policy = etc.path("zbx-tcp/policy.toml");
    // Written beside and renamed, as package managers and editors do.
    let write = |text: &str| {
        fs::write(etc.path("zbx-tcp/new"), text).unwrap();
        fs::rename(etc.path("zbx-tcp/new"), &policy).unwrap();
    };
    let mut command = etc.command(&[]);
    command.arg(program().get_program()).env("LC_ALL", "C");
    let mut agent = FakeAgent::start_by(command).with_options(&[]);
    let check = ["127.0.0.1", &port, "", "status_name"];
    assert_eq!(agent.ask("tcp.check", &check), Ok("ok".into()));
    write("deny = [\"127.0.0.0/8\"]\n");
    becomes(&mut agent, "tcp.check", &check, "ok", "denied");
    write("deny = [\"127.0.0.0/8\"\n");
    stays(&mut agent, "tcp.check", &check, "denied");
    assert_eq!(agent.log.len(), 1, "{:?}", agent.log);
    let start = "the new policy is not used, because of an error: ";
    assert!(agent.log[0].1.starts_with(start), "{:?}", agent.log);
    fs::remove_file(&policy).unwrap();
    becomes(&mut agent, "tcp.check", &check, "denied", "ok");
    agent.end();
}

#[test]
fn a_first_policy_with_a_mistake_denies_everything() {
    let Some(etc) = Etc::new() else { return };
    let peer = Peer::greeting(b"hello\r\n");
    fs::write(etc.path("zbx-tcp/policy.toml"), "alow = []\n").unwrap();
    let mut command = etc.command(&[]);
    command.arg(program().get_program()).env("LC_ALL", "C");
    let mut agent = FakeAgent::start_by(command).with_options(&[]);
    let check = ["127.0.0.1", &peer.port(), "", "status_name"];
    assert_eq!(agent.ask("tcp.check", &check), Ok("denied".into()));
    fs::write(etc.path("zbx-tcp/policy.toml"), "allow = [\"127.0.0.1\"]\n").unwrap();
    becomes(&mut agent, "tcp.check", &check, "denied", "ok");
    agent.end();
}
