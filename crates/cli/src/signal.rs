//! Interruption.

/// Ends when the user interrupts.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the default action ends the process anyway.
        std::future::pending::<()>().await;
    }
}
