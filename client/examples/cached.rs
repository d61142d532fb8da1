//! Reads a token from memory many times, and prints how long one read takes:
//! `cargo run --release --example cached -- campus`

use std::hint::black_box;
use std::time::Duration;

use tokend_client::Client;
use tokio::time::Instant;

/// How many reads one measurement covers.
const READS: u32 = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("the name of a token, please")?;
    let cached = Client::from_env().cached(&name)?;
    let token = cached.token().await?;
    println!("{name}: {} {}", token.scheme(), token.fingerprint());
    // The first read asks the daemon; later ones read memory.
    while cached.current().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let start = Instant::now();
    for _ in 0..READS {
        black_box(cached.token().await?.secret());
    }
    println!("{:?} for each of {READS} reads", start.elapsed() / READS);
    Ok(())
}
