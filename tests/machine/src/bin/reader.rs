//! A peer that reads tokens in a loop until its standard input ends, and then says how it went: `reader HOW NAME...`.
//!
//! HOW is `held`, one connection for all reads, or `once`, a `tokenctl` for each. It prints a JSON object: `reads`, the
//! number of different `tokens`, and `complaints`, which is empty when every read brought a token that had not expired.

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use harness::reading::{Stop, read_with_client};
use serde_json::{Value, json};

/// Between two reads: no moment goes unseen, and a processor is left for the daemon.
const PAUSE: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reader: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((how, names)) = arguments.split_first().filter(|(_, names)| !names.is_empty()) else {
        return Err("usage: reader held|once NAME...".into());
    };
    let stop = Stop::default();
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = stop.on_drop();
            let _ = io::stdin().read_to_end(&mut Vec::new());
        });
        match how.as_str() {
            "held" => Ok(held(names, &stop)),
            "once" => once(names, &stop),
            other => Err(format!("{other:?} is neither held nor once").into()),
        }
    });
    // The other thread may wait for input still; the process ends all the same.
    let report: Result<Value, Box<dyn Error>> = report;
    writeln!(io::stdout().lock(), "{}", report?)?;
    Ok(())
}

fn held(names: &[String], stop: &Stop) -> Value {
    let tally = read_with_client(&tokend_client::socket_path(), names, PAUSE, stop, None);
    let reads: u64 = tally.names.values().map(|name| name.reads).sum();
    let tokens: usize = tally.names.values().map(|name| name.tokens.len()).sum();
    json!({ "reads": reads, "tokens": tokens, "complaints": tally.complaints })
}

fn once(names: &[String], stop: &Stop) -> Result<Value, Box<dyn Error>> {
    let (mut reads, mut tokens, mut complaints) = (0_u64, HashSet::new(), Vec::new());
    for name in names.iter().cycle() {
        if stop.is_set() || complaints.len() >= 20 {
            break;
        }
        let output = Command::new("tokenctl").args(["get", name]).stdin(Stdio::null()).output()?;
        if output.status.success() {
            reads += 1;
            tokens.insert(output.stdout);
        } else {
            complaints.push(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(json!({ "reads": reads, "tokens": tokens.len(), "complaints": complaints }))
}
