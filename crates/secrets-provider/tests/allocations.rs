//! `load` is on the path of every request.

use golive_secrets_provider::{Handle, Value, Version, Versions, source::MemorySource};

#[tokio::test]
async fn a_load_allocates_nothing() {
    let source = MemorySource::new();
    let version = |id| Version::new(id, Value::new("secret").unwrap());
    source.set("name", Versions::new(version("1")));
    source.rotate("name", version("2"));
    let handle = Handle::builder(source, "name").build().unwrap();
    handle.ready().await.unwrap();
    // The first load of a thread makes its record.
    drop(handle.load());

    let counted = allocation_counter::measure(|| {
        for _ in 0..1000 {
            let loaded = handle.load().unwrap();
            assert_eq!(loaded.current().value().expose_text(), Ok("secret"));
            assert!(loaded.previous().is_some());
        }
    });
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
    // The counter counts: a copy to keep of what it names does allocate.
    let counted = allocation_counter::measure(|| {
        drop(handle.load().unwrap().current().id().to_owned());
    });
    assert_eq!(counted.count_total, 1);
}
