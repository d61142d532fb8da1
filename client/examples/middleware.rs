//! A reqwest client whose requests carry the token of a name. It sends a request once more after a 401:
//! `cargo run --example middleware --features reqwest-middleware -- campus https://api.example.net/`

use std::error::Error;

use reqwest_middleware::{ClientBuilder, reqwest};
use tokend_client::{BearerToken, Client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("usage: middleware NAME URL".into());
    };
    // reqwest is built without a cryptography provider here, so the program installs one.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "there is another one")?;
    let url = reqwest::Url::parse(&url)?;
    let host = url.host_str().ok_or("the URL names no host")?;
    let token = BearerToken::new(Client::from_env(), name).host(host);
    let http = ClientBuilder::new(reqwest::Client::new()).with(token).build();
    println!("{}", http.get(url).send().await?.status());
    Ok(())
}
