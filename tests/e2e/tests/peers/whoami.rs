//! What the daemon says to a peer about that peer.

use harness::World;
use serde_json::{Value, json};

use super::stranger::{OTHER_GROUP, STRANGER, Stranger, start};

const RULES: &str = "[[access]]\nprofiles = [\"campus\", \"msp/*\"]\ngroups = [65533]\n\
                     [[access]]\nprofiles = [\"campus\"]\nusers = [65534]\nadmin = true";

fn names(who: &Value) -> Vec<(String, Value)> {
    let names = who["names"].as_array().unwrap().iter();
    names.map(|name| (name["name"].as_str().unwrap().to_owned(), name["admin"].clone())).collect()
}

#[test]
fn a_peer_is_told_who_it_is_and_which_names_it_may_have() {
    let world = World::new(931);
    let Some(stranger) = Stranger::of(&world) else { return };
    let _daemon = start(&world, STRANGER, RULES);
    let member = Stranger { groups: "--groups=65533", ..stranger.clone() };
    let who = member.json(&["whoami", "--output", "json"]);
    for (key, value) in [
        ("uid", json!(STRANGER)),
        ("gid", json!(STRANGER)),
        ("groups", json!([OTHER_GROUP])),
        ("superuser", json!(false)),
        ("may_read", json!(["campus", "msp/*"])),
        ("may_admin", json!(["campus"])),
    ] {
        assert_eq!(who[key], value, "{key}: {who}");
    }
    // Where this runs there may be systemd or not; either it is known or why it is not.
    assert_ne!(who["unit"].is_null(), who["no_unit"].is_null(), "{who}");
    let acme = world.ctl().status_of("msp/Acme Corp")["name"].as_str().unwrap().to_owned();
    assert_eq!(names(&who), [("campus".to_owned(), json!(true)), (acme, json!(false))]);

    let lines = member.run(&["whoami"]).stdout;
    println!("{lines}");
    assert!(lines.contains("groups\t65533\n") && lines.contains("name\tcampus\tadmin\t-\n"), "{lines}");

    // Without the group less is to be had, and root may everything.
    assert_eq!(names(&stranger.json(&["whoami", "--output", "json"])), [("campus".to_owned(), json!(true))]);
    let root: Value = serde_json::from_str(&world.ctl().run(&["whoami", "--output", "json"]).stdout).unwrap();
    assert_eq!(root["superuser"], true);
    let all = names(&root);
    assert!(all.len() == 4 && all.iter().all(|(_, admin)| *admin == true), "{root}");
}
