//! The examples run to their end, against the sandbox.

#[path = "../examples/client.rs"]
mod client;
#[path = "../examples/receiver.rs"]
mod receiver;
#[path = "../examples/reqwest_stack.rs"]
mod reqwest_stack;
#[path = "../examples/tower_stack.rs"]
mod tower_stack;

#[test]
fn the_client_survives_the_providers_worst_day() {
    client::main().unwrap();
}

#[test]
fn the_receiver_survives_a_rotation() {
    receiver::main().unwrap();
}

#[test]
fn the_stack_goes_over_a_tower_service() {
    tower_stack::main().unwrap();
}

#[test]
fn the_stack_goes_into_a_reqwest_client() {
    reqwest_stack::main().unwrap();
}
