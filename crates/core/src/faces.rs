/// Gives a middleware its two faces: `tower_layer::Layer` with the feature `tower` of the calling
/// crate, `reqwest_middleware::Middleware` with its feature `reqwest`.
///
/// The type must be `Clone`, cheaply: every tower service that is built from it holds a copy. The
/// calling crate's features switch on those of this crate:
///
/// ```toml
/// [features]
/// default = []
/// tower = ["golive-core/tower"]
/// reqwest = ["golive-core/reqwest"]
/// ```
#[macro_export]
macro_rules! faces {
    ($middleware:ty) => {
        #[cfg(feature = "tower")]
        impl<S> $crate::tower::Layer<S> for $middleware {
            type Service = $crate::tower::Layered<$middleware, S>;

            fn layer(&self, inner: S) -> Self::Service {
                $crate::tower::Layered::new(::core::clone::Clone::clone(self), inner)
            }
        }

        #[cfg(feature = "reqwest")]
        impl $crate::reqwest::Middleware for $middleware {
            fn handle<'a, 'b, 'c, 'd>(
                &'a self,
                req: $crate::reqwest::Request,
                extensions: &'b mut $crate::reqwest::Extensions,
                next: $crate::reqwest::Next<'c>,
            ) -> $crate::reqwest::Handled<'d>
            where
                'a: 'd,
                'b: 'd,
                'c: 'd,
                Self: 'd,
            {
                $crate::reqwest::handle(self, req, extensions, next)
            }
        }
    };
}
