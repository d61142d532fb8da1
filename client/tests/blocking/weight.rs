//! What a program that only wants the blocking client has to compile.

use std::process::Command;

#[test]
fn without_the_async_client_there_is_no_runtime() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = |features: &[&str]| {
        let output = Command::new(&cargo)
            .args([
                "tree",
                "--offline",
                "--locked",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--package",
                "tokend-client",
            ])
            .args(features)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(tree(&[]).contains("\ntokio v"), "cargo prints the tree in another way than this test expects");
    let without = tree(&["--no-default-features"]);
    for runtime in ["tokio", "tracing", "bytes", "mio"] {
        assert!(!without.contains(&format!("\n{runtime} v")), "{runtime}:\n{without}");
    }
}
