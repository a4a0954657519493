use crate::{Call, Failure, Response};

/// What lies below a middleware: an inner tower service, reqwest-middleware's `Next`, or the rest
/// of a [`Stack`](crate::Stack).
///
/// A middleware never names one of these; it only sends.
pub trait Exchange<Req>: Send {
    /// What comes back.
    type Response: Response;
    /// The transport's error, untouched, or a typed error of ours.
    type Error: Failure;

    /// Sends one attempt and waits for its response.
    ///
    /// May be called again: each call makes sure anew that what lies below is ready, and gives the
    /// attempt extensions of its own.
    ///
    /// # Errors
    /// What lies below failed; the error is handed on as it came.
    fn send(
        &mut self,
        call: &mut Call,
        req: Req,
    ) -> impl Future<Output = Result<Self::Response, Self::Error>> + Send;
}

// Lets a stack lend what lies below to its outer part, and still own it.
impl<Req: Send, X: Exchange<Req>> Exchange<Req> for &mut X {
    type Response = X::Response;
    type Error = X::Error;

    fn send(
        &mut self,
        call: &mut Call,
        req: Req,
    ) -> impl Future<Output = Result<Self::Response, Self::Error>> + Send {
        (**self).send(call, req)
    }
}
