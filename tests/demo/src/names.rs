//! Whom the demo is about: names of every kind, and what their tokens are good for.

use harness::World;
use sandbox::Population;

/// New Central's protected endpoint.
pub(super) const CENTRAL_API: &str = "/network-monitoring/v1/devices";

/// Classic Central's.
const CLASSIC_API: &str = "/monitoring/v1/devices";

/// One name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// As `tokenctl` takes it.
    pub name: String,
    /// Its kind, in the reader's words.
    pub kind: &'static str,
    /// The path that its token opens.
    pub path: String,
    /// A renewal kills the tokens before it.
    pub rotates: bool,
}

/// The profile that begins with the import of a Download Token.
pub(super) const IMPORTED: &str = "legacy";

/// The names in the order in which they are shown: a central profile, a workspace with a tenant that is kept warm and
/// one on demand, and the two ways to begin a Classic chain.
#[must_use]
pub fn cast(population: &Population) -> Vec<Shown> {
    let shown = |name: &str, kind, path: &str| Shown {
        name: name.to_owned(),
        kind,
        path: path.to_owned(),
        rotates: path == CLASSIC_API,
    };
    let [(warm_id, warm), (other_id, other)] = &population.tenants[..] else {
        unreachable!("a population has two tenants")
    };
    let tenant_api = |id: &str| format!("/network-monitoring/v1/tenants/{id}/devices");
    vec![
        shown("campus", "central", CENTRAL_API),
        shown("msp", "glp", "/devices/v1/devices"),
        shown(&format!("msp/{warm}"), "tenant, warm", &tenant_api(warm_id)),
        shown(&format!("msp/{other}"), "tenant, on demand", &tenant_api(other_id)),
        shown(IMPORTED, "classic, imported", CLASSIC_API),
        shown("branch", "classic, login", CLASSIC_API),
    ]
}

/// Writes the configuration of these names.
pub(super) fn configure(world: &World) {
    let (_, warm) = &world.population.tenants[0];
    world.configure(
        "",
        &[
            world.central("campus"),
            world.glp("msp", &[warm]),
            world.classic(IMPORTED),
            world.classic_with_login("branch"),
        ],
    );
}
