//! A provider with one of everything in it, for a demo and for tests that need all four kinds.

use serde::Serialize;

use super::{Credentials, Provider};

/// Who and what there is. It has no `Debug`: there is a password in it.
#[derive(Clone, Serialize)]
pub struct Population {
    /// An API client without a workspace.
    pub central: Credentials,
    /// An MSP workspace's id, 32 hex digits.
    pub workspace: String,
    /// An API client of that workspace.
    pub glp: Credentials,
    /// Ids and names of its tenants.
    pub tenants: Vec<(String, String)>,
    /// An application of the Classic gateway, without a chain yet: see [`Provider::download_token`].
    pub classic: Credentials,
    /// Who can log in to Classic.
    pub username: String,
    /// With this password.
    pub password: String,
    /// For this customer.
    pub customer_id: String,
}

impl Population {
    /// The tenants' names, in the order of [`Population::tenants`].
    pub const TENANTS: [&str; 2] = ["Acme Corp", "Globex"];

    /// A provider with this population; the same one for the same seed.
    #[must_use]
    pub fn settle(seed: u64) -> (Provider, Self) {
        let mut provider = Provider::new(seed);
        let population = Self::add_to(&mut provider);
        (provider, population)
    }

    /// Adds a population to a provider.
    pub fn add_to(provider: &mut Provider) -> Self {
        let central = provider.add_api_client(None);
        let workspace = provider.add_workspace();
        let glp = provider.add_api_client(Some(&workspace));
        let tenant = |name: &&str| {
            let id = provider.add_tenant(&workspace, name).expect("the workspace has just been made");
            (id, (*name).to_owned())
        };
        let tenants = Self::TENANTS.iter().map(tenant).collect();
        let classic = provider.add_classic_client();
        let (username, password) = ("netops@example.net".to_owned(), provider.mint.alphanumeric(20));
        let customer_id = provider.mint.hex();
        provider.set_user(&username, &password, &customer_id);
        Self { central, workspace, glp, tenants, classic, username, password, customer_id }
    }
}
