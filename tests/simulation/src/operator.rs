//! The operator, and what happens to credentials: reloads, secrets rolled over, imports, tokens taken back.

use std::sync::Arc;
use std::time::Duration;

use tokend::core::input::Question;
use tokend::core::settings::{Kind, Profile};
use tokend_proto::{ProfileName, Secret, TokenName};

use super::access;
use super::daemon::OpenKind;
use super::engine::{Event, Simulation};
use super::journal::Entry;
use super::machine::{HOUR, MINUTE};
use super::world::Vault;

/// Mean time from one thing to the next, in rough weather.
const BUSTLE: u64 = 100 * MINUTE;

impl Simulation {
    pub(super) fn operator(&mut self) {
        let pause = self.rng.pause(BUSTLE);
        self.after(pause, Event::Operator);
        match self.rng.between(0, 23) {
            0 => self.roll_over(),
            1 => self.spoil_vault(),
            2 => self.reload(),
            3 => self.remove_profile(),
            4 | 5 => self.change_profile(),
            6 | 7 => self.import_something(),
            8 => self.refresh_something(),
            9 | 10 => self.revoke(),
            11 => self.kill_tokens(),
            12 => self.change_password(),
            13 | 14 => self.change_rules(),
            15 => self.change_tenants(),
            16 => self.change_place(),
            17 => self.change_client(),
            18 | 19 => self.take_tenants_away(),
            20 | 21 => self.reload_twice(),
            22 => self.change_secret_at_each_reading(),
            _ => self.import_behind_a_lock(),
        }
    }

    pub(super) fn tell_operator(&mut self, what: String) {
        self.journal.note(self.at, Entry::Operator(what));
    }

    /// Everything is as it should be again, as far as secrets go; the operator mostly reloads the daemon.
    pub(super) fn unlock(&mut self) {
        self.tell_operator("secrets are right again".to_owned());
        self.world.unlock();
        if self.rng.chance(0.7) {
            self.reload();
        }
    }

    /// A client gets another secret, and the daemon hears of it later.
    fn roll_over(&mut self) {
        let clients: Vec<String> = self.world.good.profiles.values().map(|profile| profile.client_id.clone()).collect();
        let Some(client) = self.rng.pick(&clients).cloned() else { return };
        self.tell_operator(format!("another secret for {client}"));
        let credentials = self.world.provider.reset_credentials(&client).expect("a client");
        self.invariants.take_back(&client);
        let old = self.world.secrets.insert(client.clone(), credentials.client_secret.clone()).unwrap_or_default();
        if self.rng.chance(0.3) {
            // Both are configured for a while: no gap.
            let of_client = |profile: &&Arc<Profile>| profile.client_id == client;
            for profile in self.world.good.profiles.values().filter(of_client) {
                let password = Some(self.world.password.clone());
                let secrets = vec![old.clone(), credentials.client_secret.clone()];
                self.world.vaults.insert(profile.name.clone(), Vault { secrets, password, ..Vault::default() });
            }
        }
        let later = self.rng.pause(HOUR);
        self.after(later, Event::Unlock);
    }

    fn spoil_vault(&mut self) {
        let Some(name) = self.some_profile() else { return };
        self.tell_operator(format!("spoils the secrets of {name}"));
        let (locked, password) = (self.rng.chance(0.5), self.rng.chance(0.5));
        let Some(vault) = self.world.vaults.get_mut(&name) else { return };
        vault.locked = locked;
        match password {
            true => vault.password = Some("a slip".to_owned()),
            false => vault.secrets = vec!["a slip of the pen".to_owned()],
        }
        self.reload();
        let later = self.rng.pause(HOUR);
        self.after(later, Event::Unlock);
    }

    fn remove_profile(&mut self) {
        let Some(name) = self.some_profile() else { return };
        self.tell_operator(format!("removes or restores {name}"));
        match self.world.file.profiles.remove(&name) {
            Some(_) => {}
            None => {
                let profile = Arc::clone(&self.world.good.profiles[&name]);
                self.world.file.profiles.insert(name, profile);
            }
        }
        self.reload();
    }

    pub(super) fn change_profile(&mut self) {
        let Some(name) = self.some_profile() else { return };
        let Some(profile) = self.world.file.profiles.get(&name) else { return };
        let mut profile = Profile::clone(profile);
        let other_client = self.rng.chance(0.5);
        let good = &self.world.good.profiles[&name];
        match (&mut profile.kind, &good.kind) {
            (Kind::ClientCredentials(_), _) if other_client => profile.client_id = self.world.other_central.clone(),
            (Kind::ClientCredentials(_), _) => profile.client_id = good.client_id.clone(),
            (Kind::Glp { tenants: Some(tenants), .. }, _) => {
                tenants.warm.clear();
                for id in self.world.tenants.get(&name).into_iter().flatten().take(3) {
                    if self.rng.chance(0.5) {
                        tenants.warm.push(tokend_proto::TenantRef::Id(*id));
                    }
                }
            }
            (Kind::Glp { .. }, _) => {}
            (Kind::Classic { login, before, .. }, Kind::Classic { login: good, .. }) => {
                *login = good.clone().filter(|_| login.is_none());
                *before = Duration::from_secs(self.rng.between(60, 1200));
            }
            (Kind::Classic { .. }, _) => {}
        }
        self.world.file.rate = std::num::NonZeroU32::new(self.rng.between(1, 8) as u32).expect("one at least");
        self.tell_operator(format!("changes {name}"));
        self.world.file.profiles.insert(name, Arc::new(profile));
        self.reload();
    }

    fn import_something(&mut self) {
        let Some(name) = self.some_classic() else { return };
        self.import_some(name);
    }

    pub(super) fn import_some(&mut self, name: ProfileName) {
        let client = self.world.good.profiles[&name].client_id.clone();
        let of_client = match self.rng.between(0, 3) {
            0 => self.rng.pick(&self.world.classic_clients).cloned().unwrap_or(client),
            _ => client,
        };
        let token = self.world.provider.download_token(self.at, &of_client).expect("a client");
        if self.rng.chance(0.3) {
            self.world.provider.revoke(token.id).expect("it has just been made");
        }
        let secret = Secret::new(token.refresh_token);
        self.invariants.born(&secret, self.at);
        self.offer(name, secret);
    }

    /// In calm weather, for a chain that only the operator can bring back.
    pub(super) fn import_good(&mut self, profile: ProfileName) {
        let Some(known) = self.world.file.profiles.get(&profile) else { return };
        let open = self.daemon.iter().flat_map(|daemon| daemon.open.values());
        let name = TokenName::from(profile.clone());
        if open.into_iter().any(|open| open.kind == OpenKind::Import && open.name.as_ref() == Some(&name)) {
            return;
        }
        let token = self.world.provider.download_token(self.at, &known.client_id).expect("a client");
        let secret = Secret::new(token.refresh_token);
        self.invariants.born(&secret, self.at);
        self.offer(profile, secret);
    }

    fn offer(&mut self, profile: ProfileName, refresh_token: Secret) {
        self.tell_operator(format!("imports a token for {profile}"));
        let name = TokenName::from(profile.clone());
        self.invariants.starts_afresh(&profile); // what may have been wrong is tried again
        self.ask(Some(name), 0, Question::Import { profile, refresh_token }, OpenKind::Import);
    }

    fn refresh_something(&mut self) {
        let Some(name) = self.some_profile() else { return };
        let name = TokenName::from(name);
        self.ask(Some(name.clone()), 0, Question::Refresh { name }, OpenKind::Refresh);
    }

    /// A chain is revoked in the web interface.
    pub(super) fn revoke(&mut self) {
        let Some(name) = self.some_classic() else { return };
        self.revoke_chains_of(&name);
    }

    fn revoke_chains_of(&mut self, name: &ProfileName) {
        let client = self.world.good.profiles[name].client_id.clone();
        self.tell_operator(format!("revokes the chains of {client}"));
        self.invariants.take_back(&client);
        for chain in self.world.provider.chains(&client) {
            self.world.provider.revoke(chain).expect("it was listed");
        }
    }

    fn kill_tokens(&mut self) {
        let Some(name) = self.some_profile() else { return };
        let client = self.world.good.profiles[&name].client_id.clone();
        self.tell_operator(format!("kills the access tokens of {client}"));
        self.world.provider.kill_access_tokens(&client);
    }

    fn change_password(&mut self) {
        let password = format!("password {}", self.rng.next());
        self.tell_operator("changes the password".to_owned());
        self.world.set_password(password);
        let later = self.rng.pause(HOUR);
        self.after(later, Event::Unlock);
    }

    fn change_rules(&mut self) {
        self.world.file.rules = access::some_rules(&self.world.all_names(), &mut self.rng);
        self.tell_operator("changes the access rules".to_owned());
        self.reload();
    }

    fn change_tenants(&mut self) {
        let Some((profile, workspace)) = self.world.workspaces.first_key_value() else { return };
        let (profile, workspace) = (profile.clone(), workspace.clone());
        let tenants = self.world.tenants.entry(profile).or_default();
        if self.rng.chance(0.5) || tenants.len() < 2 {
            let id = self.world.provider.add_tenant(&workspace, "Newcomer").expect("a workspace");
            tenants.push(id.parse().expect("32 hex digits"));
        } else if let Some(id) = tenants.pop() {
            self.world.provider.remove_tenant(&workspace, &id.to_string()).expect("a tenant");
            self.peers.gone += 1;
        }
        self.tell_operator("adds or removes a tenant".to_owned());
    }

    pub(super) fn some_profile(&mut self) -> Option<ProfileName> {
        let names: Vec<ProfileName> = self.world.good.profiles.keys().cloned().collect();
        self.rng.pick(&names).cloned()
    }

    pub(super) fn some_classic(&mut self) -> Option<ProfileName> {
        let classic = self.world.good.profiles.values().filter(|p| matches!(p.kind, Kind::Classic { .. }));
        let names: Vec<ProfileName> = classic.map(|profile| profile.name.clone()).collect();
        self.rng.pick(&names).cloned()
    }

    /// The small world's story, told once in every walk through the crash points.
    pub(super) fn small(&mut self, chapter: u32) {
        let classics: Vec<ProfileName> =
            self.world.good.profiles.keys().filter(|name| name.as_str().starts_with("legacy")).cloned().collect();
        match chapter {
            0 => self.revoke_chains_of(&classics[0]),
            1 => self.import_good(classics[1].clone()),
            2 => {
                for name in classics.into_iter().map(TokenName::from) {
                    let token = self.daemon.as_ref().and_then(|daemon| daemon.board.get(&name));
                    if let Some(fingerprint) = token.map(|slot| slot.token.fingerprint) {
                        self.reject(&name, fingerprint, 1000);
                    }
                }
            }
            3 => self.reload(),
            _ => return self.stop(),
        }
        self.after(10 * MINUTE, Event::Small(chapter + 1));
    }
}
