//! Client secrets and passwords that are replaced while a request with the old one is on the wire.

use super::chains::imported;
use super::*;

const CENTRAL: &str = "campus";
const CLASSIC: &str = "legacy";

impl Rig {
    /// The secrets are replaced by these, and the daemon hears of it.
    fn roll_over(&mut self, profile: &Profile, secrets: &[u64]) {
        self.secrets.client_secrets = secrets.iter().copied().map(SecretVersion).collect();
        self.configure(std::slice::from_ref(profile));
    }

    /// Fails the oldest request, which went out with this secret.
    fn refuse(&mut self, secret: u64) {
        assert_eq!(secret_of(&self.sent[0]), secret);
        self.fail(FailureKind::InvalidClient);
        self.pass(secs(1));
    }

    fn readings(&mut self) -> usize {
        std::iter::from_fn(|| self.core.poll_effect()).filter(|e| matches!(e, Effect::ReadSecrets(_))).count()
    }
}

fn secret_of(request: &ProviderRequest) -> u64 {
    match request.grant {
        Grant::ClientCredentials { secret } | Grant::Refresh { secret, .. } | Grant::Login { secret, .. } => secret.0,
        _ => panic!("no client secret: {:?}", request.grant),
    }
}

fn central() -> Profile {
    fixture::central(CENTRAL)
}

#[test]
fn a_refusal_of_a_secret_that_was_replaced_since_lets_the_new_one_be_tried_at_once() {
    let mut rig = Rig::new(&[central()]);
    let waiter = rig.get_with(CENTRAL, secs(0), secs(60));
    rig.roll_over(&central(), &[2]);
    rig.refuse(1);
    assert!(rig.is_waiting(waiter));
    assert_eq!(secret_of(&rig.grant(7199)), 2);
    assert_eq!(rig.given(waiter), "access-1");
}

#[test]
fn a_name_whose_new_secret_is_refused_too_is_rejected() {
    let mut rig = Rig::new(&[central()]);
    let waiter = rig.get_with(CENTRAL, secs(0), secs(60));
    rig.roll_over(&central(), &[2]);
    rig.refuse(1);
    rig.refuse(2);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    rig.pass(secs(260));
    assert_eq!(rig.requests(), 2);
}

#[test]
fn a_secret_that_a_reload_did_not_change_is_tried_once_more() {
    let mut rig = Rig::new(&[central()]);
    let waiter = rig.get_with(CENTRAL, secs(0), secs(60));
    rig.roll_over(&central(), &[1]);
    rig.refuse(1);
    rig.refuse(1);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    rig.pass(secs(260));
    assert_eq!(rig.requests(), 2);
}

#[test]
fn of_a_new_list_each_secret_is_tried() {
    let mut rig = Rig::new(&[]);
    rig.roll_over(&central(), &[1, 2]);
    rig.refuse(1);
    rig.roll_over(&central(), &[3, 4]);
    rig.refuse(2);
    rig.refuse(3);
    rig.refuse(4);
    rig.pass(secs(260));
    assert_eq!(rig.requests(), 4);
}

#[test]
fn a_reading_that_began_before_a_reload_is_not_taken() {
    let mut rig = Rig::new(&[]);
    let settings = Arc::new(fixture::settings(&[central()]));
    rig.core.handle(rig.now, Input::Configure(Arc::clone(&settings)));
    assert_eq!(rig.readings(), 1);
    rig.core.handle(rig.now, Input::Configure(settings));
    assert_eq!(rig.readings(), 0, "one at a time");
    let (profile, versions) = (central().name, rig.secrets.clone());
    rig.core.handle(rig.now, Input::Secrets { profile: profile.clone(), versions });
    assert_eq!(rig.readings(), 1);
    let versions = SecretVersions { client_secrets: vec![SecretVersion(2)], ..SecretVersions::default() };
    rig.handle(Input::Secrets { profile, versions });
    assert_eq!(secret_of(&rig.sent[0]), 2);
    assert_eq!(rig.requests(), 1);
}

#[test]
fn a_refresh_refused_with_the_old_secret_is_sent_with_the_new_one() {
    let mut rig = imported(false);
    rig.pass(secs(6601));
    rig.roll_over(&fixture::classic(CLASSIC, false), &[2]);
    rig.refuse(1);
    let request = rig.grant(7200);
    assert_eq!((secret_of(&request), refresh_token_of(&request)), (2, "refresh-1"));
    assert_eq!(rig.token_cache(CLASSIC), Some(("access-2", ReadMode::Serve)));
}

#[test]
fn an_import_refused_with_the_old_secret_is_tried_with_the_new_one() {
    let classic = fixture::classic(CLASSIC, false);
    let mut rig = Rig::new(std::slice::from_ref(&classic));
    let waiter = rig.import(CLASSIC, "downloaded");
    rig.roll_over(&classic, &[2]);
    rig.refuse(1);
    assert!(rig.is_waiting(waiter));
    rig.refuse(2);
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    assert_eq!(rig.requests(), 2);
}

#[test]
fn an_import_refused_while_its_profile_is_away_is_tried_when_it_is_back() {
    let classic = fixture::classic(CLASSIC, false);
    let mut rig = Rig::new(std::slice::from_ref(&classic));
    rig.import(CLASSIC, "downloaded");
    rig.configure(&[]);
    rig.refuse(1);
    rig.roll_over(&classic, &[2]);
    let request = rig.grant(7200);
    assert_eq!((secret_of(&request), refresh_token_of(&request)), (2, "downloaded"));
}

#[test]
fn an_import_refused_while_its_profile_has_another_client_and_secret_is_tried_when_it_is_back() {
    let classic = fixture::classic(CLASSIC, true);
    let mut rig = Rig::new(&[]);
    let settings = fixture::settings(std::slice::from_ref(&classic));
    rig.core.handle(rig.now, Input::Configure(Arc::new(settings)));
    rig.import(CLASSIC, "downloaded");
    let mut other = classic.clone();
    other.client_id = "somebody-else".into();
    rig.roll_over(&other, &[2]);
    rig.refuse(1);
    let login = rig.sent.remove(0);
    assert!(matches!(login.grant, Grant::Login { secret: SecretVersion(2), .. }));
    rig.roll_over(&classic, &[3]);
    let request = rig.grant(7200);
    assert_eq!((secret_of(&request), refresh_token_of(&request)), (3, "downloaded"));
}

#[test]
fn an_import_that_was_put_off_is_tried_with_the_first_of_a_new_list() {
    let classic = fixture::classic(CLASSIC, false);
    let mut rig = Rig::new(&[]);
    rig.roll_over(&classic, &[1, 2]);
    rig.import(CLASSIC, "downloaded");
    rig.refuse(1);
    assert_eq!(secret_of(&rig.fail(FailureKind::Transient)), 2);
    rig.roll_over(&classic, &[3, 4]);
    rig.pass(secs(60));
    assert_eq!(secret_of(&rig.sent[0]), 3);
}

#[test]
fn a_login_refused_with_an_old_secret_or_password_is_tried_with_the_new_one() {
    let classic = fixture::classic(CLASSIC, true);
    let mut rig = Rig::new(std::slice::from_ref(&classic));
    rig.roll_over(&classic, &[2]);
    rig.refuse(1);
    rig.secrets.password = Some(SecretVersion(101));
    rig.configure(std::slice::from_ref(&classic));
    assert_eq!(secret_of(&rig.fail(FailureKind::LoginRefused)), 2);
    rig.pass(secs(1));
    let request = rig.grant(7200);
    assert!(matches!(request.grant, Grant::Login { password: SecretVersion(101), .. }));
    assert!(rig.token_cache(CLASSIC).is_some());
}

#[test]
fn a_refused_password_that_a_reload_did_not_change_is_not_sent_again() {
    let classic = fixture::classic(CLASSIC, true);
    let mut rig = Rig::new(std::slice::from_ref(&classic));
    let waiter = rig.get_with(CLASSIC, secs(0), secs(60));
    rig.roll_over(&classic, &[1]);
    rig.fail(FailureKind::LoginRefused);
    rig.pass(secs(60));
    assert_eq!(rig.code(waiter), ErrorCode::Rejected);
    assert_eq!(rig.requests(), 1);
}
