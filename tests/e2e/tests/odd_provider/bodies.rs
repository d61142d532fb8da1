//! A gateway that takes the parameters of a token request in one place and not in another.

use harness::until;
use sandbox::RefusedBody;

use super::*;

fn with_style(profile: &ProfileText, style: &str) -> ProfileText {
    let base = "\nbase_url = ";
    ProfileText(profile.0.replace(base, &format!("\nparam_style = \"{style}\"{base}")))
}

#[test]
fn each_style_is_taken_where_the_gateway_refuses_the_others() {
    let cases = [
        (851, "form", RefusedBody::Query),
        (852, "form", RefusedBody::Json),
        (853, "query", RefusedBody::Form),
        (854, "json", RefusedBody::Form),
    ];
    each(cases, |(seed, style, refused)| {
        let world = World::new(seed);
        quirks(&world, Quirks { refused_body: refused, ..Quirks::default() });
        let chain = Chain::new(&world, "legacy");
        world.configure("", &[with_style(&chain.profile(&world), style)]);
        let _daemon = world.start();
        chain.begin(&world).unwrap();
        chain.goes_on(&world).unwrap();
    });
}

#[test]
fn a_gateway_that_refuses_forms_spends_nothing_and_the_token_works_with_another_style() {
    each([(855, 415), (856, 400)], |(seed, refused_status)| {
        let world = World::new(seed);
        quirks(&world, Quirks { refused_body: RefusedBody::Form, refused_status, ..Quirks::default() });
        let chain = Chain::new(&world, "legacy");
        world.configure("", &[chain.profile(&world)]);
        let daemon = world.start();
        let error = chain.begin(&world).unwrap_err();
        let log = daemon.log();
        assert!(log.contains("param_style"), "it says what may help: {error}");
        assert!(count(&world, Endpoint::ClassicRefresh) <= 12, "{}", count(&world, Endpoint::ClassicRefresh));
        // The token lies there still: nobody imports it again.
        world.configure("", &[with_style(&chain.profile(&world), "query")]);
        assert_eq!(world.ctl().run(&["reload"]).status, 0);
        let served = until("it is tried in the other style", || {
            let ran = world.ctl().run(&["get", "legacy", "--wait", "1s"]);
            (ran.status == 0).then(|| ran.stdout.trim_end().to_owned())
        });
        assert!(world.provider().provider().accepts(world.provider().now(), &served));
        chain.goes_on(&world).unwrap();
    });
}
