//! The contract, kept by a middleware that does nothing and by one that sends three times: what
//! fails here fails in the faces.

golive_testkit::contract!(golive_testkit::PassOn);

mod thrice {
    golive_testkit::contract!(golive_testkit::Thrice);
}
