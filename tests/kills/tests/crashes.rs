//! The real daemon killed amid its work, 200 times. What must hold, and the long run: `kills`.

use kills::Campaign;

#[test]
fn a_daemon_killed_at_any_moment_loses_nothing_but_a_reply_in_the_gap_and_recovers_from_that() {
    let campaign = Campaign { seed: 20, kills: 200, worlds: 8, journald: false };
    let report = campaign.run();
    println!("{campaign:?}\n{report}");
    assert!(report.violations.is_empty(), "{campaign:?}\n{report}");
    // Else it has shown nothing.
    let hit = [
        report.in_start_up,
        report.after_a_refresh,
        report.amid_import,
        report.amid_rotation,
        report.reloads_by_signal,
        report.reloads_by_peer,
        report.reloads_of_a_change,
        report.replies_lost,
        report.recovered_by_login,
        report.recovered_by_import,
    ];
    match &report.no_power_cuts {
        Some(why) => skipped::because(format!("in part: no power cuts: {why}")),
        None => assert!(report.power_cuts > 0, "{report}"),
    }
    assert_eq!(report.kills, 200, "{report}");
    assert!(hit.iter().all(|count| *count > 0), "{report}");
}
