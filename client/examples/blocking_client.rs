//! A program without a runtime: `cargo run --example blocking_client -- campus`
//!
//! With `default-features = false` in its Cargo.toml it does not compile tokio.

use std::time::Duration;

use tokend_client::blocking::Client;
use tokend_client::{Error, TokenOptions};

fn main() -> Result<(), Error> {
    let client = Client::from_env();
    let options = TokenOptions { min_ttl: Duration::from_secs(60), ..TokenOptions::default() };
    for name in std::env::args().skip(1) {
        let token = client.token_with(&name, options)?;
        // `token.secret()` is for the header of a call. When that is answered 401:
        // `let token = client.reject(&token)?;`
        println!("{}: {} {}", token.name(), token.scheme(), token.fingerprint());
    }
    Ok(())
}
