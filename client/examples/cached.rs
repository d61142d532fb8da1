//! Reads a token from memory again and again, and says how long one read takes:
//! `cargo run --release --example cached -- campus`

use std::hint::black_box;
use std::time::Duration;

use tokend_client::Client;
use tokio::time::Instant;

/// Reads that are measured at once.
const READS: u32 = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("the name of a token, please")?;
    let cached = Client::from_env().cached(&name)?;
    let token = cached.token().await?;
    println!("{name}: {} {}", token.scheme(), token.fingerprint());
    // The first one was asked for; from when the daemon has sent it, it is read from memory.
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
