//! Pages made on the server. No build of scripts, no file from elsewhere: one answer is one page.

pub(crate) mod demo;
pub(crate) mod device;
pub(crate) mod errors;
mod markdown;
pub(crate) mod words;

/// The look of all pages.
pub(crate) const STYLE: &str = include_str!("pages/style.css");
