//! What README.md says of `tokenctl`, held against the program.

use std::process::Command;
use std::sync::Arc;

use tokend_proto::ErrorCode;

use crate::harness::finish;
use crate::peer::{Peer, error};

const README: &str = include_str!("../../../../README.md");

const TOKENCTL: &str = env!("CARGO_BIN_EXE_tokenctl");

#[test]
fn every_command_in_the_readme_is_understood_and_reaches_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("tokend.sock");
    let _peer = Peer::start(&socket, Arc::new(|_| error(ErrorCode::Denied, "no", None).into()));
    std::fs::write(dir.path().join("token.json"), r#"{"refresh_token":"RT"}"#).unwrap();
    let lines: Vec<&str> = README.lines().filter(|line| line.starts_with("tokenctl ")).collect();
    assert!(lines.len() >= 12, "{lines:#?}");
    for line in lines {
        // The shell takes off quotes and comments, as it does for a person.
        let mut command = Command::new("sh");
        command.args(["-c", &format!("tokenctl() {{ \"$TOKENCTL\" \"$@\"; }}\n{line}\n")]);
        command.env_clear().env("TOKENCTL", TOKENCTL).env("TOKEND_SOCKET", &socket).current_dir(dir.path());
        let output = finish(&mut command, b"");
        let denied = if line.starts_with("tokenctl exec ") { 125 } else { 4 };
        assert_eq!(output.status.code(), Some(denied), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_statuses_in_the_readme_are_those_of_the_help() {
    let help = finish(Command::new(TOKENCTL).arg("--help"), b"").stdout;
    let help = String::from_utf8(help).unwrap();
    let (_, help) = help.split_once("Exit status:\n").unwrap();
    let of_help: Vec<u8> = help.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    let (_, table) = README.split_once("| status | means |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let of_readme: Vec<u8> = rows.filter_map(|row| row.split('|').nth(1)?.trim().parse().ok()).collect();
    assert_eq!(of_readme, of_help);
    assert_eq!(of_readme, Vec::from_iter(0..=8));
}
