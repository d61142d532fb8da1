//! Prints each new token of a name and each change of its health: `cargo run --example watch -- campus`

use tokend_client::{Change, Client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("the name of a token, please")?;
    let mut watch = Client::from_env().watch(&name)?;
    // An error means that the watch cannot go on: the name is gone, or may not be read any more.
    loop {
        match watch.next().await? {
            Change::Token(token) => println!("{name}: {} {}", token.scheme(), token.fingerprint()),
            Change::Health(report) => println!("{name}: {:?}", report.health),
            // The watch goes on by itself.
            Change::Interrupted(error) => eprintln!("{name}: {error}; trying again"),
            _ => {}
        }
    }
}
