//! Real servers and tools for tests, each a private instance on a free port of 127.0.0.1 that ends
//! with its handle.
//!
//! `cargo xtask test` installs what they need under `target/tools`. Where that is missing, starting
//! one panics and says so: a test that cannot run has not passed.

#[cfg(feature = "moto")]
mod moto;
#[cfg(feature = "process")]
mod process;
#[cfg(feature = "promtool")]
mod promtool;
#[cfg(feature = "victoria-metrics")]
mod victoria_metrics;

#[cfg(feature = "moto")]
pub use self::moto::Moto;
#[cfg(feature = "promtool")]
pub use self::promtool::promtool;
#[cfg(feature = "victoria-metrics")]
pub use self::victoria_metrics::{Sample, VictoriaMetrics};

/// A program in `target/tools/bin`.
#[cfg(any(feature = "promtool", feature = "victoria-metrics"))]
fn tool(name: &str) -> std::path::PathBuf {
    installed(&format!("bin/{name}"))
}

/// A program below `target/tools`, where `cargo xtask test` puts it.
#[cfg(any(feature = "moto", feature = "promtool", feature = "victoria-metrics"))]
fn installed(path: &str) -> std::path::PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools");
    let program = std::path::Path::new(root).join(path);
    assert!(
        program.is_file(),
        "this test needs target/tools/{path}, which is missing: run `cargo xtask test`, which \
         installs it"
    );
    program
}
