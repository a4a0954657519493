//! Mounted files, replaced in the ways in which they are replaced.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside of #[test]"
)]

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use golive_secrets_provider::{
    Handle, MAX_BYTES, Source, Versions,
    source::{FileSource, SourceErrorKind},
};
use secrecy::ExposeSecret as _;

fn text(versions: &Versions) -> (String, Option<String>) {
    let text = |version: &golive_secrets_provider::Version| {
        version.value().expose_text().unwrap().to_owned()
    };
    (text(versions.current()), versions.previous().map(text))
}

fn pair(current: &str, previous: &str) -> (String, Option<String>) {
    (current.into(), Some(previous.into()))
}

/// As agents write: a whole file, renamed into place.
fn rename_into(dir: &Path, name: &str, value: &str) {
    let new = dir.join(".new");
    fs::write(&new, value).unwrap();
    fs::rename(new, dir.join(name)).unwrap();
}

/// As Kubernetes writes: a directory of its own, and a link that is swapped to it.
#[cfg(unix)]
fn swap_to(dir: &Path, side: &str, files: &[(&str, &str)]) {
    use std::os::unix::fs::symlink;
    fs::create_dir(dir.join(side)).unwrap();
    for (name, value) in files {
        fs::write(dir.join(side).join(name), value).unwrap();
        let link = dir.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    let before = fs::read_link(dir.join("..data"));
    symlink(side, dir.join("..data_tmp")).unwrap();
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    if let Ok(before) = before {
        fs::remove_dir_all(dir.join(before)).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_swap_of_the_directory_is_followed_by_a_handle() {
    let dir = tempfile::tempdir().unwrap();
    swap_to(
        dir.path(),
        "..1",
        &[("api", "one\n"), ("api.previous", "zero\n")],
    );
    let source = FileSource::new(dir.path()).unwrap();
    let handle = Handle::builder(source, "api");
    let handle = handle.fresh_for(Duration::from_secs(1)).build().unwrap();
    let before = handle.ready().await.unwrap();
    assert_eq!(text(before.versions()), pair("one", "zero"));

    swap_to(
        dir.path(),
        "..2",
        &[("api", "two\n"), ("api.previous", "one\n")],
    );
    let wait = Duration::from_secs(10);
    let after = tokio::time::timeout(wait, handle.changed_since(before.generation()));
    assert_eq!(
        text(after.await.unwrap().unwrap().versions()),
        pair("two", "one")
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_never_read_from_two_sides_of_a_swap() {
    let dir = tempfile::tempdir().unwrap();
    let value = |n: u32| format!("{n}");
    let swap = |n: u32| {
        let files = [("api", &*value(n + 1)), ("api.previous", &*value(n))];
        swap_to(dir.path(), &format!("..{n}"), &files);
    };
    swap(0);
    let source = FileSource::new(dir.path()).unwrap();
    let reads = tokio::spawn(async move {
        let mut seen = std::collections::BTreeSet::new();
        while seen.last().is_none_or(|last| *last < 300) {
            // A directory that is swapped again and again may be given up, never misread.
            let Ok(read) = source.fetch("api").await else {
                continue;
            };
            let (current, previous) = text(&read);
            let current: u32 = current.parse().unwrap();
            assert_eq!(previous, Some(value(current - 1)));
            seen.insert(current);
        }
        seen.len()
    });
    for n in 1..300 {
        swap(n);
    }
    assert!(reads.await.unwrap() > 1);
}

#[tokio::test]
async fn a_file_that_is_renamed_into_place_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let source = FileSource::new(dir.path()).unwrap();
    rename_into(dir.path(), "api", "one");
    let before = source.fetch("api").await.unwrap();
    assert_eq!(text(&before), ("one".into(), None));
    rename_into(dir.path(), "api.previous", "one");
    rename_into(dir.path(), "api", "two");
    let after = source.fetch("api").await.unwrap();
    assert_eq!(text(&after), pair("two", "one"));
    // The same value has the same id, in whichever role.
    assert_eq!(before.current().id(), after.previous().unwrap().id());
}

#[tokio::test]
async fn a_secret_in_a_folder_below_is_found_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("partner")).unwrap();
    rename_into(&dir.path().join("partner"), "api", "one");
    let source = FileSource::new(dir.path()).unwrap();
    assert_eq!(text(&source.fetch("partner/api").await.unwrap()).0, "one");
}

#[tokio::test]
async fn a_name_never_leads_out_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("outside"), "secret").unwrap();
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    let source = FileSource::new(&root).unwrap();
    let absolute = dir.path().join("outside");
    for name in [
        "../outside",
        "a/../../outside",
        "./../outside",
        absolute.to_str().unwrap(),
    ] {
        let error = source.fetch(name).await.unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::NotFound, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_secret_is_refused_by_its_kind() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
    write("empty", vec![]);
    write("blank", b"\n".to_vec());
    write("large", vec![b'x'; MAX_BYTES + 1]);
    write("huge", vec![b'x'; 10 * MAX_BYTES]);
    write("most", [vec![b'x'; MAX_BYTES], b"\r\n".to_vec()].concat());
    fs::create_dir(dir.path().join("folder")).unwrap();
    let source = FileSource::new(dir.path()).unwrap();
    for name in ["empty", "blank", "large", "huge", "folder"] {
        let error = source.fetch(name).await.unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::Invalid, "{name}: {error}");
    }
    let error = source.fetch("missing").await.unwrap_err();
    assert_eq!(error.kind(), SourceErrorKind::NotFound);
    let most = source.fetch("most").await.unwrap();
    assert_eq!(most.current().value().expose_secret().len(), MAX_BYTES);
    assert!(FileSource::new(dir.path().join("nowhere")).is_err());
    assert!(FileSource::new(dir.path().join("most")).is_err());
}

#[tokio::test]
async fn a_file_dates_its_secret_only_if_it_is_trusted_to() {
    let dir = tempfile::tempdir().unwrap();
    let file = fs::File::create(dir.path().join("api")).unwrap();
    std::io::Write::write_all(&mut &file, b"one").unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    file.set_modified(at).unwrap();
    let source = FileSource::new(dir.path()).unwrap();
    let undated = source.fetch("api").await.unwrap();
    assert_eq!(undated.current().created_at(), None);
    let dated = source.trust_modification_time().fetch("api").await.unwrap();
    assert_eq!(dated.current().created_at(), Some(at));
}
