//! What an operator changes while others are at work: where a profile goes, as whom, with which secrets; and two
//! reloads at once.

use std::sync::Arc;
use std::time::Duration;

use tokend::core::input::Question;
use tokend::core::settings::{Kind, Profile};
use tokend_proto::{ProfileName, TokenName};

use super::daemon::OpenKind;
use super::engine::{Event, Simulation};
use super::machine::{HOUR, MINUTE, SECOND, Time};
use super::network::CONNECT;
use super::peers::everything;
use super::wire::Arrived;
use super::world::{Changing, World, endpoint};
use sandbox::Response;

/// A host that is not the provider's.
const NOWHERE: &str = "nowhere";

/// Peers that wait when their tenants are taken away.
const CROWD: u64 = 6;

impl World {
    /// Whether requests to this host reach somebody else, or nobody.
    pub(super) fn is_nowhere(host: &str) -> bool {
        host.contains(NOWHERE)
    }
}

impl Simulation {
    /// Another host, which is the same provider by another name or somebody else's; or the right one again.
    pub(super) fn change_place(&mut self) {
        let Some(name) = self.some_profile() else { return };
        let right = self.rng.chance(0.4);
        let alias = self.rng.chance(0.5);
        let good = self.world.good.profiles[&name].kind.clone();
        let host = |of: &'static str| if alias { of } else { NOWHERE };
        self.change(&name, |profile| match (&mut profile.kind, good) {
            (Kind::ClientCredentials(asked), Kind::ClientCredentials(good)) => {
                asked.token_endpoint =
                    if right { good.token_endpoint } else { endpoint(host("sso-2"), "/as/token.oauth2") };
            }
            (Kind::Glp { base_url, .. }, Kind::Glp { base_url: good, .. }) => {
                *base_url = if right { good } else { endpoint(host("glp-2"), "") };
            }
            // By another name a gateway would have a quota of its own, which no provider has.
            (Kind::Classic { gateway, .. }, Kind::Classic { gateway: good, .. }) => {
                *gateway = if right { good } else { endpoint(NOWHERE, "") };
            }
            _ => {}
        });
        self.tell_operator(format!("changes the host of {name}"));
        self.reload();
    }

    /// What answers there: nobody, or a web server that knows nothing of tokens.
    pub(super) fn stranger(&mut self) -> (Time, Arrived) {
        if self.rng.chance(0.5) {
            return (self.rng.between(1, CONNECT), Arrived::NoConnection);
        }
        let status = *self.rng.pick(&[404, 405, 403, 301, 200]).expect("some");
        let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        let response = Response { status, headers, body: b"<html><h1>It works!</h1></html>".to_vec() };
        (self.rng.between(20, 500), Arrived::Response(response))
    }

    /// Another client, mostly with its secret.
    pub(super) fn change_client(&mut self) {
        let Some(name) = self.some_profile() else { return };
        let good = Arc::clone(&self.world.good.profiles[&name]);
        let client_id = match &good.kind {
            Kind::ClientCredentials(_) => self.world.other_central.clone(),
            Kind::Glp { workspace, .. } => self.world.api_client(Some(&workspace.to_string())),
            Kind::Classic { .. } => match self.rng.pick(&self.world.classic_clients) {
                Some(client) => client.clone(),
                None => return,
            },
        };
        let client_id = if self.rng.chance(0.4) { good.client_id.clone() } else { client_id };
        self.change(&name, |profile| profile.client_id.clone_from(&client_id));
        self.tell_operator(format!("makes {name} another client's"));
        if self.rng.chance(0.7) {
            let secret = self.world.secrets[&client_id].clone();
            if let Some(vault) = self.world.vaults.get_mut(&name) {
                vault.secrets = vec![secret];
            }
        }
        self.reload();
    }

    /// Peers wait for a list, for a tenant by name and for tenants' tokens; then the section is gone, or is back.
    pub(super) fn take_tenants_away(&mut self) {
        let profiles: Vec<ProfileName> = self.world.tenants.keys().cloned().collect();
        let Some(name) = self.rng.pick(&profiles).cloned() else { return };
        let good = match &self.world.good.profiles[&name].kind {
            Kind::Glp { tenants, .. } => tenants.clone(),
            _ => None,
        };
        for n in 0..CROWD {
            let profile = name.clone();
            let question = match n % 3 {
                0 => Question::Tenants { profile, page: everything() },
                1 => Question::Resolve { profile, workspace_name: "Nobody".into() },
                _ => {
                    let tenant = self.rng.pick(&self.world.tenants[&name]).copied();
                    let name = TokenName { profile, tenant };
                    let wait = Duration::from_secs(60);
                    let question = Question::Get { name: name.clone(), min_ttl: Duration::ZERO, wait };
                    self.ask(Some(name), 0, question, OpenKind::Get);
                    continue;
                }
            };
            self.ask(None, 0, question, OpenKind::Other);
        }
        self.change(&name, |profile| {
            if let Kind::Glp { tenants, .. } = &mut profile.kind {
                *tenants = if tenants.is_none() { good } else { None };
            }
        });
        self.tell_operator(format!("takes the tenants of {name} away, or gives them back"));
        self.reload();
    }

    /// The second reload comes before anything that the first one began is done.
    pub(super) fn reload_twice(&mut self) {
        self.tell_operator("reloads twice at once".to_owned());
        let before = self.world.file.clone();
        match self.rng.between(0, 3) {
            0 => self.change_place(),
            1 => self.change_client(),
            2 => self.take_tenants_away(),
            _ => self.change_profile(),
        }
        if self.rng.chance(0.5) {
            self.world.file = before;
        }
        self.reload();
    }

    /// A command that gives another secret each time it is run.
    pub(super) fn change_secret_at_each_reading(&mut self) {
        let Some(name) = self.some_profile() else { return };
        let right = self.rng.chance(0.5);
        if let Some(vault) = self.world.vaults.get_mut(&name) {
            vault.changing = Some(if right { Changing::Right(0) } else { Changing::Wrong(0) });
        }
        self.tell_operator(format!("the secret of {name} changes at each reading"));
        if self.rng.chance(0.7) {
            self.reload();
        }
        let later = self.rng.pause(HOUR);
        self.after(later, Event::Unlock);
    }

    /// A token is imported while the client secret cannot be read, and perhaps lies there when the daemon starts.
    pub(super) fn import_behind_a_lock(&mut self) {
        let Some(name) = self.some_classic() else { return };
        if let Some(vault) = self.world.vaults.get_mut(&name) {
            vault.locked = true;
        }
        self.tell_operator(format!("locks the secrets of {name}"));
        if self.rng.chance(0.7) {
            self.reload();
        }
        self.import_some(name);
        if self.rng.chance(0.5) {
            let later = self.rng.between(SECOND, 10 * MINUTE);
            self.after(later, Event::Kill);
        }
        let later = self.rng.pause(HOUR);
        self.after(later, Event::Unlock);
    }

    fn change(&mut self, name: &ProfileName, change: impl FnOnce(&mut Profile)) {
        let file = &mut self.world.file.profiles;
        let mut profile = Profile::clone(file.get(name).unwrap_or(&self.world.good.profiles[name]));
        change(&mut profile);
        file.insert(name.clone(), Arc::new(profile));
    }
}
