//! Who there is: the provider with its clients and tenants, and the operator's configuration and secrets.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokend::core::settings::{
    ClientCredentials, Endpoint, Fraction, Kind, Login, ParamStyle, Profile, Settings, Tenants,
};
use tokend_proto::{ProfileName, TenantRef, TokenName, WorkspaceId};

use super::access::{self, AccessRule};
use super::rng::Rng;
use super::{Kept, Plan};
use sandbox::{DeadSubject, Lives, OffsetCounts, Provider, Quirks, RateLimits};

const USER: &str = "netops@example.net";
const CUSTOMER: &str = "customer";

/// Where the texts of a profile's secrets lie.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Vault {
    pub(super) secrets: Vec<String>,
    pub(super) password: Option<String>,
    /// The files cannot be read.
    pub(super) locked: bool,
    /// Each reading brings another text.
    pub(super) changing: Option<Changing>,
}

/// How a secret changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changing {
    /// To another one that is right, as a vault's that leases secrets.
    Right(u64),
    /// To another one that is wrong.
    Wrong(u64),
}

/// A configuration file.
#[derive(Clone, PartialEq)]
pub(super) struct Configuration {
    pub(super) profiles: BTreeMap<ProfileName, Arc<Profile>>,
    pub(super) rate: NonZeroU32,
    pub(super) rules: Vec<AccessRule>,
}

impl Configuration {
    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::new(Settings {
            profiles: self.profiles.clone(),
            refresh_at: Fraction::new(0.66).expect("a fraction"),
            jitter: Fraction::new(0.07).expect("a fraction"),
            max_requests_per_second: self.rate,
        })
    }
}

/// Everything outside of the daemon's machine, and what the operator knows of it.
pub(super) struct World {
    pub(super) provider: Provider,
    /// The secrets that the provider takes, by client.
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) password: String,
    /// As the operator wants it to be.
    pub(super) good: Configuration,
    /// As the file is now.
    pub(super) file: Configuration,
    pub(super) vaults: BTreeMap<ProfileName, Vault>,
    /// Tenants by profile, those that are listed now.
    pub(super) tenants: BTreeMap<ProfileName, Vec<WorkspaceId>>,
    /// The workspace of a profile with tenants.
    pub(super) workspaces: BTreeMap<ProfileName, String>,
    pub(super) classic_clients: Vec<String>,
    /// Tokens live as long as is documented.
    pub(super) usual_lives: bool,
    /// Another client for `central` profiles.
    pub(super) other_central: String,
    /// What the provider does where nobody is certain, but for a while.
    pub(super) quirks: Quirks,
}

impl World {
    pub(super) fn settle(plan: &Plan, rng: &mut Rng) -> Self {
        let mut provider = Provider::new(rng.next());
        play_it_either_way(&mut provider, plan, rng);
        let rate = NonZeroU32::new(rng.between(2, 8) as u32).expect("two at least");
        let empty = Configuration { profiles: BTreeMap::new(), rate, rules: Vec::new() };
        let mut world = Self {
            provider,
            secrets: BTreeMap::new(),
            password: "correct horse".to_owned(),
            good: empty.clone(),
            file: empty,
            vaults: BTreeMap::new(),
            tenants: BTreeMap::new(),
            workspaces: BTreeMap::new(),
            classic_clients: Vec::new(),
            usual_lives: true,
            other_central: String::new(),
            quirks: Quirks::default(),
        };
        world.quirks = world.provider.quirks();
        let lives = world.provider.lives();
        world.usual_lives = lives == Lives { session: lives.session, ..Lives::default() };
        world.provider.set_user(USER, &world.password, CUSTOMER);
        world.other_central = world.api_client(None);
        let (centrals, msps, classics) = match plan.kept {
            Kept::One => (1, 1, 2),
            Kept::Many => (rng.between(1, 2), rng.between(1, 2), rng.between(1, 3)),
        };
        for n in 0..centrals {
            let client = world.api_client(None);
            world.add(
                &format!("campus-{n}"),
                client,
                Kind::ClientCredentials(ClientCredentials::central(endpoint("sso", "/as/token.oauth2"))),
            );
        }
        for n in 0..msps {
            world.add_msp(&format!("msp-{n}"), n, plan, rng);
        }
        world.add_classics(classics, plan, rng);
        if plan.kept == Kept::Many {
            world.good.rules = access::some_rules(&world.all_names(), rng);
        }
        world.file = world.good.clone();
        world.unlock();
        world
    }

    fn add_msp(&mut self, name: &str, number: u64, plan: &Plan, rng: &mut Rng) {
        let workspace = self.provider.add_workspace();
        let client = self.api_client(Some(&workspace));
        let count = match (plan.kept, number) {
            (Kept::One, _) => 2,
            (Kept::Many, 0) => *rng.pick(&[3, 8, 30, 120]).expect("some"),
            _ => 0,
        };
        let mut ids = Vec::new();
        for tenant in 0..count {
            // Some share a name.
            let text =
                self.provider.add_tenant(&workspace, &format!("Tenant {}", tenant / 2 * 2)).expect("it is there");
            ids.push(text.parse::<WorkspaceId>().expect("32 hex digits"));
        }
        let warm = match plan.kept {
            Kept::One => vec![TenantRef::Id(ids[0])],
            Kept::Many => ids.iter().take(rng.index(3)).map(|id| TenantRef::Id(*id)).collect(),
        };
        let tenants = (count > 0).then_some(Tenants { warm });
        let id = workspace.parse().expect("32 hex digits");
        let profile = self.add(name, client, Kind::Glp { base_url: endpoint("glp", ""), workspace: id, tenants });
        if count > 0 {
            self.tenants.insert(profile.clone(), ids);
            self.workspaces.insert(profile, workspace);
        }
    }

    /// Chains, with and without a login; some share a client and so its quota.
    fn add_classics(&mut self, count: u64, plan: &Plan, rng: &mut Rng) {
        for n in 0..count {
            let shared = plan.kept == Kept::Many && n > 0 && rng.chance(0.5);
            let client = match self.classic_clients.first().filter(|_| shared) {
                Some(client) => client.clone(),
                None => {
                    let client = self.provider.add_classic_client();
                    self.secrets.insert(client.client_id.clone(), client.client_secret);
                    self.classic_clients.push(client.client_id.clone());
                    client.client_id
                }
            };
            let login = match plan.kept {
                Kept::One => n == 0,
                Kept::Many => rng.chance(0.6),
            };
            let kind = Kind::Classic {
                gateway: endpoint("gateway", ""),
                before: Duration::from_secs(600),
                param_style: ParamStyle::Form,
                login: login.then(|| Login { username: USER.to_owned(), customer_id: CUSTOMER.to_owned() }),
            };
            self.add(&format!("legacy-{n}"), client, kind);
        }
        if plan.kept == Kept::Many {
            // Nobody's, unless an operator makes a profile its own.
            let other = self.provider.add_classic_client();
            self.secrets.insert(other.client_id.clone(), other.client_secret);
            self.classic_clients.push(other.client_id);
        }
    }

    fn add(&mut self, name: &str, client_id: String, kind: Kind) -> ProfileName {
        let name: ProfileName = name.parse().expect("a name");
        let profile = Arc::new(Profile { name: name.clone(), client_id, kind });
        self.good.profiles.insert(name.clone(), profile);
        name
    }

    pub(super) fn api_client(&mut self, workspace: Option<&str>) -> String {
        let client = self.provider.add_api_client(workspace);
        self.secrets.insert(client.client_id.clone(), client.client_secret);
        client.client_id
    }

    /// Every vault holds what the provider takes, for the file as it is.
    pub(super) fn unlock(&mut self) {
        let names: Vec<ProfileName> = self.good.profiles.keys().cloned().collect();
        for name in names {
            let vault = self.right_vault(&name);
            self.vaults.insert(name, vault);
        }
    }

    /// Whether they do already.
    pub(super) fn is_unlocked(&self) -> bool {
        self.good.profiles.keys().all(|name| self.vaults.get(name) == Some(&self.right_vault(name)))
    }

    /// The secrets of a profile are about to be read.
    pub(super) fn another_secret(&mut self, name: &ProfileName) {
        let client = self.file.profiles.get(name).unwrap_or(&self.good.profiles[name]).client_id.clone();
        let Some(vault) = self.vaults.get_mut(name) else { return };
        match &mut vault.changing {
            None => {}
            Some(Changing::Right(count)) => {
                *count += 1;
                let text = format!("lease {count} of {client}");
                self.provider.add_secret(&client, &text).expect("a client");
                vault.secrets = vec![text];
            }
            Some(Changing::Wrong(count)) => {
                *count += 1;
                vault.secrets = vec![format!("slip {count} of the pen")];
            }
        }
    }

    fn right_vault(&self, name: &ProfileName) -> Vault {
        let client = &self.file.profiles.get(name).unwrap_or(&self.good.profiles[name]).client_id;
        Vault { secrets: vec![self.secrets[client].clone()], password: Some(self.password.clone()), ..Vault::default() }
    }

    pub(super) fn set_password(&mut self, password: String) {
        self.provider.set_user(USER, &password, CUSTOMER);
        self.password = password;
    }

    /// Every name that there is.
    pub(super) fn all_names(&self) -> Vec<TokenName> {
        let profiles = self.good.profiles.keys().cloned().map(TokenName::from);
        let of = |(profile, ids): (&ProfileName, &Vec<WorkspaceId>)| {
            let name = |id: &WorkspaceId| TokenName { profile: profile.clone(), tenant: Some(*id) };
            ids.iter().map(name).collect::<Vec<_>>()
        };
        profiles.chain(self.tenants.iter().flat_map(of)).collect()
    }

    /// The names that are to be kept fresh by the file as it is.
    pub(super) fn kept_names(&self) -> Vec<TokenName> {
        let mut names = Vec::new();
        for (name, profile) in &self.file.profiles {
            names.push(TokenName::from(name.clone()));
            if let Kind::Glp { tenants: Some(tenants), .. } = &profile.kind {
                let listed = self.tenants.get(name);
                names.extend(tenants.warm.iter().filter_map(|tenant| match tenant {
                    TenantRef::Id(id) if listed.is_some_and(|listed| listed.contains(id)) => {
                        Some(TokenName { profile: name.clone(), tenant: Some(*id) })
                    }
                    _ => None,
                }));
            }
        }
        names
    }

    /// How many chains of one client may wait for its login.
    pub(super) fn longest_login_queue(&self) -> u64 {
        let mut queues: BTreeMap<&str, u64> = BTreeMap::new();
        for profile in self.good.profiles.values() {
            if matches!(&profile.kind, Kind::Classic { .. }) {
                *queues.entry(&profile.client_id).or_default() += 1;
            }
        }
        queues.values().copied().max().unwrap_or(0)
    }
}

pub(super) fn endpoint(host: &str, path: &str) -> Endpoint {
    let url = format!("https://{host}.example.net");
    Endpoint { host: format!("{url}:443").into(), url: url + path }
}

/// Where nobody is certain, the rng are.
fn play_it_either_way(provider: &mut Provider, plan: &Plan, rng: &mut Rng) {
    provider.set_quirks(Quirks {
        dead_subject: if rng.chance(0.5) { DeadSubject::InvalidClient } else { DeadSubject::InvalidToken },
        offset_counts: if rng.chance(0.3) { OffsetCounts::Pages } else { OffsetCounts::Items },
        largest_page: *rng.pick(&[300, 40, 10]).expect("some"),
        old_access_survives: rng.chance(0.3),
        refresh_race: if rng.chance(0.2) { 2000 } else { 0 },
        token_length: 64,
        classic_token_length: 32,
        ..Quirks::default()
    });
    // How long a login may rest between its steps is known to nobody.
    let session = if rng.chance(0.5) { Lives::default().session } else { 4 * 3600 };
    let lives = Lives { session, ..Lives::default() };
    provider.set_lives(match plan.kept {
        Kept::One => Lives { central: 1800, glp: 900, tenant: 900, classic: 900, ..lives },
        Kept::Many if rng.chance(0.2) => Lives { classic: 1800, tenant: 600, ..lives },
        Kept::Many => lives,
    });
    if plan.kept == Kept::Many && rng.chance(0.3) {
        provider.set_rate_limits(RateLimits::documented());
    }
}
