#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod boxes;
pub mod case;
pub mod cases;
pub mod drive;
pub mod exit;
pub mod report;
pub mod select;
mod signals;
pub mod stats;
pub mod subject;
pub mod trace;
pub mod verdict;
