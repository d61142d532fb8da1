//! What a user other than root and the daemon's own may do. Such a peer can only be started by root.

use std::fs;

use harness::World;
use nix::unistd::Gid;
use serde_json::Value;
use tokend_client::{Fingerprint, Secret};

use super::stranger::{OTHER_GROUP, STRANGER, Stranger, start};

#[test]
fn a_rule_lets_its_user_read_what_it_names_and_nothing_else() {
    let world = World::new(921);
    let Some(stranger) = Stranger::of(&world) else { return };
    let _daemon = start(&world, STRANGER, "[[access]]\nprofiles = [\"campus\"]\nusers = [65534]");

    let ran = stranger.run(&["get", "campus"]);
    assert_eq!((ran.status, ran.stdout.trim_end()), (0, world.ctl().token("campus").as_str()), "{}", ran.stderr);
    for name in ["msp", "msp/Acme Corp", "legacy"] {
        println!("{}", stranger.is_denied(&["get", name]).trim_end());
    }
    let [unknown, known] = ["no-such", "legacy"].map(|name| stranger.is_denied(&["get", name]).replace(name, "NAME"));
    assert_eq!(unknown, known, "whether a name exists is not told");
    let [unknown, known] = ["msp/No Such", "msp/Acme Corp"].map(|name| stranger.is_denied(&["get", name]));
    assert_eq!(unknown.replace("No Such", "NAME"), known.replace("Acme Corp", "NAME"));

    let names = |value: Value| value["names"].as_array().unwrap().iter().map(|name| name["name"].clone()).collect();
    let shown: Vec<Value> = names(stranger.json(&["status", "--output", "json"]));
    assert_eq!(shown, ["campus"]);
    stranger.is_denied(&["status", "legacy"]);
    stranger.is_denied(&["tenants", "msp"]);
}

#[test]
fn reading_is_not_administering_and_nobody_but_root_reloads() {
    let world = World::new(922);
    let Some(stranger) = Stranger::of(&world) else { return };
    let reader = "[[access]]\nprofiles = [\"campus\", \"legacy\"]\nusers = [65534]\n";
    let admin = "[[access]]\nprofiles = [\"campus\"]\nusers = [65534]\nadmin = true\n";
    let _daemon = start(&world, STRANGER, reader);
    let token = world.path("token.json");
    fs::write(&token, "{\"refresh_token\": \"x\"}").unwrap();
    stranger.is_denied(&["refresh", "campus"]);
    stranger.is_denied(&["import", "legacy", token.to_str().unwrap()]);
    println!("{}", stranger.is_denied(&["reload"]).trim_end());

    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), text.replace(reader, &format!("{reader}{admin}"))).unwrap();
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
    let ran = stranger.run(&["refresh", "campus"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    stranger.is_denied(&["import", "legacy", token.to_str().unwrap()]);
    stranger.is_denied(&["reload"]);

    fs::write(world.config(), text.replace("users = [65534]", "users = [65533]")).unwrap();
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
    stranger.is_denied(&["get", "campus"]);
    let who = stranger.json(&["whoami", "--output", "json"]);
    assert_eq!((&who["uid"], &who["superuser"]), (&STRANGER.into(), &false.into()), "{who}");
}

#[test]
fn who_may_not_read_may_not_watch_and_a_watch_ends_with_the_rule_that_allowed_it() {
    let world = World::new(926);
    let Some(stranger) = Stranger::of(&world) else { return };
    let rule = "[[access]]\nprofiles = [\"campus\"]\nusers = [65534]";
    let _daemon = start(&world, STRANGER, rule);
    let [unknown, known] = ["no-such", "legacy"].map(|name| stranger.is_denied(&["watch", name]).replace(name, "NAME"));
    assert_eq!(unknown, known, "whether a name exists is not told");
    stranger.is_denied(&["explain", "legacy"]);
    assert_eq!(stranger.run(&["explain", "campus"]).status, 0);

    let watch = stranger.start(&["watch", "campus"]);
    let of_token = Fingerprint::of(&Secret::from(world.ctl().token("campus").as_str()));
    assert_eq!(watch.line().split('\t').nth(1), Some(of_token.to_string().as_str()));
    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), text.replace("users = [65534]", "users = [65533]")).unwrap();
    assert_eq!(world.ctl().run(&["reload"]).status, 0);
    let ran = watch.ended();
    assert_eq!(ran.status, 4, "{ran:?}");
    assert!(!ran.stdout.contains("token\t"), "{ran:?}");
    println!("{}", ran.stderr.trim_end());
}

#[test]
fn a_rule_for_a_group_counts_the_primary_and_supplementary_ones() {
    let world = World::new(923);
    let Some(stranger) = Stranger::of(&world) else { return };
    let _daemon = start(&world, STRANGER, "[[access]]\nprofiles = [\"msp/*\"]\ngroups = [65533]");
    stranger.is_denied(&["get", "msp/Acme Corp"]);
    let member = Stranger { groups: "--groups=65533", ..stranger.clone() };
    let ran = member.run(&["get", "msp/Acme Corp"]);
    assert_eq!((ran.status, ran.stdout.trim_end()), (0, world.ctl().token("msp/Acme Corp").as_str()), "{}", ran.stderr);
    member.is_denied(&["get", "msp"]);
    // As its primary group, with the socket's among the others.
    let primary = Stranger { gid: OTHER_GROUP, groups: "--groups=65534", ..stranger };
    assert_eq!(primary.run(&["get", "msp/Acme Corp"]).status, 0);
    primary.is_denied(&["get", "msp"]);
}

#[test]
fn without_a_rule_everybody_who_may_open_the_socket_may_read() {
    let world = World::new(924);
    let Some(stranger) = Stranger::of(&world) else { return };
    let _daemon = start(&world, STRANGER, "");
    for name in ["campus", "msp", "msp/Acme Corp"] {
        assert_eq!(stranger.run(&["get", name]).stdout.trim_end(), world.ctl().token(name));
    }
    stranger.is_denied(&["refresh", "campus"]);
    stranger.is_denied(&["reload"]);
}

#[test]
fn who_may_not_open_the_socket_is_told_which_group_may() {
    let world = World::new(925);
    let Some(stranger) = Stranger::of(&world) else { return };
    let _daemon = start(&world, OTHER_GROUP, "");
    let said = stranger.is_denied(&["get", "campus"]);
    let group = nix::unistd::Group::from_gid(Gid::from_raw(OTHER_GROUP)).unwrap();
    let group = group.map_or_else(|| OTHER_GROUP.to_string(), |group| group.name);
    assert!(said.contains(&format!("open to members of the group {group:?}")), "{said}");
    assert!(said.contains(&format!("usermod -aG {group} USER")), "{said}");
    println!("{}", said.trim_end());
}
