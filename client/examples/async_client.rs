//! A program with tokio that asks for the tokens of several names at once, over one connection:
//! `cargo run --example async_client -- campus msp`

use tokend_client::{Client, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::from_env();
    let mut asked = tokio::task::JoinSet::new();
    for name in std::env::args().skip(1) {
        let client = client.clone();
        asked.spawn(async move { client.token(&name).await });
    }
    for token in asked.join_all().await {
        let token = token?;
        // `token.secret()` is for the header of a call. When that is answered 401:
        // `let token = client.reject(&token).await?;`
        println!("{}: {} {}", token.name(), token.scheme(), token.fingerprint());
    }
    Ok(())
}
