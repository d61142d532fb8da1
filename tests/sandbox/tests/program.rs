//! The `sandbox` program as a person starts it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Ends the program however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sandbox() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sandbox"))
}

#[test]
fn it_prints_where_it_is_and_who_may_ask_and_ends_well_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token.json");
    let mut command = sandbox();
    command.args(["--life", "77"]).arg("--download-token").arg(&file).stdout(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let (send, card) = mpsc::channel();
    let stdout = running.0.stdout.take().unwrap();
    thread::spawn(move || send.send(serde_json::Deserializer::from_reader(stdout).into_iter::<Value>().next()));
    let card = card.recv_timeout(Duration::from_secs(60)).unwrap().unwrap().unwrap();

    let token: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(token["expires_in"], 77);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reply: Value = runtime.block_on(async {
        let form = [
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", text(&card["central"]["client_id"])),
            ("client_secret", text(&card["central"]["client_secret"])),
        ];
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        http.post(text(&card["token_endpoint"])).form(&form).send().await.unwrap().json().await.unwrap()
    });
    assert_eq!(reply["expires_in"], 77);

    let pid = Pid::from_raw(running.0.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let (send, ended) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| send.send(running.0.wait().unwrap()));
        let status = ended.recv_timeout(Duration::from_secs(60)).inspect_err(|_| {
            // Else the thread that waits for it, and the scope with it, would never end.
            let _ = kill(pid, Signal::SIGKILL);
        });
        assert!(status.unwrap().success());
    });
}

#[test]
fn it_refuses_an_address_off_loopback() {
    let output = sandbox().args(["--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "sandbox: the sandbox listens on loopback only, not on 0.0.0.0:0; use 127.0.0.1 or ::1\n");
}

#[test]
fn its_help_lists_every_fault_and_habit() {
    let ran = sandbox().arg("--help").output().unwrap();
    // Long lines are wrapped.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words(std::str::from_utf8(&ran.stdout).unwrap());
    for (fault, is) in sandbox::catalog() {
        assert!(text.contains(&fault) && text.contains(is), "{fault}");
    }
    assert!(
        ["same_token: false", "largest_page: 300", "refused_body: \"none\""].iter().all(|quirk| text.contains(quirk))
    );
    let brief = String::from_utf8(sandbox().arg("-h").output().unwrap().stdout).unwrap();
    assert!(!brief.contains("no-last-chunk"), "that is for the long help");
}
