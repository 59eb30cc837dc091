// Tells the program which compiler made it.
//
// SPDX-License-Identifier: Apache-2.0
use std::process::Command;

fn main() {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let said = Command::new(compiler).arg("--version").output();
    let version = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_else(|_| "rustc".into());
    // "rustc 1.95.0 (f2d3ce0bd 2026-03-21)"
    let short: Vec<&str> = version.split_whitespace().take(2).collect();
    println!("cargo:rustc-env=COMPILER={}", short.join(" "));
    println!("cargo:rerun-if-changed=build.rs");
}
