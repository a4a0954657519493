#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod display;
mod field;
mod parse;
mod problem;
mod serialize;

pub use self::field::FieldError;
pub use self::parse::NotAProblem;
pub use self::problem::Problem;
