//! Somebody who takes one of our libraries and nothing else of ours.

use super::crates::Crate;

/// The manifest of a package that depends on `one` alone and hands each feature on by its name.
pub(crate) fn manifest(one: &Crate) -> String {
    let Crate { name, version, .. } = one;
    let features: String = one
        .features
        .iter()
        .map(|feature| format!("{feature} = [\"{name}/{feature}\"]\n"))
        .collect();
    format!(
        "[package]\n\
         name = \"{}\"\n\
         version = \"0.0.0\"\n\
         edition = \"2024\"\n\
         publish = false\n\
         \n\
         # A root of its own, though it lies within our checkout.\n\
         [workspace]\n\
         \n\
         [features]\n\
         {features}\
         \n\
         [dependencies]\n\
         {name} = {{ version = \"={version}\", default-features = false }}\n",
        package(one)
    )
}

/// A library that uses the one it takes.
pub(crate) fn source(library: &str) -> String {
    format!("use {library} as _;\n")
}

/// The name of the consumer of `one`.
pub(crate) fn package(one: &Crate) -> String {
    format!("consumer-of-{}", one.name)
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::*;

    #[test]
    fn a_consumer_takes_one_crate_and_no_feature_unasked() {
        let mut one = Crate::of("golive-backoff", &["golive-core"]);
        one.features = vec!["reqwest".to_owned(), "tower".to_owned()];
        let manifest: Table = manifest(&one).parse().unwrap();
        let table = |name: &str| manifest[name].as_table().unwrap();
        assert_eq!(table("dependencies").len(), 1);
        let asked = &table("dependencies")["golive-backoff"];
        assert_eq!(asked["version"].as_str(), Some("=0.1.0"));
        assert_eq!(asked["default-features"].as_bool(), Some(false));
        assert!(asked.get("features").is_none());
        let tower = Value::Array(vec!["golive-backoff/tower".into()]);
        assert_eq!(table("features")["tower"], tower);
        assert_eq!(table("features").len(), 2);
    }

    #[test]
    fn a_consumer_names_what_it_takes() {
        assert_eq!(source("golive_backoff"), "use golive_backoff as _;\n");
    }
}
