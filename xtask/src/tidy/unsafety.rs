//! `unsafe` lives in one crate, where each block has its proof.

use super::finding::Finding;
use super::house::{self, Kind};
use super::tokens;
use super::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &tree.sources {
        if may_be_unsafe(&source.path) {
            continue;
        }
        let read = tokens::each(&source.text, |token, _| {
            if tokens::is_ident(token, "unsafe") {
                found.push(Finding::failure(
                    format!("{}:{}", source.path, tokens::line(token)),
                    "`unsafe` outside the one crate that may",
                    "find a safe way, or a library whose job it is",
                ));
            }
        });
        if read.is_err() {
            let rule = "not Rust that can be read";
            found.push(Finding::failure(
                &source.path,
                rule,
                "let `cargo fmt` tell where",
            ));
        }
    }
    found
}

fn may_be_unsafe(path: &str) -> bool {
    let folder = path
        .strip_prefix("crates/")
        .and_then(|rest| rest.split('/').next());
    folder
        .and_then(house::find)
        .is_some_and(|place| place.kind == Kind::Unsafe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_found_by_its_line_and_in_macros_too() {
        let text = "fn a() {\n    log!(unsafe { b() });\n}";
        let found = check(&Tree::of_source("crates/core/src/a.rs", text));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("crates/core/src/a.rs:2: "));
    }

    #[test]
    fn the_one_crate_may_and_prose_may() {
        let lanes = Tree::of_source("crates/sha256-lanes/src/a.rs", "unsafe fn a() {}");
        assert_eq!(check(&lanes), []);
        let prose = Tree::of_source("a.rs", "//! unsafe\n#![forbid(unsafe_code)]\n// unsafe");
        assert_eq!(check(&prose), []);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_passed_over() {
        assert_eq!(check(&Tree::of_source("a.rs", "fn a() { \" }")).len(), 1);
    }
}
