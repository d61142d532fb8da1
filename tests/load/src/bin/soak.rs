//! Very many connections and requests against the real daemon, and its memory in the course of them.

use std::process::ExitCode;

use clap::Parser;
use harness::{Procfs, World};
use load::Soak;

/// Starts a daemon against a sandbox, makes many connections and requests, and prints its resident memory.
///
/// Builds the daemon in its own profile: to be run with --release. Fails when memory has grown by more than it may.
#[derive(Parser)]
struct Options {
    /// Connections, each of which asks once.
    #[arg(long, default_value_t = 100_000)]
    connections: usize,
    /// Requests, pipelined, on connections that stay.
    #[arg(long, default_value_t = 10_000_000)]
    requests: usize,
    /// KiB that the daemon may have grown by since the warm-up of a tenth of that.
    #[arg(long, default_value_t = 512)]
    most: i64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let world = World::new(1);
    world.configure("", &[world.central("campus")]);
    let daemon = world.start();
    let _ = world.ctl().token("campus");
    let soak = Soak::run(&world.socket(), "campus", Procfs::of(daemon.pid()), options.connections, options.requests);
    let soak = match soak {
        Ok(soak) => soak,
        Err(error) => {
            eprintln!("soak: {}", tokend::error::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    println!("{} connections and {} requests in {:.1} s", soak.connections, soak.requests, soak.seconds);
    println!("VmRSS in KiB, after a tenth and then at each tenth: {:?}", soak.resident_kib);
    println!("grown by {} KiB; {} allowed", soak.growth_kib(), options.most);
    if soak.growth_kib() <= options.most { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
