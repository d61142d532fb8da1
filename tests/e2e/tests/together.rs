//! Tests that wait for most of their time, for tokens to end and pauses to pass: one program, so that they do so at the
//! same time. Cargo runs one program after the other, and these waited for minutes in a row.
//!
//! Each is a program of its own too, for who works on it: `cargo test -p tokend-tests-e2e --test outage`.

#[path = "classic/main.rs"]
mod classic;
#[path = "disk/main.rs"]
mod disk;
#[path = "each_kind.rs"]
mod each_kind;
#[path = "lifecycle/main.rs"]
mod lifecycle;
#[path = "oauth2.rs"]
mod oauth2;
#[path = "odd_provider/main.rs"]
mod odd_provider;
#[path = "outage.rs"]
mod outage;
#[path = "peers/main.rs"]
mod peers;
#[path = "reject.rs"]
mod reject;
#[path = "secrecy/main.rs"]
mod secrecy;
#[path = "secrets.rs"]
mod secrets;
#[path = "waiting.rs"]
mod waiting;
#[path = "watching.rs"]
mod watching;
#[path = "wrong_secret.rs"]
mod wrong_secret;
